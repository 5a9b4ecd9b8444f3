"""Ground truths and other methods' maps from files: arrays of any of the usual formats, and masks."""

from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import scipy.io

from jaxblur.files import images

MAP_SUFFIXES = (".npy", ".npz", ".mat", ".png", ".tif", ".tiff", ".bmp")
"""Formats of a map: arrays, or images of integers or floats. Lossy ones are not among them."""


def read_map(path: Path, *, key: str | None = None, as_score: bool = False) -> np.ndarray:
    """Read one 2-D array as it is stored.

    Args:
      path: .npy, .npz, .mat, or a grey image (8 or 16 bit, or float TIFF).
      key: name of the array in an .npz or .mat; None: the only one, or the one called "radius".
      as_score: divide integers by the largest that their type holds.

    Returns:
      (H, W) float32.

    Raises:
      OSError: the file cannot be read.
      ValueError: it is damaged, holds no such array, or one of another rank.
    """
    suffix = path.suffix.lower()
    if suffix == ".mat":
        values = _pick(path, {k: v for k, v in _load(path, scipy.io.loadmat).items() if k[:2] != "__"}, key)
    elif suffix == ".npz":
        values = _pick(path, dict(_load(path, np.load)), key)
    elif suffix == ".npy":
        values = _load(path, np.load)
    else:
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if values is None:
            raise ValueError(f"{path.name}: not an image, or damaged")
        if values.ndim == 3 and (values[..., :1] == values[..., :3]).all():  # grey, stored as colour
            values = values[..., 0]
    if values.ndim != 2:
        raise ValueError(f"{path.name}: the map must have 2 dimensions, got shape {values.shape}")
    if as_score and np.issubdtype(values.dtype, np.integer):
        return (values / np.iinfo(str(values.dtype)).max).astype(np.float32)
    return values.astype(np.float32)


def read_mask(path: Path, *, white: Literal["blurred", "sharp"]) -> np.ndarray:
    """A black and white image, cut at half its range, as float32 mask: 1 = out of focus."""
    image = images.read_image(path)[..., 0]
    is_white = image > np.iinfo(image.dtype).max / 2 if image.dtype != np.float32 else image > 0.5
    return (is_white if white == "blurred" else ~is_white).astype(np.float32)


def _load(path: Path, loader: Any) -> Any:
    try:
        return loader(path)
    except OSError:
        raise
    except Exception as error:  # these readers raise whatever a damaged file makes them stumble over
        raise ValueError(f"{path.name}: damaged, or not what its suffix says ({error})") from error


def _pick(path: Path, arrays: dict[str, Any], key: str | None) -> np.ndarray:
    if key is None:
        key = next(iter(arrays)) if len(arrays) == 1 else "radius"
    if key not in arrays:
        raise ValueError(f"{path.name}: has no array {key}, only {', '.join(sorted(arrays)) or 'none'}")
    return arrays[key]
