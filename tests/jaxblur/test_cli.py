"""`jaxblur estimate` on whole photos: results, table, edge maps, bar."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import jaxblur
from jaxblur.files import images
from tests.jaxblur.cli_helpers import SIZE, fake_estimate, make_photo, names, run, summary, use_fakes


@pytest.fixture(autouse=True)
def fakes(monkeypatch):
    use_fakes(monkeypatch)


@pytest.fixture
def photo(tmp_path, rng) -> Path:
    return make_photo(tmp_path / "photo.png", rng)


def test_one_photo(tmp_path, photo, capfd):
    out = tmp_path / "deep" / "out"
    assert run("estimate", photo, "--output", out) == 0
    assert names(out) == {"photo.png.npz", "photo.png_radius.tiff", "photo.png_preview.png", "summary.csv"}
    with np.load(out / "photo.png.npz") as arrays:
        expected = fake_estimate(images.read_image(photo), None)
        assert set(arrays) == set(vars(expected))
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, getattr(expected, name))
            assert array.dtype == (bool if name.endswith("edges") else np.float32)
        radius = cv2.imread(str(out / "photo.png_radius.tiff"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(radius, arrays["radius"])
    printed = capfd.readouterr()
    assert printed.err == "" and printed.out == f"1 of 1 done, results in {out}\n"


def test_summary_columns(tmp_path, photo):
    out = tmp_path / "out"
    run("estimate", photo, "--output", out)
    (row,) = summary(out)
    assert list(row) == (
        "photo name width height radius_p05 radius_p25 radius_p50 radius_p75 radius_p95 "
        "fraction_in_focus fraction_sure edge_count depth_edge_count mean_confidence seconds warning error"
    ).split(" ")
    supported = np.linspace(0.5, 3, 48)[:24]  # where the fake has confidence
    for percent in (5, 25, 50, 75, 95):
        assert float(row[f"radius_p{percent:02d}"]) == pytest.approx(
            np.percentile(supported, percent), abs=0.05
        )
    assert float(row["fraction_in_focus"]) == pytest.approx((supported <= 1).mean(), abs=1e-4)
    assert (row["photo"], row["name"], row["width"], row["height"]) == (str(photo), "photo.png", "48", "40")
    assert (row["edge_count"], row["depth_edge_count"], row["mean_confidence"]) == ("10", "3", "0.375")
    assert float(row["seconds"]) >= 0 and row["error"] == row["warning"] == ""


def test_summary_is_empty_where_nothing_is_known(tmp_path, photo, monkeypatch):
    def unsupported(*args, **kwargs):
        result = fake_estimate(*args, **kwargs)
        result.confidence[:] = 0
        return result

    monkeypatch.setattr(jaxblur, "estimate", unsupported)
    assert run("estimate", photo, "--output", tmp_path / "out") == 0
    (row,) = summary(tmp_path / "out")
    assert row["radius_p50"] == row["fraction_in_focus"] == "" and row["mean_confidence"] == "0.0"


def test_overlay(tmp_path, photo):
    assert run("estimate", photo, "--output", tmp_path / "out", "--overlay") == 0
    overlay = images.read_image(tmp_path / "out" / "photo.png_overlay.png")
    assert (overlay == (255, 70, 85)).all(-1).sum() > 3


def test_folders_and_photos_are_done_once_each_under_their_own_names(tmp_path, rng):
    for name in ("a/x.jpg", "b/x.png", "b/y.tif", "b/y_2.png"):
        make_photo(tmp_path / name, rng)
    (tmp_path / "b" / "notes.txt").write_text("no photo")
    out = tmp_path / "out"
    assert (
        run("estimate", tmp_path / "a" / "x.jpg", tmp_path / "b", tmp_path / "b" / "x.png", "--output", out)
        == 0
    )
    assert [row["name"] for row in summary(out)] == ["x", "x.png", "y.tif", "y_2.png"]
    assert [Path(row["photo"]).name for row in summary(out)] == ["x.jpg", "x.png", "y.tif", "y_2.png"]
    assert {path.stem for path in out.glob("*.npz")} == {"x", "x.png", "y.tif", "y_2.png"}


def test_edge_map(tmp_path, photo, rng, capfd):
    edges = rng.random(SIZE) < 0.1
    cv2.imwrite(str(tmp_path / "edges.png"), edges * np.uint8(255))
    out = tmp_path / "out"
    assert run("estimate", photo, "--output", out, "--edges", tmp_path / "edges.png") == 0
    with np.load(out / "photo.png.npz") as arrays:
        assert arrays["edges"][edges].all()
    other = make_photo(tmp_path / "other.png", rng, (30, 48))
    assert run("estimate", other, "--output", out, "--edges", tmp_path / "edges.png") == 2
    assert run("estimate", photo, "--output", out, "--edges", tmp_path / "missing.png") == 2
    assert run("estimate", photo, other, "--output", out, "--edges", tmp_path / "edges.png") == 2
    size, missing, several = capfd.readouterr().err.splitlines()
    assert size.endswith("edges.png: the edge map is 48x40 px, but the photo is 48x30 px")
    assert missing.endswith("missing.png: No such file or directory")
    assert "an edge map belongs to one photo, but 2 were given" in several


def test_progress_bar_on_a_terminal_only(tmp_path, photo, capfd, monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # rich: treat the stream as a terminal
    assert run("estimate", photo, "--output", tmp_path / "out") == 0
    assert "100%" in capfd.readouterr().err
