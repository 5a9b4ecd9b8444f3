"""The sharpness of one photo and of objects in it, from a budget of points."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from jaxblur.config import Precision
from jaxblur.network.weights import Weights
from jaxblur.rank.points import Points, choose_points
from jaxblur.rank.read import Run, Views, cut_views, read_views
from jaxblur.verdict import Sharpness, check_boxes, judge

PHOTO_POINTS = 192
"""Points that are read in a photo, at most, unless the caller says otherwise."""

OBJECT_POINTS = 32
"""Points that are read in an object, at most."""


class Prepared(NamedTuple):
    """What is kept of a photo to measure it: little, whatever its size.

    Attributes:
      longer_side: of the photo, px.
      views: around all points, see `cut_views`.
      place: number of the place in which each point lies, over all parts.
      parts: of every place: 0 for the photo as a whole, from 1 on for its boxes.
      count: how many places of its part each stands for.
      boxes: number of boxes.
    """

    longer_side: int
    views: list[Views]
    place: Int[np.ndarray, " n"]
    parts: Int[np.ndarray, " places"]
    count: Float[np.ndarray, " places"]
    boxes: int


def prepare(
    photo: Shaped[np.ndarray, "h w 3"],
    weights: Weights,
    *,
    boxes: Sequence[Sequence[float]] = (),
    budget: int = PHOTO_POINTS,
) -> Prepared:
    """Choose points of a photo and cut out what is around them.

    Args:
      photo: uint8, uint16, or float32 in [0, 1].
      weights: of the networks that will read them.
      boxes: (left, top, width, height) of objects, px; see `verdict.check_boxes`.
      budget: points of the photo as a whole, at most.

    Raises:
      ValueError: a box is wrong.
    """
    chosen = [choose_points(photo, budget=budget)]
    for box in check_boxes(boxes, photo.shape[:2]) if len(boxes) else ():
        left, top = (int(value) for value in np.floor(box[:2]))
        right, bottom = (int(value) for value in np.ceil(box[:2] + box[2:]))
        inner = choose_points(photo[top:bottom, left:right], budget=OBJECT_POINTS)
        chosen.append(inner._replace(rows=inner.rows + top, columns=inner.columns + left))
    places = [len(points.count) for points in chosen]
    before = np.cumsum([0, *places[:-1]])
    points = Points(*(np.concatenate(values) for values in zip(*chosen, strict=True)))
    place = points.place + np.repeat(before, [len(own.place) for own in chosen])
    parts = np.repeat(np.arange(len(chosen)), places)
    views = cut_views(photo, points, weights)
    return Prepared(max(photo.shape[:2]), views, place, parts, points.count, len(boxes))


def measure(
    prepared: Prepared, weights: Weights, *, view: float, precision: Precision = "float32", run: Run = map
) -> tuple[Sharpness, list[Sharpness]]:
    """The sharpness of a photo, and of each of its boxes.

    Args:
      prepared: from `prepare`.
      weights: networks, and parameters of the fusion.
      view: longer side at which the photo is looked at, px.
      precision: see `jaxblur.Config`.
      run: `map`, or that of a pool of threads.
    """
    read = read_views(prepared.views, weights, precision=precision, run=run)
    radius = np.full(len(prepared.count), -np.inf)
    np.fmax.at(radius, prepared.place, read)  # a place is as sharp as the blurrier of its edges

    def of_part(part: int) -> Sharpness:
        chosen = (prepared.parts == part) & np.isfinite(radius)
        return judge(
            radius[chosen], longer_side=prepared.longer_side, view=view, count=prepared.count[chosen]
        )

    return of_part(0), [of_part(1 + box) for box in range(prepared.boxes)]
