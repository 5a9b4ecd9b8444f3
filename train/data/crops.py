"""Random crops of a photo: where, how much reduced, how turned, and with what colours."""

import dataclasses

import cv2
import numpy as np


@dataclasses.dataclass(frozen=True)
class Region:
    """A square of a photo: first row, first column and side, px."""

    top: int
    left: int
    side: int


def side_range(
    shape: tuple[int, ...], size: int, scale_range: tuple[float, float], longest_side: int
) -> tuple[int, int] | None:
    """Smallest and largest side, px, of regions that make crops of `size` px; None for too small a photo.

    Scales count from the photo reduced to `longest_side`: pixels of large photos are softer.
    """
    shortest, longest = min(shape[:2]), max(shape[:2])
    reduction = max(1.0, longest / longest_side)
    smallest = max(size, round(size / scale_range[1] * reduction))
    largest = round(size / scale_range[0] * reduction)
    return (smallest, min(largest, shortest)) if smallest <= shortest else None


def random_side(rng: np.random.Generator, sides: tuple[int, int], size: int) -> int:
    """A side between the two, drawn so that the scale size / side is uniform; scales from 0.7 to 1 become 1.

    Averaging over areas little larger than a pixel mixes neighbours, and blurs a perfectly sharp photo to a
    disk radius of about 0.7 px at scales 0.75 to 0.97 (measured on steps; about 0.5 px at scales up to 0.7).
    """
    side = round(1 / rng.uniform(1 / (sides[1] + 0.499), 1 / (sides[0] - 0.499)))
    return size if side < size / 0.7 else side


def random_region(rng: np.random.Generator, shape: tuple[int, ...], side: int) -> Region:
    """A square of `side` px anywhere inside a photo of that shape."""
    return Region(int(rng.integers(shape[0] - side + 1)), int(rng.integers(shape[1] - side + 1)), side)


def cut(image: np.ndarray, region: Region, size: int) -> np.ndarray:
    """The region of an (H, W, ...) uint8 image, reduced to (size, size, ...) by area averaging."""
    window = image[region.top : region.top + region.side, region.left : region.left + region.side]
    if region.side == size:
        return window.copy()
    return cv2.resize(window, (size, size), interpolation=cv2.INTER_AREA)


def random_turn(rng: np.random.Generator, *images: np.ndarray) -> tuple[np.ndarray, ...]:
    """The square images, all mirrored and turned by quarters in the same random way (one of 8)."""
    quarters, mirrored = int(rng.integers(4)), bool(rng.integers(2))
    turned = (np.rot90(image[:, ::-1] if mirrored else image, quarters) for image in images)
    return tuple(np.ascontiguousarray(image) for image in turned)


def recolour(
    rng: np.random.Generator, crop: np.ndarray, *, probability: float, grey_probability: float
) -> np.ndarray:
    """Changes the colours of (H, W, 3) uint8 mildly with `probability`, and to grey with `grey_probability`.

    A change is a curve of gamma-encoded values per channel: gamma 0.8 to 1.25, contrast 0.75 to 1.2 about the middle,
    brightness -0.1 to 0.1, channel gains 0.9 to 1.1. Curves act on each pixel alone, so they move no edge.
    """
    if rng.random() < grey_probability:
        crop = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < probability:
        value = np.linspace(0, 1, 256)[:, None]
        curve = value ** np.exp(rng.uniform(-0.223, 0.223))
        curve = (curve - 0.5) * rng.uniform(0.75, 1.2) + 0.5 + rng.uniform(-0.1, 0.1)
        curve = curve * rng.uniform(0.9, 1.1, size=3)
        table = np.rint(255 * np.clip(curve, 0, 1)).astype(np.uint8)
        crop = cv2.LUT(crop, table[None])
    return crop
