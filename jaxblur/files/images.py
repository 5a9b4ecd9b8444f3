"""Photos and edge maps in.

A file that cannot be read raises OSError; one that is no good, ValueError with a line starting with its path.
"""

import os
import stat
from pathlib import Path
from typing import IO

import numpy as np

from jaxblur.files import decode, header, kinds, tiff
from jaxblur.files.header import Damaged, Header
from jaxblur.files.kinds import PHOTO_SUFFIXES, PICTURE_SUFFIXES
from jaxblur.files.names import shown

__all__ = ["MAX_PIXELS", "PHOTO_SUFFIXES", "find_photos", "read_edges", "read_image"]

MAX_PIXELS = 250_000_000
"""Pixels that a picture may declare unless the caller allows more."""

# A file may be larger than its picture by metadata, previews and other pages, but is read only up to this.
_BYTES_PER_PIXEL, _OTHER_BYTES = 40, 100_000_000


def find_photos(folder: Path) -> list[Path]:
    """Pictures directly inside `folder`, by suffix, sorted by name; hidden files are left out.

    Those of kinds that are known but not read are among them: `read_image` says why.

    Raises:
      OSError: the folder cannot be listed.
      ValueError: it holds no picture.
    """
    photos = sorted(
        p
        for p in folder.iterdir()
        if p.suffix.lower() in PICTURE_SUFFIXES and p.name[0] != "." and not p.is_dir()
    )
    if not photos:
        raise ValueError(f"{shown(folder)}: this folder holds no photo ({', '.join(PHOTO_SUFFIXES)})")
    return photos


