"""Where the fast pass asks the networks: a budget of points at edges, spread over the places of a photo with texture.

They are chosen on a reduced copy, about as large as the photo is looked at. There, each place shows its strongest edges
of several directions, and how sharp they seem.
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
_DIRECTIONS = 4  # of edges that are told apart: those across a motion are blurred, those along it are not
_MANY, _ENOUGH = 3, 12  # directions of the edges of a place that tells much; places of that kind that suffice


class Points(NamedTuple):
    """Points of a photo at which it is read.

    Attributes:
      rows, columns: near an edge, px of the photo; the edge lies within `factor` px or so.
      place: number of the place in which each lies, from 0, in order.
      factor: how much the copy on which each was chosen is reduced.
      count: for each place, how many of the photo it stands for.
    """

    rows: Int[np.ndarray, " n"]
    columns: Int[np.ndarray, " n"]
    place: Int[np.ndarray, " n"]
    factor: Int[np.ndarray, " n"]
    count: Float[np.ndarray, " places"]


def choose_points(photo: Shaped[np.ndarray, "h w 3"], *, budget: int) -> Points:
    """About `budget` points: in a place, one on an edge of each direction, as those along a motion say nothing of it.

    Places with edges of at least three directions are taken, or of fewer where a photo has hardly any such places. If
    there are more than the budget allows, half of those that are taken seem sharpest, and the others are spread evenly
    over all that remain, from the sharpest to the softest.

    Args:
      photo: uint8, uint16, or float32 in [0, 1].
      budget: number of points, at least 16.
    """
    height, width = photo.shape[:2]
    factor = max(min(max(height, width) // LOOK, MAX_FACTOR), 1)
    edges = _find_edges(_brightness(reduce_by(photo, factor)))
    side = max(round(place_side(height * width) / factor), 1)
    rows, columns, seems = _strongest_of_places(edges, side)
    directions = np.count_nonzero(rows >= 0, axis=1)
    telling = directions >= _least_directions(directions)
    rows, columns, seems = rows[telling], columns[telling], seems[telling]
    most = max(round(budget / directions[telling].mean()), 1) if telling.any() else 0
    order, count = _choose_places(seems, most)
    rows, columns = rows[order], columns[order]
    there = rows >= 0
    place = np.nonzero(there)[0]
    at_edges = (rows[there] * factor + factor // 2, columns[there] * factor + factor // 2)
    return Points(*at_edges, place, np.full(len(place), factor), count)


def _least_directions(directions: Int[np.ndarray, " n"]) -> int:
    """How many directions the edges of a place must have, so that there are enough such places."""
    for least in range(_MANY, 1, -1):
        if np.count_nonzero(directions >= least) >= _ENOUGH:
            return least
    return 1


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
      direction: of the gradient, as a number: 0 within 22.5 degrees of the columns, then on in steps of 45 degrees.
      slope: magnitude of the gradient.
      seems: how sharp: the slope by the height of the edge.
    """

    direction: Int[np.ndarray, "h w"]
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
    direction = np.round(np.arctan2(down, right) * (_DIRECTIONS / np.pi)).astype(np.int8) % np.int8(
        _DIRECTIONS
    )
    return _Edges(direction, slope, slope / np.maximum(height, np.float32(_LEAST_HEIGHT)))


def _strongest_of_places(
    edges: _Edges, side: int
) -> tuple[Int[np.ndarray, "n k"], Int[np.ndarray, "n k"], Float[np.ndarray, " n"]]:
    """The strongest edge of every direction in every square of so many px, and how sharp the square seems.

    Returns:
      Rows and columns, -1 where there is no edge of a direction; the sharpness of the direction that seems blurriest.
      Squares without any edge are left out.
    """
    down, across = (-(-length // side) for length in edges.slope.shape)
    padding = [
        (0, count * side - length) for count, length in zip((down, across), edges.slope.shape, strict=True)
    ]

    def squares(plane: Shaped[np.ndarray, "h w"]) -> Shaped[np.ndarray, "n side2"]:
        blocks = np.pad(plane, padding).reshape(down, side, across, side)
        return blocks.swapaxes(1, 2).reshape(down * across, side * side)

    direction, slope, seems = (squares(plane) for plane in edges)
    every = np.arange(len(slope))
    own = [np.where(direction == number, slope, np.float32(0)) for number in range(_DIRECTIONS)]
    inner = np.stack([plane.argmax(1) for plane in own], axis=1)
    there = np.stack([plane[every, place] > 0 for plane, place in zip(own, inner.T, strict=True)], axis=1)
    blurriest = np.where(there, seems[every[:, None], inner], np.inf).min(1)
    rows = np.where(there, (every // across * side)[:, None] + inner // side, -1)
    columns = np.where(there, (every % across * side)[:, None] + inner % side, -1)
    found = there.any(1)
    return rows[found], columns[found], blurriest[found]
