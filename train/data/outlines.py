"""Objects cut out of photos along their outlines, as foreground layers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

from train.data import crops, shapes
from train.data.folder import Photos

_RIM = np.ones((5, 5), np.uint8)


@runtime_checkable
class Cutouts(Protocol):
    """Objects by number, each on one photo."""

    def __len__(self) -> int: ...

    def photo(self, number: int) -> int:
        """Index of the object's photo."""
        ...

    def boundary(self, number: int) -> np.ndarray:
        """Points on the outline, (N, 2) float (row, col) in px of the photo."""
        ...

    def coverage(self, number: int, region: crops.Region, size: int) -> np.ndarray:
        """How much of each pixel the object covers, of the region reduced to (size, size), uint8, 255 = all."""
        ...


class PolygonCutouts:
    """Outlines as polygons, from a JSON file.

    Args:
      path: {"instances": [{"file": path in the photo folder, "segmentation": polygons}, ...]}, a polygon
        being [x0, y0, x1, y1, ...] in px.
      photos: where the files are; each photo with outlines is decoded once to check that they fit.
    Raises:
      ValueError: no such JSON, a file that is not among the photos, or an outline that leaves its photo.
    """

    def __init__(self, path: Path, photos: Photos):
        self._polygons: list[list[np.ndarray]] = []
        self._photos: list[int] = []
        index_of = {name: index for index, name in enumerate(photos.names)}
        for file, polygons in _read(path):
            if file not in index_of:
                raise ValueError(
                    f"outline file {path} does not match the photos: it names {file}, which is not there"
                )
            image = photos.load(index_of[file])
            if image is None:
                continue
            corners = np.concatenate(polygons)
            inside = (corners >= -1) & (corners <= np.array(image.shape[1::-1]) + 1)  # False for NaN
            if not inside.all():
                size = f"{image.shape[1]}x{image.shape[0]}"
                raise ValueError(
                    f"outline file {path} does not match the photos: an outline leaves {file} ({size} px)"
                )
            self._photos.append(index_of[file])
            self._polygons.append(polygons)

    def __len__(self) -> int:
        return len(self._photos)

    def photo(self, number: int) -> int:
        """See `Cutouts.photo`."""
        return self._photos[number]

    def boundary(self, number: int) -> np.ndarray:
        """See `Cutouts.boundary`; the points are the polygons' corners."""
        return np.concatenate(self._polygons[number])[:, ::-1]

    def coverage(self, number: int, region: crops.Region, size: int) -> np.ndarray:
        """See `Cutouts.coverage`."""
        corner, scale = np.array([region.left, region.top]), size / region.side
        return shapes.fill([(polygon - corner) * scale for polygon in self._polygons[number]], size)


def region_across(
    rng: np.random.Generator, boundary: np.ndarray, shape: tuple[int, ...], side: int
) -> crops.Region:
    """A square region with a random point of the outline in its middle half, as far as the photo allows."""
    point = boundary[rng.integers(len(boundary))]
    corner = np.floor(point - side * rng.uniform(0.25, 0.75, size=2)).astype(int)
    top, left = np.clip(corner, 0, np.array(shape[:2]) - side)
    return crops.Region(int(top), int(left), side)


def core(alpha: np.ndarray) -> np.ndarray:
    """Pixels that are surely the object's own, (S, S) bool: the rim of a hand-drawn outline is mixed."""
    return cv2.erode(np.where(alpha == 255, 1, 0).astype(np.uint8), _RIM, borderValue=1) > 0


def extended(crop: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Replaces what is not the object by its nearest pixels: no colour of its old surroundings is left.

    Args:
      crop: (S, S, 3) uint8.
      inside: (S, S) bool, the object's own pixels; at least one.
    Returns:
      (S, S, 3) uint8, equal to `crop` inside.
    """
    outside = np.where(inside, 0, 1).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    labels = np.asarray(labels, np.intp)
    nearest = np.zeros(labels.max() + 1, np.intp)
    nearest[labels[inside]] = np.flatnonzero(inside)
    return crop.reshape(-1, 3)[nearest[labels]]


def _read(path: Path) -> Sequence[tuple[str, list[np.ndarray]]]:
    """(file, polygons (N, 2) in (x, y)) of every instance."""
    try:
        instances = json.loads(path.read_text(encoding="utf-8"))["instances"]
        return [
            (one["file"], [np.asarray(polygon, float).reshape(-1, 2) for polygon in one["segmentation"]])
            for one in instances
            if one["segmentation"]
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"outline file {path} is not readable: {type(error).__name__}: {error}") from error
