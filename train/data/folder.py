"""A plain folder of photos, with `photos.csv` (licences) if it is there, and a bounded cache."""

import collections
import csv
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
UNKNOWN_LICENCE = "unknown"

_logger = logging.getLogger(__name__)


@runtime_checkable
class Photos(Protocol):
    """Photos by number. `names`, one for each, are stable: held-out photos are chosen by them."""

    names: Sequence[str]

    def load(self, index: int) -> np.ndarray | None:
        """The photo, (H, W, 3) RGB uint8, or None if it cannot be decoded; warns then."""
        ...

    def licence(self, index: int) -> str:
        """Licence of the photo, in the words of its source."""
        ...


class FolderPhotos:
    """All JPEG, PNG and TIFF files under a folder, at any depth, in the order of their paths.

    Args:
      folder: where to look. `photos.csv` in it, with the columns `file` (path inside the folder) and
        `licence`, is optional.
    Raises:
      FileNotFoundError: no such folder, or no photo in it.
      ValueError: `photos.csv` lacks a column.
    """

    def __init__(self, folder: Path):
        if not folder.is_dir():
            raise FileNotFoundError(f"photo folder {folder} does not exist")
        files = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        self.names: Sequence[str] = sorted(path.relative_to(folder).as_posix() for path in files)
        if not self.names:
            raise FileNotFoundError(f"photo folder {folder} has no photo in it ({', '.join(SUFFIXES)})")
        self._folder = folder
        self._licences = _read_licences(folder / "photos.csv")

    def load(self, index: int) -> np.ndarray | None:
        """The photo as stored (EXIF rotation ignored, so that outlines fit), (H, W, 3) RGB uint8, or None."""
        return decode((self._folder / self.names[index]).read_bytes(), self.names[index])

    def licence(self, index: int) -> str:
        """The licence column of `photos.csv`, "unknown" without one."""
        return self._licences.get(self.names[index], UNKNOWN_LICENCE)


def decode(encoded: bytes, name: str) -> np.ndarray | None:
    """Decodes an image file's bytes to (H, W, 3) RGB uint8; None, with one warning logged, if that fails."""
    try:
        image = cv2.imdecode(
            np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        )
    except cv2.error:  # an empty file, for one
        image = None
    if image is None:
        _logger.warning("skipping %s: not a readable image", name)
        return None
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


class CachedPhotos:
    """Photos that are decoded once, as long as they fit into `max_bytes`; the least used leave first.

    May be shared by threads.
    """

    def __init__(self, photos: Photos, max_bytes: int):
        self.names = photos.names
        self.licence = photos.licence
        self._photos = photos
        self._max_bytes = max_bytes
        self._bytes = 0
        self._decoded: collections.OrderedDict[int, np.ndarray] = collections.OrderedDict()
        self._unreadable: set[int] = set()
        self._lock = threading.Lock()

    def load(self, index: int) -> np.ndarray | None:
        """See `Photos.load`. The array is read-only."""
        with self._lock:
            if index in self._unreadable:
                return None
            if index in self._decoded:
                self._decoded.move_to_end(index)
                return self._decoded[index]
        image = self._photos.load(index)
        with self._lock:
            if image is None:
                self._unreadable.add(index)
                return None
            image.flags.writeable = False
            if index not in self._decoded:
                self._decoded[index] = image
                self._bytes += image.nbytes
            while self._bytes > self._max_bytes and len(self._decoded) > 1:
                self._bytes -= self._decoded.popitem(last=False)[1].nbytes
        return image


def _read_licences(path: Path) -> dict[str, str]:
    """Licence by file name; empty without a table."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = {"file", "licence"} - set(reader.fieldnames or ())
        if missing:
            raise ValueError(
                f"{path} must have the columns file and licence, lacks {', '.join(sorted(missing))}"
            )
        return {row["file"]: row["licence"] for row in reader}
