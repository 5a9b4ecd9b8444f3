"""Small whole pictures of every kind that is read, and of kinds that are refused: what the fuzzer mutates."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL import Image

SIZE = (40, 48)
HEIC = Path(__file__).parents[1] / "golden" / "photo.heic"


def photo(size: tuple[int, int] = SIZE) -> np.ndarray:
    """(H, W, 3) uint8 RGB, smooth enough for JPEG to keep."""
    noise = np.random.default_rng(5).integers(0, 256, (*size, 3), dtype=np.uint8)
    blurred = cv2.GaussianBlur(noise, (0, 0), 4).astype(np.float32)
    low, high = blurred.min(), blurred.max()
    return ((blurred - low) * (255 / (high - low))).round().astype(np.uint8)


def exif(orientation: int, thumbnail: bytes = b"") -> bytes:
    """The content of an EXIF segment of a JPEG."""
    return b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHHI", 274, 3, 1, orientation, 0, 0) + thumbnail


def with_segment(jpeg: bytes, content: bytes) -> bytes:
    """A JPEG with one more APP1 segment at its start."""
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


def png(header: bytes, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of an IHDR, other chunks, and filtered rows."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def interlaced_png(image: np.ndarray) -> bytes:
    """An (H, W, 3) uint8 or uint16 picture as PNG in seven passes."""
    passes = [
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ]
    big = image.astype(image.dtype.newbyteorder(">"))
    rows = b"".join(
        b"\0" + row.tobytes() for top, left, down, right in passes for row in big[top::down, left::right]
    )
    h, w = image.shape[:2]
    return png(struct.pack(">IIBBBBB", w, h, 8 * image.dtype.itemsize, 2, 0, 0, 1), rows)


def rle_bmp(indices: np.ndarray) -> bytes:
    """An (H, W) picture of 256 greys as a run-length encoded BMP."""
    h, w = indices.shape
    rows = (
        b"".join(bytes(b for value in row for b in (1, value)) + b"\0\0" for row in indices[::-1]) + b"\0\1"
    )
    palette = b"".join(bytes((v, v, v, 0)) for v in range(256))
    info = struct.pack("<IiiHHIIiiII", 40, w, h, 1, 8, 1, len(rows), 2835, 2835, 256, 0)
    offset = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(rows), 0, 0, offset) + info + palette + rows


def _pillow(image: np.ndarray | Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    made = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    made.save(file, kind, **options)
    return file.getvalue()


def _opencv(suffix: str, image: np.ndarray, *options: int) -> bytes:
    if image.ndim == 3:
        image = np.concatenate([image[..., 2::-1], image[..., 3:]], axis=-1)
    ok, encoded = cv2.imencode(suffix, image, options)
    assert ok
    return encoded.tobytes()


def _tiff(image: np.ndarray, *, byteorder: str = "<", bigtiff: bool = False, **options) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file, byteorder=byteorder, bigtiff=bigtiff) as writer:  # pyright: ignore
        writer.write(image, metadata=None, **({"photometric": "rgb"} if image.ndim == 3 else {}) | options)
    return file.getvalue()


def readable(size: tuple[int, int] = SIZE) -> dict[str, bytes]:
    """File names and contents of pictures of an (H, W) that `read_image` reads; the HEIC is of `SIZE`."""
    rgb = photo(size)
    grey, deep = rgb[..., 1], rgb.astype(np.uint16) * 257 + np.uint16(3) * (rgb < 255)
    alpha = np.dstack([rgb, 255 - grey])
    unit = (rgb / 255).astype(np.float32)
    pil = Image.fromarray(rgb)
    palette = pil.quantize(200)
    jpeg = _opencv(".jpg", rgb)
    return {
        "baseline.jpg": jpeg,
        "progressive.jpg": _opencv(".jpg", rgb, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        "restarts.jpg": _opencv(".jpg", rgb, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
        "whole_colour.jpg": _pillow(rgb, "JPEG", subsampling=0, quality=97),
        "grey.jpg": _opencv(".jpg", grey),
        "cmyk.jpg": _pillow(pil.convert("CMYK"), "JPEG", quality=95),
        "exif.jpg": with_segment(jpeg, exif(6, _opencv(".jpg", rgb[:8, :8]))),
        "rgb8.png": _opencv(".png", rgb),
        "rgb16.png": _opencv(".png", deep),
        "grey8.png": _opencv(".png", grey),
        "grey16.png": _opencv(".png", deep[..., 1]),
        "grey1.png": _pillow(Image.fromarray(grey).convert("1"), "PNG"),
        "alpha8.png": _opencv(".png", alpha),
        "alpha16.png": _opencv(".png", np.dstack([deep, deep[..., 1]])),
        "grey_alpha.png": _pillow(Image.fromarray(grey).convert("LA"), "PNG"),
        "palette.png": _pillow(palette, "PNG"),
        "palette_transparent.png": _pillow(palette, "PNG", transparency=3),
        "interlaced8.png": interlaced_png(rgb),
        "interlaced16.png": interlaced_png(deep),
        "rgb8.tif": _tiff(rgb),
        "rgb16.tif": _tiff(deep),
        "rgb16_big_endian.tif": _tiff(deep, byteorder=">"),
        "big.tif": _tiff(rgb, bigtiff=True),
        "grey8.tif": _tiff(grey),
        "grey16.tif": _tiff(deep[..., 1]),
        "white_is_zero.tif": _tiff(255 - grey, photometric="miniswhite"),
        "white_is_zero16.tif": _tiff(65535 - deep[..., 1], photometric="miniswhite"),
        "alpha8.tif": _tiff(alpha, extrasamples=["unassalpha"]),
        "alpha16.tif": _tiff(np.dstack([deep, deep[..., 1]]), extrasamples=["unassalpha"]),
        "float32.tif": _tiff(unit),
        "float64.tif": _tiff(unit.astype(np.float64)),
        "grey_float.tif": _tiff(unit[..., 1]),
        "tiles8.tif": _tiff(rgb, tile=(16, 16)),
        "tiles16.tif": _tiff(deep, tile=(16, 16)),
        "strips.tif": _tiff(rgb, rowsperstrip=7),
        "planes8.tif": _tiff(np.moveaxis(rgb, -1, 0), planarconfig="separate"),
        "pages.tif": _tiff(np.stack([rgb, rgb])),
        "deflate.tif": _pillow(pil, "TIFF", compression="tiff_adobe_deflate"),
        "lzw.tif": _pillow(pil, "TIFF", compression="tiff_lzw"),
        "packbits.tif": _pillow(pil, "TIFF", compression="packbits"),
        "jpeg.tif": _pillow(pil, "TIFF", compression="jpeg"),
        "palette.tif": _pillow(palette, "TIFF"),
        "cmyk.tif": _pillow(pil.convert("CMYK"), "TIFF"),
        "bilevel.tif": _pillow(Image.fromarray(grey).convert("1"), "TIFF"),
        "fax.tif": _pillow(Image.fromarray(grey).convert("1"), "TIFF", compression="group4"),
        "turned.tif": _tiff(rgb, extratags=[(274, 3, 1, 6, True)]),
        "turned16.tif": _tiff(deep, extratags=[(274, 3, 1, 6, True)]),
        "turned_float.tif": _tiff(unit, extratags=[(274, 3, 1, 6, True)]),
        "lossy.webp": _opencv(".webp", rgb),
        "lossless.webp": _pillow(pil, "WEBP", lossless=True),
        "alpha.webp": _pillow(Image.fromarray(alpha), "WEBP"),
        "animated.webp": _pillow(pil, "WEBP", save_all=True, append_images=[pil.rotate(90)]),
        "rgb.bmp": _opencv(".bmp", rgb),
        "grey.bmp": _opencv(".bmp", grey),
        "palette.bmp": _pillow(palette, "BMP"),
        "bilevel.bmp": _pillow(Image.fromarray(grey).convert("1"), "BMP"),
        "runs.bmp": rle_bmp(grey),
        "photo.avif": _pillow(pil, "AVIF"),
        "photo.heic": HEIC.read_bytes(),
    }


def refused() -> dict[str, bytes]:
    """File names and contents of whole pictures that `read_image` refuses."""
    rgb = photo()
    deep, unit = rgb.astype(np.uint16) * 257, (rgb / 255).astype(np.float32)
    pil, thumbnail = Image.fromarray(rgb), np.ascontiguousarray(rgb[::4, ::4])
    reduced = _tiff(thumbnail, subfiletype=1)
    return {
        "picture.gif": _pillow(pil.quantize(200), "GIF"),
        "picture.jp2": _pillow(pil, "JPEG2000"),
        "picture.ppm": _pillow(pil, "PPM"),
        "picture.psd": b"8BPS" + bytes(60),
        "picture.jxl": b"\xff\x0a" + bytes(60),
        "camera.nef": reduced,
        "thumbnail.tif": reduced,
        "camera.dng": _tiff(rgb, extratags=[(50706, 1, 4, b"\1\4\0\0", True)]),
        "renamed_dng.tif": _tiff(rgb, extratags=[(50706, 1, 4, b"\1\4\0\0", True)]),
        "camera.arw": _tiff(rgb),
        "camera.cr2": b"II*\0\x10\0\0\0CR\2\0" + bytes(60),
        "camera.cr3": b"\0\0\0\x18ftypcrx " + bytes(60),
        "camera.raf": b"FUJIFILMCCD-RAW 0201" + bytes(60),
        "planes16.tif": _tiff(np.moveaxis(deep, -1, 0), planarconfig="separate"),
        "grey_alpha16.tif": _tiff(
            deep[..., :2], photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"]
        ),
        "half_float.tif": _tiff(unit.astype(np.float16)),
        "int32.tif": _tiff(rgb.astype(np.int32)),
        "signed8.tif": _tiff((rgb // 2).astype(np.int8)),
        "signed16.tif": _tiff(rgb.astype(np.int16)),
        "cmyk16.tif": _tiff(np.dstack([deep, deep[..., 1]]), photometric="separated"),
    }
