import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from jaxblur.files import images


@pytest.fixture
def photo(rng) -> np.ndarray:
    """(40, 48, 3) uint8 RGB, smooth enough for JPEG to keep."""
    noise = rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX)  # pyright: ignore


def encode(suffix: str, image: np.ndarray, *options: int) -> bytes:
    """Encode an RGB(A) or grey array without going through the code under test."""
    if image.ndim == 3:
        image = np.concatenate([image[..., 2::-1], image[..., 3:]], axis=-1)
    ok, encoded = cv2.imencode(suffix, image, options)
    assert ok
    return encoded.tobytes()


def with_exif_orientation(jpeg: bytes, orientation: int) -> bytes:
    ifd = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 274, 3, 1, orientation, 0) + bytes(4)
    segment = b"Exif\0\0" + ifd
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


def as_unit(image: np.ndarray) -> np.ndarray:
    return image / {"uint8": 255, "uint16": 65535, "float32": 1}[image.dtype.name]


UNCOMPRESSED = (cv2.IMWRITE_TIFF_COMPRESSION, 1)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_lossless_formats_are_read_exactly(tmp_path, photo, suffix):
    path = tmp_path / f"photo{suffix}"
    path.write_bytes(encode(suffix, photo))
    image = images.read_image(path)
    assert image.dtype == np.uint8 and image.flags.c_contiguous
    np.testing.assert_array_equal(image, photo)


def test_jpeg_and_webp_are_read_within_their_loss(tmp_path, photo):
    for suffix in (".jpg", ".webp"):
        path = tmp_path / f"photo{suffix}"
        path.write_bytes(encode(suffix, photo))
        assert np.abs(images.read_image(path).astype(int) - photo).max() < 40


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("alpha", [False, True])
def test_16_bit_keeps_its_depth_and_agrees_with_8_bit(tmp_path, photo, suffix, alpha):
    deep = photo.astype(np.uint16) * 257 + np.uint16(100) * (photo < 255)
    path = tmp_path / f"photo{suffix}"
    path.write_bytes(encode(suffix, np.dstack([deep, deep[..., :1]]) if alpha else deep))
    image = images.read_image(path)
    np.testing.assert_array_equal(image, deep)
    assert np.abs(as_unit(image) - as_unit(photo)).max() < 1 / 255


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", ["grey", "colour", "alpha"])
def test_float_tiff_agrees_with_8_bit(tmp_path, photo, dtype, layout):
    unit = (photo / 255).astype(dtype)
    shown = {"grey": unit[..., 0], "colour": unit, "alpha": np.dstack([unit, unit[..., :1]])}[layout]
    path = tmp_path / "photo.tiff"
    path.write_bytes(encode(".tiff", shown, *UNCOMPRESSED))
    image = images.read_image(path)
    expected = np.dstack([unit[..., 0]] * 3) if layout == "grey" else unit
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["grey.png", "grey16.png", "grey.tif", "grey.bmp"])
def test_grey_is_repeated_over_three_channels(tmp_path, photo, name):
    grey = photo[..., 0].astype(np.uint16) * 257 if "16" in name else photo[..., 0]
    (tmp_path / name).write_bytes(encode(Path(name).suffix, grey))
    np.testing.assert_array_equal(images.read_image(tmp_path / name), np.dstack([grey] * 3))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_alpha_is_dropped(tmp_path, photo, suffix):
    path = tmp_path / f"photo{suffix}"
    path.write_bytes(encode(suffix, np.dstack([photo, np.full((40, 48), 128, np.uint8)])))
    np.testing.assert_array_equal(images.read_image(path), photo)


