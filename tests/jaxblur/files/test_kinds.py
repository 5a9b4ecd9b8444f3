"""Every kind of picture file is read as what it shows, or refused with the reason."""

import os
import struct

import numpy as np
import pytest

from jaxblur.files import images, kinds
from tests.fuzz import seeds

PHOTO = seeds.photo()
GREY = np.dstack([PHOTO[..., 1]] * 3)
BILEVEL = None  # dithered: what it shows is compared by its mean only
SHOWN = {
    "grey": GREY,
    "white_is_zero": GREY,
    "runs": GREY,
    "grey1.": BILEVEL,
    "bilevel": BILEVEL,
    "fax": BILEVEL,
    "turned": np.rot90(PHOTO, 3),
    "exif": np.rot90(PHOTO, 3),
}
LOSSY = (".jpg", ".webp", ".avif", ".heic")
READABLE, REFUSED = seeds.readable(), seeds.refused()


def as_unit(image):
    return image / {"uint8": 255, "uint16": 65535, "float32": 1}[image.dtype.name]


@pytest.mark.parametrize("name", READABLE)
def test_what_is_read_is_what_the_picture_shows(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(READABLE[name])
    image = images.read_image(path)
    shown = next((SHOWN[start] for start in sorted(SHOWN, reverse=True) if name.startswith(start)), PHOTO)
    if shown is BILEVEL:
        assert set(np.unique(image)) == {0, 255} and abs(image.mean() - GREY.mean()) < 5
        return
    lossy = name.endswith(LOSSY) or name.startswith(("palette", "jpeg"))
    assert np.abs(as_unit(image) - as_unit(shown)).mean() < (0.02 if lossy else 1e-4)
    assert image.dtype == ("float32" if "float" in name else "uint16" if "16" in name else "uint8")


@pytest.mark.parametrize("name", REFUSED)
def test_whole_pictures_of_other_kinds_are_refused_with_the_reason(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(REFUSED[name])
    with pytest.raises(ValueError) as caught:
        images.read_image(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: this ") and "\n" not in text
    assert "damaged" not in text and ("is not read: " in text or "begins with a thumbnail" in text)
    if name.startswith("camera") or "thumbnail" in name or "dng" in name:
        assert "camera raw file" in text and "develop it" in text


def test_the_content_counts_and_not_the_suffix(tmp_path):
    (tmp_path / "photo.heic").write_bytes(READABLE["baseline.jpg"])
    assert images.read_image(tmp_path / "photo.heic").shape == PHOTO.shape
    (tmp_path / "photo.jpg").write_bytes(READABLE["photo.avif"])
    assert images.read_image(tmp_path / "photo.jpg").shape == PHOTO.shape


def test_a_folder_names_all_its_pictures(tmp_path):
    listed = ["a.HEIC", "b.avif", "c.gif", "d.jp2", "e.NEF", "f.dng", "g.cr2", "h.arw", "i.JPG"]
    for name in (*listed, "notes.txt", "film.mov", ".hidden.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "z.png").symlink_to("gone.png")
    assert [path.name for path in images.find_photos(tmp_path)] == [*listed, "z.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="this folder holds no photo"):
        images.find_photos(tmp_path / "empty")


def test_every_kind_is_read_or_refused():
    assert set(kinds.READ) == {"JPEG", "PNG", "TIFF", "WebP", "BMP", "AVIF", "HEIC"}
    assert not set(kinds.READ) & set(kinds.REFUSED)
    assert set(kinds.PHOTO_SUFFIXES) < set(kinds.PICTURE_SUFFIXES)


def test_heic_without_its_extra_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pi_heif.as_plugin", None)
    (tmp_path / "photo.heic").write_bytes(READABLE["photo.heic"])
    with pytest.raises(ValueError, match=r"photo.heic: HEIC needs pi-heif, .*jaxblur\[heic\]"):
        images.read_image(tmp_path / "photo.heic")


def test_size_beyond_the_limit_is_refused_before_decoding(tmp_path, monkeypatch):
    monkeypatch.setattr(images.decode, "decode_with_opencv", None)
    monkeypatch.setattr(images.decode, "decode_tiff", None)
    monkeypatch.setattr(images.decode, "decode_opened", None)
    for name in (
        "baseline.jpg",
        "rgb8.png",
        "rgb8.tif",
        "lossy.webp",
        "lossless.webp",
        "alpha.webp",
        "rgb.bmp",
    ):
        path = tmp_path / name
        path.write_bytes(READABLE[name])
        with pytest.raises(ValueError, match=r"declares 48x40 px, more than 0.001 megapixels; --max-pixels"):
            images.read_image(path, max_pixels=1000)
    for name in ("photo.avif", "photo.heic"):
        (tmp_path / name).write_bytes(READABLE[name])
        with pytest.raises(ValueError, match="declares 48x40 px"):
            images.read_edges(tmp_path / name, (40, 48), max_pixels=1919)


def test_a_picture_at_the_limit_is_read(tmp_path):
    (tmp_path / "a.png").write_bytes(READABLE["rgb8.png"])
    assert images.read_image(tmp_path / "a.png", max_pixels=40 * 48).shape == PHOTO.shape


def declared(width, height):
    return struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)


def chunk_too_long(png: bytes) -> bytes:
    return png[:33] + b"\xf0\0\0\0" + png[37:]


@pytest.mark.parametrize(
    "name, data, reason",
    [
        ("length.png", chunk_too_long(READABLE["rgb8.png"]), "declares more bytes than the file has"),
        ("bomb.png", seeds.png(declared(15000, 15000), b"\0" * 9999), "bytes cannot hold the picture"),
        ("none.png", seeds.png(declared(0, 10), b""), "declares a picture without pixels"),
        (
            "checksum.png",
            READABLE["rgb8.png"][:-20] + b"\0" + READABLE["rgb8.png"][-19:],
            "checksum is wrong",
        ),
        (
            "size.jpg",
            READABLE["baseline.jpg"].replace(b"\x08\0\x28\0\x30", b"\x08\x20\0\x20\0"),
            "cannot hold",
        ),
        ("cut.webp", READABLE["lossy.webp"][:-9], "cut off"),
        ("cut.bmp", READABLE["rgb.bmp"][:-9], "cut off"),
        ("cut.tif", READABLE["rgb16.tif"][:-9], "beyond the end of the file"),
        ("cut.avif", READABLE["photo.avif"][:-99], "damaged, cut off"),
        ("cut.heic", READABLE["photo.heic"][:-99], "damaged, cut off"),
        ("no_frame.jpg", b"\xff\xd8\xff\xd9", "has no picture"),
        ("garbage.jpg", b"\xff\xd8\xff\xe0\0\2" + bytes(1 << 17), "lost in other bytes"),
    ],
)
def test_what_a_file_cannot_hold_is_refused_before_decoding(tmp_path, monkeypatch, name, data, reason):
    if not name.endswith((".avif", ".heic")):
        monkeypatch.setattr(images.decode, "decode_with_opencv", None)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=reason) as caught:
        images.read_image(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: this ")


def test_a_file_that_is_far_larger_than_its_picture_is_refused(tmp_path):
    path = tmp_path / "stack.tif"
    path.write_bytes(READABLE["rgb8.tif"])
    os.truncate(path, 400_000_000)  # a hole: it takes no room on the disk
    with pytest.raises(ValueError, match="has 400 MB, far more than its first picture can need"):
        images.read_image(path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ValueError, match="pipe.jpg: this is not a file"):
        images.read_image(tmp_path / "pipe.jpg")


def test_a_photo_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "photo.png"
    path.write_bytes(READABLE["rgb8.png"])
    fstat, calls = os.fstat, []

    def growing(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            with open(path, "ab") as file:
                file.write(b"more")
        return fstat(descriptor)

    monkeypatch.setattr(images.os, "fstat", growing)
    with pytest.raises(ValueError, match="photo.png: this PNG changed while it was read"):
        images.read_image(path)


def test_decoding_needs_neither_stderr_nor_room_on_the_disk(tmp_path, rng, monkeypatch):
    """Damage that libjpeg only tells of is found in a process without stderr, and where no file can be made."""
    monkeypatch.setattr("tempfile.TemporaryFile", None)
    noise = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    jpeg = seeds._opencv(".jpg", noise)
    (tmp_path / "half.jpg").write_bytes(jpeg[: len(jpeg) // 2] + b"\xff\xd9")
    saved = os.dup(2)
    os.close(2)
    try:
        with pytest.raises(ValueError, match="this JPEG is damaged"):
            images.read_image(tmp_path / "half.jpg")
    finally:
        os.dup2(saved, 2)
        os.close(saved)