def read_image(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read a photo upright and in colour, at the bit depth of the file.

    JPEG, PNG (8 and 16 bit), TIFF (8 and 16 bit, float in [0, 1]), WebP, BMP, AVIF and, with the extra `heic`, HEIC
    (as 8 bit). EXIF orientation is applied, grey is repeated over three channels, alpha is dropped, and of several
    pages or frames the first is taken. Colour profiles are ignored: values are taken to be sRGB-encoded.

    Args:
      path: the file.
      max_pixels: a file that declares more is refused before it is decoded.

    Returns:
      (H, W, 3) RGB array: uint8, uint16, or float32 in [0, 1].

    Raises:
      OSError: the file cannot be read.
      ValueError: it is empty, not a picture or of a kind that is not read, damaged or cut off, changed meanwhile, too
        large, or holds values that are no photo's.
    """
    image = _read(path, max_pixels)
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=-1)
    if image.dtype in (np.uint8, np.uint16):
        return np.ascontiguousarray(image)
    if not np.isfinite(image).all():
        raise ValueError(f"{shown(path)}: holds NaN or infinite values; float photos must lie in [0, 1]")
    low, high = float(image.min()), float(image.max())
    if low < 0 or high > 1:
        raise ValueError(
            f"{shown(path)}: holds values from {low:g} to {high:g}; float photos must lie in [0, 1]"
        )
    return np.ascontiguousarray(image, dtype=np.float32)


def read_edges(path: str | Path, size: tuple[int, int], *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read an edge map: a picture of two values, 0 and "edge".

    Args:
      path: the file, PNG as a rule.
      size: (H, W) of the photo it belongs to.
      max_pixels: as for `read_image`.

    Returns:
      (H, W) bool array, True on edges.

    Raises:
      OSError: the file cannot be read.
      ValueError: it is no picture, has another size than the photo, or more than two values.
    """
    values = _read(path, max_pixels)
    if values.shape[:2] != size:
        (h, w), (photo_h, photo_w) = values.shape[:2], size
        raise ValueError(
            f"{shown(path)}: the edge map is {w}x{h} px, but the photo is {photo_w}x{photo_h} px"
        )
    values = values.reshape(*size, -1)
    edges = (values != 0).any(-1)
    if edges.any() and (values[edges] != values[edges][0]).any():
        raise ValueError(
            f"{shown(path)}: an edge map has two values, 0 and one other; this has more (a JPEG, or smoothed?)"
        )
    return edges


def _read(path: str | Path, max_pixels: int) -> np.ndarray:
    """Decode the first picture of a file, (H, W) or (H, W, 3) RGB, or raise with the reason why not."""
    try:
        mode = os.stat(path).st_mode
    except ValueError as error:  # a null byte, which no name can hold
        raise ValueError(f"{shown(path)}: {error}") from error
    if not stat.S_ISREG(mode):  # a pipe may never end
        raise ValueError(f"{shown(path)}: this is not a file")
    with open(path, "rb") as file:
        head = file.read(kinds.HEAD)
        if not head:
            raise ValueError(f"{shown(path)}: the file is empty (0 bytes)")
        kind = kinds.kind_of(path, head)
        if kind is None:
            raise ValueError(f"{shown(path)}: not a picture; its content is none of {', '.join(kinds.READ)}")
        try:
            if kind in kinds.REFUSED:
                raise _Refused(f"is not read: {kinds.REFUSED[kind]}")
            return _read_kind(kind, file, max_pixels)
        except (Damaged, _Refused, ModuleNotFoundError) as error:
            name = f"{kind} file" if kind in kinds.REFUSED else kind
            says = f"this {name} {error}" if not isinstance(error, ModuleNotFoundError) else str(error)
            raise ValueError(f"{shown(path)}: {says}") from error


class _Refused(Exception):
    """A file that is whole and not read; the text completes "this TIFF ..."."""


_HEADERS = {
    "JPEG": (header.read_jpeg, header.check_jpeg),
    "PNG": (header.read_png, header.check_png),
    "WebP": (header.read_webp, header.check_webp),
    "BMP": (header.read_bmp, header.check_bmp),
}


def _read_kind(kind: str, file: IO[bytes], max_pixels: int) -> np.ndarray:
    if kind == "TIFF":
        described = tiff.read_tiff(file)
        if described.is_raw:
            raise _Refused(
                f"begins with a thumbnail or raw values, as camera raw files do: {kinds.REFUSED['camera raw']}"
            )
        size = _check_size(Header(described.width, described.height), max_pixels)
        if described.refusal:
            raise _Refused(f"is not read: {described.refusal}")
        image = decode.decode_tiff(_content(file, size), described)
    elif kind in _HEADERS:
        read, check = _HEADERS[kind]
        size = _check_size(read(file), max_pixels)
        image = decode.decode_with_opencv(check(_content(file, size), size))
    else:
        data = _content(file, Header(0, 0))  # it tells its size only as a whole
        picture = decode.open_avif(data) if kind == "AVIF" else decode.open_heic(data)
        size = _check_size(Header(*picture.size), max_pixels)
        image = decode.decode_opened(picture)
    if image.shape[:2] not in ((size.height, size.width), (size.width, size.height)):
        raise Damaged("is damaged: its picture has another size than it declares")
    return image


def _check_size(size: Header, max_pixels: int) -> Header:
    if size.width < 1 or size.height < 1:
        raise Damaged("is damaged: it declares a picture without pixels")
    if size.width * size.height > max_pixels:
        raise _Refused(
            f"declares {size.width}x{size.height} px, more than {max_pixels / 1e6:g} megapixels; "
            "--max-pixels (max_pixels in Python) allows more"
        )
    return size


def _content(file: IO[bytes], size: Header) -> bytes:
    """All bytes of the file."""
    before = os.fstat(file.fileno())
    if before.st_size > _BYTES_PER_PIXEL * size.width * size.height + _OTHER_BYTES:
        raise _Refused(f"has {before.st_size / 1e6:.0f} MB, far more than its first picture can need")
    file.seek(0)
    data = file.read(before.st_size)
    after = os.fstat(file.fileno())
    if len(data) != before.st_size or (before.st_size, before.st_mtime_ns) != (
        after.st_size,
        after.st_mtime_ns,
    ):
        raise _Refused("changed while it was read")
    return data