@pytest.mark.parametrize("orientation, turns", [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_orientation_is_applied(tmp_path, photo, orientation, turns):
    jpeg = encode(".jpg", photo)
    (tmp_path / "plain.jpg").write_bytes(jpeg)
    (tmp_path / "turned.jpg").write_bytes(with_exif_orientation(jpeg, orientation))
    plain, turned = (images.read_image(tmp_path / f"{name}.jpg") for name in ("plain", "turned"))
    np.testing.assert_array_equal(turned, np.rot90(plain, turns))


def test_first_page_of_several(tmp_path, photo):
    cv2.imwritemulti(str(tmp_path / "pages.tif"), [photo[..., ::-1], photo[:20]])
    np.testing.assert_array_equal(images.read_image(tmp_path / "pages.tif"), photo)


def test_bytes_after_the_picture_are_harmless(tmp_path, photo):
    jpeg = encode(".jpg", photo)
    (tmp_path / "a.jpg").write_bytes(jpeg)
    (tmp_path / "b.jpg").write_bytes(jpeg + b"\0\xff\xd8 appended by the camera")
    np.testing.assert_array_equal(
        images.read_image(tmp_path / "a.jpg"), images.read_image(tmp_path / "b.jpg")
    )


def test_truncation_at_any_length_is_refused(tmp_path, rng, capfd):
    noise = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    thumbnail = with_exif_orientation(encode(".jpg", noise), 1)
    progressive = encode(".jpg", noise, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    for suffix, data in [(".jpg", thumbnail), (".jpg", progressive), (".png", encode(".png", noise))]:
        path = tmp_path / f"cut{suffix}"
        for share in (0.002, 0.1, 0.5, 0.9, 0.99):
            path.write_bytes(data[: int(share * len(data))])
            with pytest.raises(ValueError, match=r"^\S+cut\.(jpg|png): .*(cut off|not a picture)"):
                images.read_image(path)
        path.write_bytes(data[:-1])
        with pytest.raises(ValueError, match="cut off"):
            images.read_image(path)
    assert capfd.readouterr() == ("", "")  # no noise of libjpeg or libpng


def test_truncated_jpeg_is_found_though_its_thumbnail_is_whole(tmp_path, photo):
    jpeg, thumbnail = encode(".jpg", photo), encode(".jpg", photo[:8, :8])
    segment = b"Exif\0\0" + thumbnail
    cut = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:-20]
    assert b"\xff\xd9" in cut
    (tmp_path / "cut.jpg").write_bytes(cut)
    with pytest.raises(ValueError, match="this JPEG is cut off"):
        images.read_image(tmp_path / "cut.jpg")


def test_jpeg_with_too_little_data_is_refused_though_it_ends_properly(tmp_path, rng, capfd):
    jpeg = encode(".jpg", rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    (tmp_path / "half.jpg").write_bytes(jpeg[: len(jpeg) // 2] + b"\xff\xd9")
    with pytest.raises(ValueError, match="this JPEG is damaged"):
        images.read_image(tmp_path / "half.jpg")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "name, data, message",
    [
        ("empty.png", b"", r"empty \(0 bytes\)"),
        ("text.jpg", b"hello, I am a text\n" * 20, "not a picture"),
        ("nan.tif", encode(".tif", np.full((4, 4), np.nan, np.float32), *UNCOMPRESSED), "NaN or infinite"),
        ("inf.tif", encode(".tif", np.full((4, 4, 3), np.inf, np.float32), *UNCOMPRESSED), "NaN or infinite"),
        ("range.tif", encode(".tif", np.full((4, 4), 255, np.float32), *UNCOMPRESSED), "from 255 to 255"),
        ("negative.tif", encode(".tif", np.full((4, 4), -1, np.float32), *UNCOMPRESSED), "from -1 to -1"),
        ("int.tif", encode(".tif", np.ones((4, 4), np.int32), *UNCOMPRESSED), "32-bit"),
    ],
)
def test_bad_photos_are_refused_with_the_reason(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        images.read_image(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ") and "\n" not in str(caught.value)


def test_missing_photo(tmp_path):
    with pytest.raises(FileNotFoundError):
        images.read_image(tmp_path / "missing.jpg")


@pytest.mark.parametrize("on", [1, 255, 65535])
def test_edge_map_of_any_two_values(tmp_path, rng, on):
    edges = rng.random((9, 7)) < 0.3
    values = (edges * on).astype(np.uint16 if on > 255 else np.uint8)
    (tmp_path / "edges.png").write_bytes(encode(".png", values))
    read = images.read_edges(tmp_path / "edges.png", (9, 7))
    assert read.dtype == bool
    np.testing.assert_array_equal(read, edges)


def test_edge_map_of_another_size_or_of_many_values_is_refused(tmp_path, rng):
    path = tmp_path / "edges.png"
    path.write_bytes(encode(".png", np.zeros((9, 7), np.uint8)))
    assert not images.read_edges(path, (9, 7)).any()
    with pytest.raises(ValueError, match="the edge map is 7x9 px, but the photo is 9x7 px"):
        images.read_edges(path, (7, 9))
    path.write_bytes(encode(".png", rng.integers(0, 256, (9, 7), dtype=np.uint8)))
    with pytest.raises(ValueError, match="two values"):
        images.read_edges(path, (9, 7))


def test_find_photos(tmp_path):
    for name in ("b.JPG", "a.png", "c.txt", ".hidden.png"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [p.name for p in images.find_photos(tmp_path)] == ["a.png", "b.JPG"]
    with pytest.raises(ValueError, match="no photo"):
        images.find_photos(tmp_path / "folder.png")
