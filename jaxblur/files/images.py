"""Photos and edge maps in, decoded with OpenCV.

A file that cannot be read raises OSError; one that is no good, ValueError with a line starting with its path.
"""

import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

PHOTO_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""What counts as a photo inside a folder; a file named outright is always tried."""

_SIGNATURES = (
    ("JPEG", re.compile(rb"\xff\xd8\xff")),
    ("PNG", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("TIFF", re.compile(rb"II[*+]\0|MM\0[*+]")),
    ("WebP", re.compile(rb"RIFF....WEBP", re.DOTALL)),
    ("BMP", re.compile(rb"BM")),
)
# In a JPEG's entropy-coded data, 0xff precedes 0 (a data byte), 0xd0..0xd7 (a restart) or the next marker.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# libjpeg goes on after these and fills the rest of the picture with grey.
_DAMAGE = re.compile(
    r"premature end|bad huffman code|instead of RST|invalid SOS|unsupported marker", re.IGNORECASE
)
_stderr_lock = threading.Lock()


def find_photos(folder: Path) -> list[Path]:
    """Photos directly inside `folder`, by suffix, sorted by name; hidden files are left out.

    Raises:
      OSError: the folder cannot be listed.
      ValueError: it holds no photo.
    """
    photos = sorted(
        p for p in folder.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES and p.is_file() and p.name[0] != "."
    )
    if not photos:
        raise ValueError(f"{folder}: this folder holds no photo ({', '.join(PHOTO_SUFFIXES)})")
    return photos


def read_image(path: str | Path) -> np.ndarray:
    """Read a photo upright and in colour, at the bit depth of the file.

    JPEG, PNG (8 and 16 bit), TIFF (8 and 16 bit, float in [0, 1]), WebP and BMP. EXIF orientation is applied,
    grey is repeated over three channels, alpha is dropped, and of several pages or frames the first is taken.
    Colour profiles are ignored: values are taken to be sRGB-encoded.

    Args:
      path: the file.

    Returns:
      (H, W, 3) RGB array: uint8, uint16, or float32 in [0, 1].

    Raises:
      OSError: the file cannot be read.
      ValueError: it is empty, not an image, damaged or cut off, or holds values that are no photo's.
    """
    image = _decode(path, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    image = np.dstack([image] * 3) if image.ndim == 2 else image[..., 2::-1]  # to RGB, without alpha
    if image.dtype in (np.uint8, np.uint16):
        return np.ascontiguousarray(image)
    if image.dtype not in (np.float32, np.float64):
        raise ValueError(f"{path}: holds {image.dtype} values; 8-bit, 16-bit or float ones are needed")
    if not np.isfinite(image).all():
        raise ValueError(f"{path}: holds NaN or infinite values; float photos must lie in [0, 1]")
    low, high = float(image.min()), float(image.max())
    if low < 0 or high > 1:
        raise ValueError(f"{path}: holds values from {low:g} to {high:g}; float photos must lie in [0, 1]")
    return np.ascontiguousarray(image, dtype=np.float32)


def read_edges(path: str | Path, size: tuple[int, int]) -> np.ndarray:
    """Read an edge map: an image of two values, 0 and "edge".

    Args:
      path: the file, PNG as a rule.
      size: (H, W) of the photo it belongs to.

    Returns:
      (H, W) bool array, True on edges.

    Raises:
      OSError: the file cannot be read.
      ValueError: it is no image, has another size than the photo, or more than two values.
    """
    values = _decode(path, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    if values.shape != size:
        (h, w), (photo_h, photo_w) = values.shape, size
        raise ValueError(f"{path}: the edge map is {w}x{h} px, but the photo is {photo_w}x{photo_h} px")
    edges = values != 0
    if edges.any() and np.ptp(values[edges]) != 0:
        raise ValueError(
            f"{path}: an edge map has two values, 0 and one other; this has more (a JPEG, or smoothed?)"
        )
    return edges


def _decode(path: str | Path, flags: int) -> np.ndarray:
    """Decode the first picture of a file, or raise with the reason why not."""
    data = Path(path).read_bytes()
    if not data:
        raise ValueError(f"{path}: the file is empty (0 bytes)")
    kind = next((name for name, signature in _SIGNATURES if signature.match(data)), None)
    if kind is None:
        raise ValueError(
            f"{path}: not an image; its content is none of {', '.join(name for name, _ in _SIGNATURES)}"
        )
    if kind == "JPEG" and not _jpeg_is_complete(data):
        raise ValueError(f"{path}: this JPEG is cut off: the file ends before the picture does")
    with _captured_stderr() as messages:
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
            if image is None and kind == "TIFF":  # float values are only decoded in the layout of the file
                image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:  # for instance more pixels than OpenCV allows
            image = None
    if image is None or _DAMAGE.search("".join(messages)):
        raise ValueError(f"{path}: this {kind} is damaged, cut off or of a kind that OpenCV cannot decode")
    return image


def _jpeg_is_complete(data: bytes) -> bool:
    """Whether the marker segments of a JPEG lead to its end-of-image marker.

    OpenCV 4 decodes a JPEG that was cut off without a word, the missing part grey. To look for the marker
    anywhere is not enough, as the thumbnail in the EXIF segment has one too.
    """
    position = 2
    while True:
        marker = _NEXT_MARKER.search(data, position)
        if marker is None:
            return False
        code = data[marker.start() + 1]
        if code == 0xD9:  # end of image
            return True
        position = marker.end()
        if code not in (0x01, 0xD8):  # those two have no content; all others start with its length
            position += int.from_bytes(data[position : position + 2], "big")


@contextlib.contextmanager
def _captured_stderr() -> Iterator[list[str]]:
    """Collect what C libraries write to stderr: libjpeg and libpng report there, and nowhere else.

    File descriptor 2 belongs to the whole process, hence the lock.
    """
    messages = list[str]()
    with _stderr_lock, tempfile.TemporaryFile() as capture:
        stderr = os.dup(2)
        try:
            os.dup2(capture.fileno(), 2)
            yield messages
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            capture.seek(0)
            messages.append(capture.read().decode(errors="replace"))
