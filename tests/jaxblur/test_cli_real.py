"""The command line with the published weights, on photos of all formats and on damaged weights."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io

from jaxblur.files import images, output
from tests.jaxblur.cli_helpers import EXAMPLES, make_photo, names, run, summary


@pytest.fixture
def photo(tmp_path, rng) -> Path:
    return make_photo(tmp_path / "photo.png", rng)


@pytest.mark.slow
def test_real_run_agrees_over_formats(shared, tmp_path, capfd):
    crop = images.read_image(EXAMPLES / "vase.jpg")[150:200, 250:310]
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    photos = tmp_path / "photos"
    photos.mkdir()
    output.write_image(photos / "rgb8.png", crop)
    output.write_image(photos / "rgb16.png", crop.astype(np.uint16) * 257)
    output.write_image(photos / "rgb16.tif", crop.astype(np.uint16) * 257)
    output.write_image(photos / "grey8.png", grey)
    output.write_image(photos / "grey16.png", grey.astype(np.uint16) * 257)
    output.write_image(photos / "grey_as_rgb.png", np.dstack([grey] * 3))
    cv2.imwrite(str(photos / "rgba8.png"), np.dstack([crop[..., ::-1], grey]))
    out = tmp_path / "out"
    weights = shared / "reference" / "published"
    assert run("estimate", photos, "--output", out, "--weights", weights, "--overlay") == 0
    assert capfd.readouterr().err == ""
    radius = {
        path.name.split(".")[0] + path.suffixes[0]: np.load(path)["radius"] for path in out.glob("*.npz")
    }
    assert len(radius) == 7
    for name, values in radius.items():
        reference = radius["rgb8.png" if name.startswith("rgb") else "grey8.png"]
        np.testing.assert_allclose(values, reference, atol=1e-3)
        assert values.shape == (50, 60) and 0.5 <= values.min() <= values.max() <= 6
    assert all(int(row["edge_count"]) > 50 for row in summary(out))


@pytest.mark.parametrize("flaw", ["lacking", "wrong shape", "empty", "no folder"])
def test_bad_weights_folder(shared, tmp_path, photo, capfd, flaw):
    weights = tmp_path / "weights"
    if flaw != "no folder":
        weights.mkdir()
    if flaw in ("lacking", "wrong shape"):
        for part in ("blur", "edge"):
            (weights / part).mkdir()
            for array in (shared / "reference" / "published" / part).glob("*.mat"):
                (weights / part / array.name).write_bytes(array.read_bytes())
        (weights / "blur" / "3.mat").unlink()
    if flaw == "wrong shape":
        scipy.io.savemat(weights / "blur" / "3.mat", {"weights": np.zeros((3, 3, 64, 65), np.float32)})
    assert run("estimate", photo, "--output", tmp_path / "out", "--weights", weights) == 2
    error = capfd.readouterr().err
    assert error.startswith("jaxblur: ") and error.count("\n") == 1 and str(weights) in error
    assert names(tmp_path / "out") == set()
