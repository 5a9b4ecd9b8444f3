"""Full frames as NumPy planes on the host, worked through in strips of rows by small compiled functions.

What bounds the memory of large photos: only strips reach the compiled functions. All strips of a photo have one
shape, so each function is compiled once. The recursive filter hands the last row of a strip on to the next one, so
it is that of `domain_transform` over the full frame, bit for bit in its sequential form.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

Planes = tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]


class Strips(NamedTuple):
    """How a frame of `height` x `width` px is cut: strips of `rows` x `columns`, the last ones filled up with zeros."""

    height: int
    width: int
    rows: int
    columns: int

    def starts(self) -> range:
        """First rows of all strips."""
        return range(0, self.height, self.rows)

    def size(self) -> Int[np.ndarray, " 2"]:
        """Height and width for compiled functions."""
        return np.array([self.height, self.width], np.int32)

    def cut(self, frame: np.ndarray, start: int, *, above: int = 0) -> np.ndarray:
        """The strip from row `start` on, with `above` rows more before it; 0 outside the frame."""
        first, shape = start - above, (self.rows + above, self.columns, *frame.shape[2:])
        part = frame[max(first, 0) : first + shape[0]]
        if part.shape == shape:
            return part
        strip = np.zeros(shape, frame.dtype)
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


def inside_strip(shape: tuple[int, ...], first: Int[Array, ""], size: Int[Array, " 2"]) -> Bool[Array, "r w"]:
    """Pixels of a strip whose first row is row `first` of the photo, maybe -1, that belong to the photo."""
    row = first + jnp.arange(shape[0], dtype=jnp.int32)[:, None]
    column = jnp.arange(shape[1], dtype=jnp.int32)[None, :]
    return (row >= 0) & (row < size[0]) & (column < size[1])


def apply_to_strips(
    function: Callable[..., Any], strips: Strips, *frames: np.ndarray, out: np.ndarray
) -> np.ndarray:
    """Fill `out`, which may be one of `frames`, with a function of their strips; returns it."""
    for start in strips.starts():
        strips.put(out, start, function(*(strips.cut(frame, start) for frame in frames)))
    return out
