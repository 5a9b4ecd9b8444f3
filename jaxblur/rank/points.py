"""Where the fast pass asks the networks: a budget of points at edges, spread over the places of a photo with texture.

They are chosen on a reduced copy, about as large as the photo is looked at. There, each place shows its strongest edge,
the strongest that runs across that one, and how sharp they seem.
"""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Int, Shaped

from jaxblur.files.levels import full_range
from jaxblur.verdict import place_side

LOOK = 2000
"""About the longer side of the reduced copy, px."""

MAX_FACTOR = 6
"""The most that the photo is reduced, so that an edge is found again in it within so many px."""

_SIGMA = 2**0.5  # of the smoothing before the gradient, px, as for Canny's edges
_AROUND = 9  # side of the window in which the height of an edge is measured, px
_LEAST_HEIGHT = 0.06  # of an edge, 0 to 1; lower ones are noise, or say little
_ENOUGH_CROSSED = 12  # places where edges cross; with fewer, the others are read too
_CROSSING = 0.7  # cosine of the least angle between two edges that cross


class Points(NamedTuple):
    """Points of a photo at which it is read.

    Attributes:
      rows, columns: near an edge, px of the photo; the edge lies within `factor` px or so.
      place: number of the place in which each lies, from 0, in order; one or two points lie in a place.
      factor: how much the copy on which each was chosen is reduced.
      count: for each place, how many of the photo it stands for.
    """

    rows: Int[np.ndarray, " n"]
    columns: Int[np.ndarray, " n"]
    place: Int[np.ndarray, " n"]
    factor: Int[np.ndarray, " n"]
    count: Float[np.ndarray, " places"]


def choose_points(photo: Shaped[np.ndarray, "h w 3"], *, budget: int) -> Points:
    """At most `budget` points, two in a place: on edges that cross, as those along a motion say nothing of it.

    Only in photos with hardly any such places, the others count too, with one or two points each.

    If more places than that have texture, half of those that are taken seem sharpest, and the others are spread evenly
    over all that remain, from the sharpest to the softest.

    Args:
      photo: uint8, uint16, or float32 in [0, 1].
      budget: number of points, at least 4.
    """
    height, width = photo.shape[:2]
    factor = max(min(max(height, width) // LOOK, MAX_FACTOR), 1)
    edges = _find_edges(_brightness(reduce_by(photo, factor)))
    side = max(round(place_side(height * width) / factor), 1)
    first, second, seems = _strongest_of_places(edges, side)
    crossed = second[:, 0] >= 0
    if np.count_nonzero(crossed) >= _ENOUGH_CROSSED:
        first, second, seems = first[crossed], second[crossed], seems[crossed]
    order, count = _choose_places(seems, budget // 2)
    pairs = np.stack([first[order], second[order]], axis=1)  # (places, 2, 2)
    there = pairs[..., 0] >= 0
    rows, columns = (pairs[there] * factor + factor // 2).T
    place = np.nonzero(there)[0]
    return Points(rows, columns, place, np.full(len(place), factor), count)


def _choose_places(
    seems: Float[np.ndarray, " n"], most: int
) -> tuple[Int[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Which places are taken, by how sharp they seem, and how many each stands for."""
    order = np.argsort(-seems, kind="stable")
    if len(order) <= most:
        return order, np.ones(len(order))
    best, others = order[: most // 2], order[most // 2 :]
    taken = np.linspace(0, len(others) - 1, most - len(best)).round().astype(int)
    count = np.concatenate([np.ones(len(best)), np.full(len(taken), len(others) / len(taken))])
    return np.concatenate([best, others[taken]]), count


def reduce_by(photo: Shaped[np.ndarray, "h w 3"], factor: int) -> Shaped[np.ndarray, "h2 w2 3"]:
    """Means of squares of so many px; what is left over at the end of rows and columns is left out."""
    height, width = (max(length // factor, 1) for length in photo.shape[:2])
    if factor == 1:
        return photo
    whole = photo[: height * factor, : width * factor]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)


def _brightness(photo: Shaped[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    """V of HSV, 0 to 1."""
    red, green, blue = cv2.split(photo)
    value = cv2.max(cv2.max(red, green), blue)
    return value.astype(np.float32) / np.float32(full_range(value))


class _Edges(NamedTuple):
    """Pixels of a copy that lie on an edge, with all others 0.

    Attributes:
      down, right: gradient.
      slope: its magnitude.
      seems: how sharp: the slope by the height of the edge.
    """

    down: Float[np.ndarray, "h w"]
    right: Float[np.ndarray, "h w"]
    slope: Float[np.ndarray, "h w"]
    seems: Float[np.ndarray, "h w"]


def _find_edges(value: Float[np.ndarray, "h w"]) -> _Edges:
    """Where the gradient is the greatest around, and the edge not too low."""
    smooth = cv2.GaussianBlur(value, (0, 0), _SIGMA)
    down, right = (cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx, ksize=1) for dx in (0, 1))
    slope = cv2.magnitude(down, right)
    window = np.ones((_AROUND, _AROUND), np.uint8)
    height = cv2.dilate(smooth, window) - cv2.erode(smooth, window)
    greatest = cv2.dilate(slope, np.ones((3, 3), np.uint8))
    is_edge = (height >= _LEAST_HEIGHT) & (slope > 0) & (slope >= greatest)
    slope = np.where(is_edge, slope, np.float32(0))
    return _Edges(down, right, slope, slope / np.maximum(height, np.float32(_LEAST_HEIGHT)))


def _strongest_of_places(
    edges: _Edges, side: int
) -> tuple[Int[np.ndarray, "n 2"], Int[np.ndarray, "n 2"], Float[np.ndarray, " n"]]:
    """The two points of every square of so many px that has an edge, and how sharp it seems.

    Returns:
      Row and column of the strongest edge, and of the strongest that crosses it at more than 45 degrees, or -1; the
      lesser sharpness of the two.
    """
    down, across = (-(-length // side) for length in edges.slope.shape)
    padding = [
        (0, count * side - length) for count, length in zip((down, across), edges.slope.shape, strict=True)
    ]

    def squares(plane: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "n side2"]:
        blocks = np.pad(plane, padding).reshape(down, side, across, side)
        return blocks.swapaxes(1, 2).reshape(down * across, side * side)

    by_row, by_column, slope, seems = (squares(plane) for plane in edges)
    every = np.arange(len(slope))
    first = slope.argmax(1)
    along = by_row * by_row[every, first][:, None] + by_column * by_column[every, first][:, None]
    crossing = np.where(np.abs(along) < _CROSSING * slope * slope[every, first][:, None], slope, 0)
    second = crossing.argmax(1)
    crossed = crossing[every, second] > 0
    seems = np.where(crossed, np.minimum(seems[every, first], seems[every, second]), seems[every, first])

    def place(inner: Int[np.ndarray, " n"]) -> Int[np.ndarray, "n 2"]:
        return np.stack(
            [every // across * side + inner // side, every % across * side + inner % side], axis=1
        )

    found = slope[every, first] > 0
    return place(first)[found], np.where(crossed[:, None], place(second), -1)[found], seems[found]
