"""The time of capture."""

import datetime

import pytest
from PIL import Image

from jaxblur.files.capture import capture_time


def write(path, taken=None, fraction=None):
    exif = Image.Exif()
    exif[0x0110] = "camera"  # without it, Pillow takes the tags for none
    own = exif.get_ifd(0x8769)
    if taken is not None:
        own[0x9003] = taken
    if fraction is not None:
        own[0x9291] = fraction
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_time_with_fractions(tmp_path, name):
    path = write(tmp_path / name, "2026:05:01 12:30:15", "25")
    assert capture_time(path) == datetime.datetime(2026, 5, 1, 12, 30, 15, 250_000)


def test_heic(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2026:05:01 12:30:15"
    picture = pillow_heif.from_pillow(Image.new("RGB", (64, 64)))
    picture.save(tmp_path / "a.heic", exif=exif.tobytes())
    assert capture_time(tmp_path / "a.heic") == datetime.datetime(2026, 5, 1, 12, 30, 15)


@pytest.mark.parametrize("taken", [None, "", "0000:00:00 00:00:00", "yesterday"])
def test_no_time(tmp_path, taken):
    assert capture_time(write(tmp_path / "a.jpg", taken)) is None


def test_what_cannot_be_read_has_no_time(tmp_path):
    path = write(tmp_path / "a.jpg", "2026:05:01 12:30:15")
    (tmp_path / "cut.jpg").write_bytes(path.read_bytes()[:30])
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name in ("cut.jpg", "empty.jpg", "missing.jpg"):
        assert capture_time(tmp_path / name) is None
