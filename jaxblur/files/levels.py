"""How much of its range a picture uses, and stretching it to the whole.

A microscope's 12 bits in a 16-bit file, or a frame exposed far too short, has nearly no contrast as it stands.
"""

from typing import Any, Literal, TypeAlias

import numpy as np

Levels: TypeAlias = tuple[float, float] | Literal["auto"]
"""Values that become black and white, in the units of the file; or "auto": `used_range`."""

NARROW = 1 / 8
"""A picture is narrow whose values fill less than this fraction of its range."""

_OUTLIERS = 1e-4  # fraction of the values at each end that do not count: hot and dead pixels
_SAMPLE = 4_000_000  # values that are looked at, at most


def used_range(image: np.ndarray) -> tuple[float, float]:
    """The least and the largest value of a picture, but for one in ten thousand at each end.

    Args:
      image: (H, W) or (H, W, C), integers or floats; of large ones every n-th row and column is looked at.
    """
    step = max(1, int((image.size / _SAMPLE) ** 0.5))
    values = np.sort(image[::step, ::step], axis=None)
    skipped = int(_OUTLIERS * values.size)
    return float(values[skipped]), float(values[-1 - skipped])


def full_range(image: np.ndarray) -> float:
    """The value of white: 255, 65,535, or 1 for floats."""
    return float(np.iinfo(image.dtype).max) if np.issubdtype(image.dtype, np.integer) else 1.0


def is_narrow(image: np.ndarray) -> bool:
    """Whether the values of a picture fill less than `NARROW` of its range, so that few edges can be found."""
    low, high = used_range(image)
    return high - low < NARROW * full_range(image)


def stretch(image: np.ndarray, levels: Levels) -> np.ndarray:
    """A picture whose black and white are at the given levels, clipped beyond.

    Args:
      image: (H, W) or (H, W, C), uint8, uint16, or float in [0, 1].
      levels: (black, white), or "auto"; a picture of one value stays as it is with "auto".

    Returns:
      uint16 of integers, float32 of floats; the shape stays.

    Raises:
      TypeError: neither "auto" nor two numbers.
      ValueError: black is not below white, or one of them is not finite.
    """
    if isinstance(levels, str) and levels == "auto":
        levels = used_range(image)
        if levels[0] == levels[1]:
            levels = 0.0, full_range(image)
    black, white = check_levels(levels)
    whole = np.issubdtype(image.dtype, np.integer)
    # In 64 bits: in 32, levels that are far apart are infinite, and those that are close are one, and both make NaN.
    scaled = np.arange(np.iinfo(image.dtype).max + 1.0) if whole else image.astype(np.float64)
    with np.errstate(over="ignore"):
        scaled -= black
        scaled /= white - black
    np.clip(scaled, 0, 1, out=scaled)
    return (scaled * 65535).round().astype(np.uint16)[image] if whole else scaled.astype(np.float32)


def check_levels(levels: Any) -> tuple[float, float]:
    """The two levels as floats; TypeError unless they are two numbers, ValueError unless black < white, both finite."""
    try:
        black, white = (float(level) for level in levels)
    except (TypeError, ValueError) as error:
        got = " ".join(repr(levels).split())
        raise TypeError(f'levels must be two numbers, black and white, or "auto", got {got[:60]}') from error
    if not (np.isfinite([black, white]).all() and black < white):
        raise ValueError(f"levels must be a black below a white, both finite, got {black:g} and {white:g}")
    return black, white
