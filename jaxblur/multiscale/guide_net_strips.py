"""The guide network for photos too large for one program: its answer in a strip, from the points around it."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from jaxblur.image.pyramid import halve
from jaxblur.image.size import inside_mask
from jaxblur.image.strips import FramePoints, Strips, cover_rows
from jaxblur.multiscale.guide_net import REACH, SCALES, GuideNet

Rows = Callable[[int, int], Float[np.ndarray, "r w"]]
"""Gives the rows of a plane from the first number to before the second, as far as the plane has them."""


def gain_of_strip(
    points: Sequence[FramePoints],
    depth: Sequence[Float[np.ndarray, " _"]],
    parameters: dict[str, Any],
    strips: Strips,
    start: int,
) -> Float[np.ndarray, "r w"]:
    """`guide_net.guide_gain` of the photo's strip from row `start` on.

    Args:
      points: edge points of each scale, finest first.
      depth: probability of a depth edge at every point, in scan order.
      parameters: of the guide network.
      strips: how the photo is cut.
      start: first row of the strip.
    """
    # Rows of the half-size copy, the same number in all strips: those of the strip, and as far as they see.
    first, count = start // 2 - REACH, strips.rows // 2 + 1 + 2 * REACH
    width = strips.columns // 2
    planes = np.zeros((count, width, 2 * SCALES), np.float32)
    for scale, (own, values) in enumerate(zip(points[:SCALES], depth, strict=False)):

        def depth_rows(
            start: int, end: int, own: FramePoints = own, values: np.ndarray = values
        ) -> np.ndarray:
            return own.rows(values, start, end)

        for plane, rows_of in enumerate((own.mask_rows, depth_rows)):
            rows = _half_rows(rows_of, scale, max(first, 0), first + count)[:, :width]
            planes[max(-first, 0) :][: len(rows), : rows.shape[1], 2 * scale + plane] = rows
    gain = np.asarray(_answer(parameters, planes, np.int32(first), strips.size()))
    gain = gain[REACH:-REACH].repeat(2, axis=0).repeat(2, axis=1)[start % 2 :][: strips.rows]
    return strips.cut(np.pad(gain, ((0, 0), (0, strips.columns - gain.shape[1]))), 0)


def _half_rows(rows_of: Rows, scale: int, start: int, end: int) -> Float[np.ndarray, "r w2"]:
    """A plane of one scale as the half-size copy has it, as far as it has rows `start` to `end`."""
    if scale == 0:
        return np.asarray(halve(rows_of(2 * start, 2 * end)))  # type: ignore[arg-type]
    return cover_rows(rows_of, 2 ** (scale - 1), start, end)


@jax.jit
def _answer(
    parameters: dict[str, Any], planes: Float[Array, "r w c"], first: Int[Array, ""], size: Int[Array, " 2"]
) -> Float[Array, "r w"]:
    """What the guide network says of some rows of the half-size copy, the first of them maybe above it."""
    inside = inside_mask(planes.shape[:2], size // 2, first=(first, 0))
    return GuideNet().apply({"params": parameters}, planes, inside)  # type: ignore[return-value]
