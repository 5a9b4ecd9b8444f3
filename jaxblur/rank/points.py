"""Where the fast pass asks the networks: a budget of points at edges, spread over the places of a photo with texture.

They are chosen on a reduced copy, about as large as the photo is looked at. There, each place shows its strongest edge
and how sharp it seems.
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


class Points(NamedTuple):
    """Points of a photo at which it is read.

    Attributes:
      rows, columns: near an edge, px of the photo; the edge lies within `factor` px or so.
      count: how many places of the photo each stands for.
      factor: how much the copy on which each was chosen is reduced.
    """

    rows: Int[np.ndarray, " n"]
    columns: Int[np.ndarray, " n"]
    count: Float[np.ndarray, " n"]
    factor: Int[np.ndarray, " n"]


def choose_points(photo: Shaped[np.ndarray, "h w 3"], *, budget: int) -> Points:
    """At most `budget` points, one in a place.

    If more places than that have texture, half of the points are in those that seem sharpest, and the others are spread
    evenly over all that remain, from the sharpest to the softest.

    Args:
      photo: uint8, uint16, or float32 in [0, 1].
      budget: number of points, at least 2.
    """
    height, width = photo.shape[:2]
    factor = max(min(max(height, width) // LOOK, MAX_FACTOR), 1)
    look = reduce_by(photo, factor)
    slope, seems = _edge_measures(_brightness(look))
    side = max(round(place_side(height * width) / factor), 1)
    rows, columns = _strongest_of_places(np.where(seems > 0, slope, 0), side)
    seems = seems[rows, columns]
    order = np.argsort(-seems, kind="stable")
    best, others = order[: budget // 2], order[budget // 2 :]
    count = np.ones(len(order))
    if len(order) > budget:
        taken = np.linspace(0, len(others) - 1, budget - len(best)).round().astype(int)
        count[others] = len(others) / len(taken)
        order = np.concatenate([best, others[taken]])
    middle = factor // 2
    at_edges = (rows[order] * factor + middle, columns[order] * factor + middle)
    return Points(*at_edges, count[order], np.full(len(order), factor))


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


def _edge_measures(
    value: Float[np.ndarray, "h w"],
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Gradient of every pixel, and that gradient by the height of the edge: how sharp it seems, 0 without an edge."""
    smooth = cv2.GaussianBlur(value, (0, 0), _SIGMA)
    down, right = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=1), cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=1)
    slope = cv2.magnitude(down, right)
    window = np.ones((_AROUND, _AROUND), np.uint8)
    height = cv2.dilate(smooth, window) - cv2.erode(smooth, window)
    return slope, np.where(height >= _LEAST_HEIGHT, slope / np.maximum(height, _LEAST_HEIGHT), 0)


def _strongest_of_places(
    strength: Float[np.ndarray, "h w"], side: int
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Row and column of the greatest strength in every square of so many px; squares without any are left out."""
    down, across = (-(-length // side) for length in strength.shape)
    padded = np.zeros((down * side, across * side), np.float32)
    padded[: strength.shape[0], : strength.shape[1]] = strength
    squares = padded.reshape(down, side, across, side).swapaxes(1, 2).reshape(down * across, side * side)
    inner = squares.argmax(1)
    found = np.flatnonzero(squares[np.arange(len(squares)), inner] > 0)
    rows = found // across * side + inner[found] // side
    return rows, found % across * side + inner[found] % side
