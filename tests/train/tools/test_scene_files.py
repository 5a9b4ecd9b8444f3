import cv2
import numpy as np
import pytest

from tests.train.tiny import write_photos
from train.tools import scene_files


def test_scenes_become_a_data_set(tmp_path):
    photos, out = write_photos(tmp_path), tmp_path / "out"
    arguments = ["--photos", str(photos), "--output", str(out), "--count", "2"]
    assert scene_files.main([*arguments, "--view-size", "40", "--max-radius", "3"]) == 0
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*.*")) == [
        "image/0000.png",
        "image/0001.png",
        "map/0000.npy",
        "map/0001.npy",
    ]
    images = [cv2.imread(str(path)) for path in sorted((out / "image").iterdir())]
    maps = [np.load(path) for path in sorted((out / "map").iterdir())]
    assert all(image.shape == (40, 40, 3) and image.std() > 3 for image in images)
    assert all(m.dtype == np.float32 and m.shape == (40, 40) and 0 <= m.min() and m.max() <= 3 for m in maps)
    assert not np.array_equal(*images) and not np.array_equal(*maps)


@pytest.mark.parametrize(("extra", "message"), [(["--count", "0"], "count"), (["--photos", "none"], "none")])
def test_bad_input_is_one_line(extra, message, tmp_path, capsys):
    photos = write_photos(tmp_path)
    assert scene_files.main(["--photos", str(photos), "--output", str(tmp_path / "out"), *extra]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and message in captured.err
