"""Full frames as NumPy planes on the host, worked through in strips of rows by small compiled functions.

What bounds the memory of large photos: only strips reach the compiled functions. All strips of a photo have one
shape, and photos of about the same width share it, so each function is compiled rarely.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from jaxblur.image.size import round_up

Planes = tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]


class Strips(NamedTuple):
    """How a frame of `height` x `width` px is cut: strips of `rows` x `columns`, the last ones filled up with zeros."""

    height: int
    width: int
    rows: int
    columns: int

    @classmethod
    def of(cls, frame: Shaped[np.ndarray, "h w *c"], *, pixels: int) -> "Strips":
        """Strips of about `pixels` px each."""
        height, width = frame.shape[:2]
        columns = round_up(width)
        return cls(height, width, max(min(pixels // columns, round_up(height)), 1), columns)

    def starts(self) -> range:
        """First rows of all strips."""
        return range(0, self.height, self.rows)

    def size(self) -> Int[np.ndarray, " 2"]:
        """Height and width of the frame, for compiled functions."""
        return np.array([self.height, self.width], np.int32)

    def cut(self, frame: np.ndarray, start: int, *, above: int = 0, fill: float = 0) -> np.ndarray:
        """The strip from row `start` on, with `above` rows more before it; `fill` outside the frame."""
        first, shape = start - above, (self.rows + above, self.columns, *frame.shape[2:])
        part = frame[max(first, 0) : first + shape[0]]
        if part.shape == shape:
            return part
        strip = np.full(shape, fill, frame.dtype)
        skipped = max(-first, 0)
        strip[skipped : skipped + len(part), : self.width] = part
        return strip

    def put(self, frame: np.ndarray, start: int, strip: Any) -> None:
        """Write a strip into the frame, less what lies outside."""
        part = frame[start : start + self.rows]
        part[...] = np.asarray(strip)[: len(part), : self.width]


class FramePoints:
    """Some pixels of a frame, and values at them in scan order as strips of planes."""

    def __init__(self, chosen: Bool[np.ndarray, "h w"], strips: Strips):
        self.chosen, self.strips = chosen, strips
        self._first = np.concatenate([[0], np.cumsum(np.count_nonzero(chosen, axis=1))])  # point of each row

    def mask(self, start: int) -> Bool[np.ndarray, "r w"]:
        """The chosen pixels of the strip from row `start` on."""
        return self.strips.cut(self.chosen, start)

    def mask_rows(self, start: int, end: int) -> Float[np.ndarray, "r w"]:
        """1 at the chosen pixels of the rows from `start` to before `end`, as far as the frame has them, else 0."""
        return self.chosen[start:end].astype(np.float32)

    def strip(self, values: Float[np.ndarray, " k"], start: int) -> Float[np.ndarray, "r w"]:
        """The values in that strip, 0 elsewhere."""
        return self.strips.cut(self.rows(values, start, start + self.strips.rows), 0)

    def rows(self, values: Float[np.ndarray, " k"], start: int, end: int) -> Float[np.ndarray, "r w"]:
        """The values in the rows from `start` to before `end`, as far as the frame has them, 0 elsewhere."""
        mask = self.chosen[start:end]
        plane = np.zeros(mask.shape, np.float32)
        first, last = self._first[np.minimum((start, end), len(self.chosen))]
        plane[mask] = values[first:last]
        return plane

    def cover_rows(
        self, values: Float[np.ndarray, " k"], step: int, start: int, end: int
    ) -> Float[np.ndarray, "r w"]:
        """`cover_rows` of the plane that holds the values, 0 elsewhere."""
        return cover_rows(lambda first, last: self.rows(values, first, last), step, start, end)


def cover_rows(
    rows_of: Callable[[int, int], Float[np.ndarray, "r w"]], step: int, start: int, end: int
) -> Float[np.ndarray, "r2 w2"]:
    """Rows of a plane, each value repeated over `step` x `step` px, as far as it has rows `start` to `end` of these.

    Args:
      rows_of: gives the rows of the plane from the first number to before the second.
      step: px.
      start: first row, px.
      end: row after the last, px.
    """
    rows = rows_of(start // step, -(-end // step))
    return rows.repeat(step, axis=0).repeat(step, axis=1)[start % step :][: end - start]


def apply_to_strips(
    function: Callable[..., Any], strips: Strips, *frames: np.ndarray, out: np.ndarray
) -> np.ndarray:
    """Fill `out`, which may be one of `frames`, with a function of their strips; returns it."""
    for start in strips.starts():
        strips.put(out, start, function(*(strips.cut(frame, start) for frame in frames)))
    return out
