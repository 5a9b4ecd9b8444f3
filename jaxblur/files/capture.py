"""When a photo was taken, as its file says."""

import datetime
import warnings
from pathlib import Path

from PIL import ExifTags, Image

from jaxblur.files import decode, kinds


def capture_time(path: Path) -> datetime.datetime | None:
    """The time of capture by the clock of the camera, with fractions of a second where the file has them.

    Time zones are left out: cameras seldom know theirs, and photos of one burst have the same.

    Args:
      path: of a photo.

    Returns:
      None if the file does not say, or cannot be read.
    """
    try:
        with warnings.catch_warnings(action="ignore"), _open(path) as picture:
            exif = picture.getexif().get_ifd(ExifTags.IFD.Exif)
        taken = exif.get(ExifTags.Base.DateTimeOriginal)
        time = datetime.datetime.strptime(str(taken).strip("\0 "), "%Y:%m:%d %H:%M:%S")
        fraction = str(exif.get(ExifTags.Base.SubsecTimeOriginal, "")).strip("\0 ")
        return time + datetime.timedelta(seconds=float(f"0.{fraction}") if fraction.isdecimal() else 0.0)
    except Exception:  # damaged data may raise nearly anything, and the photo is still one without a time
        return None


def _open(path: Path) -> Image.Image:
    with open(path, "rb") as file:
        kind = kinds.kind_of(path, file.read(kinds.HEAD))
    return decode.open_heic(path.read_bytes()) if kind == "HEIC" else Image.open(path)
