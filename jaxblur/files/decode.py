"""Bytes of one picture to an array: OpenCV for most, Pillow for TIFF of 8 bits or less, AVIF and HEIC.

Pillow reduces colours of 16 bits to 8 and passes over damaged Huffman codes of a JPEG; OpenCV blends the alpha channel
of an 8-bit TIFF into its colours.
"""

import contextlib
import io
import os
import re
import threading
import warnings
from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image, ImageOps

from jaxblur.files import tiff
from jaxblur.files.header import Damaged

# libjpeg goes on after these and fills the rest of the picture with grey.
_DAMAGE = re.compile(
    r"premature end|bad huffman code|instead of RST|invalid SOS|unsupported marker", re.IGNORECASE
)
_MAX_MESSAGES = 1 << 16  # bytes
_stderr_lock = threading.Lock()

BROKEN = "is damaged, cut off or of a kind that cannot be decoded"


def decode_with_opencv(data: bytes) -> np.ndarray:
    """(H, W) or (H, W, 3) RGB array of the file's type, upright, without alpha.

    Raises:
      Damaged: it cannot be decoded whole.
      MemoryError: the picture does not fit.
    """
    content = np.frombuffer(data, np.uint8)
    with _captured_stderr() as messages:
        try:
            image = cv2.imdecode(content, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
            if image is None and data[:2] in (b"II", b"MM"):  # float values only in the layout of the file
                image = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
        except cv2.error as error:
            if error.code == cv2.Error.StsNoMem:
                raise MemoryError("there is not enough memory for this picture") from error
            image = None
    if image is None or _DAMAGE.search("".join(messages)):
        raise Damaged(BROKEN)
    if image.dtype == np.float64:
        with np.errstate(over="ignore"):  # it becomes infinity, which is refused
            image = image.astype(np.float32)
    if image.ndim == 3:
        image = np.ascontiguousarray(image[..., :3])
        cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)
    return image


def decode_tiff(data: bytes, described: tiff.Tiff) -> np.ndarray:
    """As `decode_with_opencv`, for a TIFF that `tiff.read_tiff` does not refuse."""
    if described.bits <= 8:
        from PIL.TiffImagePlugin import TiffImageFile

        # Warnings and messages are of tags that are damaged but not needed, and of errors that are raised as well.
        with warnings.catch_warnings(action="ignore"), _captured_stderr():
            return decode_opened(_open(TiffImageFile, data))
    image = decode_with_opencv(data)
    return np.iinfo(image.dtype).max - image if described.photometric == tiff.WHITE_IS_ZERO else image


def open_avif(data: bytes) -> Image.Image:
    """An AVIF whose size is known and whose pixels are not decoded yet.

    Raises:
      Damaged: its header cannot be read.
      ModuleNotFoundError: this Pillow comes without AVIF.
    """
    from PIL import features
    from PIL.AvifImagePlugin import AvifImageFile

    if not features.check("avif"):
        raise ModuleNotFoundError("AVIF needs a Pillow that was built with it: pip install pillow")
    return _open(AvifImageFile, data)


def open_heic(data: bytes) -> Image.Image:
    """A HEIC whose size is known and whose pixels are not decoded yet; errors as for `open_avif`."""
    try:
        from pi_heif.as_plugin import HeifImageFile
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'HEIC needs pi-heif, which the extra heic brings: pip install "jaxblur[heic]"'
        ) from error
    return _open(HeifImageFile, data)


def decode_opened(picture: Image.Image) -> np.ndarray:
    """(H, W) or (H, W, 3) RGB uint8 array, upright, without alpha.

    Raises:
      Damaged: it cannot be decoded whole.
    """
    with _as_damage():
        picture = ImageOps.exif_transpose(picture)
        if picture.mode in ("1", "LA", "La"):
            picture = picture.convert("L")
        elif picture.mode not in ("L", "RGB"):
            picture = picture.convert("RGB")
        return np.array(picture)


def _open(factory: type[Image.Image], data: bytes) -> Image.Image:
    with _as_damage():  # the class itself, as Image.open warns above a limit of its own
        return factory(io.BytesIO(data))  # pyright: ignore[reportCallIssue]


@contextlib.contextmanager
def _as_damage() -> Iterator[None]:
    """What Pillow raises on damaged files, which may be nearly anything, as `Damaged`."""
    try:
        yield
    except (MemoryError, ModuleNotFoundError):
        raise
    except Exception as error:
        raise Damaged(BROKEN) from error


@contextlib.contextmanager
def _captured_stderr() -> Iterator[list[str]]:
    """Collect what C libraries write to stderr: libjpeg and libpng report there, and nowhere else.

    File descriptor 2 belongs to the whole process, hence the lock. A pipe and a thread need no room on the disk.
    """
    messages = list[bytes]()
    found = list[str]()
    with _stderr_lock:
        reader, writer = os.pipe()

        def drain() -> None:
            size = 0
            while part := os.read(reader, 4096):
                if size < _MAX_MESSAGES:
                    messages.append(part)
                    size += len(part)

        thread = threading.Thread(target=drain, name="stderr", daemon=True)
        thread.start()
        try:
            stderr = os.dup(2)
        except OSError:  # the process has none
            stderr = None
        try:
            os.dup2(writer, 2)
            yield found
        finally:
            if stderr is None:
                os.close(2)
            else:
                os.dup2(stderr, 2)
                os.close(stderr)
            os.close(writer)
            thread.join()
            os.close(reader)
            found.append(b"".join(messages).decode(errors="replace"))
