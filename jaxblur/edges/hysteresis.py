"""Hysteresis: of the weak edge points, those that connect to a strong one.

Two implementations of one definition. Within a compiled program there are only array operations, so strong pixels
grow. On the host OpenCV labels components, which is one pass over a frame of any size.
"""

import cv2
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, UInt32

_WORD = 32  # pixels per packed word
_BITS = np.arange(_WORD, dtype=np.uint32)[None, None, :]


def hysteresis(weak: Bool[Array, "h w"], strong: Bool[Array, "h w"]) -> Bool[Array, "h w"]:
    """The 8-connected components of `weak` that hold a pixel of `strong`.

    Strong pixels grow into weak ones, 32 pixels to a word, by one pixel a round. There are as many rounds as the
    longest chain of weak pixels has pixels: a few dozen on photos.

    Args:
      weak: pixels that may be kept.
      strong: pixels that are kept, with all they connect to; those outside `weak` are ignored.
    """
    mask = _pack(weak)

    def grow(state: tuple[Array, Array]) -> tuple[Array, Array]:
        grown, _ = state
        larger = _dilate(grown) & mask
        return larger, jnp.any(larger != grown)

    grown, _ = lax.while_loop(lambda state: state[1], grow, (_pack(weak & strong), jnp.bool_(True)))
    return _unpack(grown, weak.shape[1])


def hysteresis_of_frame(
    weak: Bool[np.ndarray, "h w"], strong: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """`hysteresis` on the host; arguments as there, `strong` within `weak`."""
    count, found = cv2.connectedComponents(weak.view(np.uint8), connectivity=8)
    labels = found.astype(np.int32, copy=False)
    kept = np.zeros(count, bool)
    kept[labels[strong]] = True
    return kept[labels]


def _pack(plane: Bool[Array, "h w"]) -> UInt32[Array, "h v"]:
    plane = jnp.pad(plane, ((0, 0), (0, -plane.shape[1] % _WORD)))
    bits = plane.reshape(plane.shape[0], -1, _WORD).astype(jnp.uint32) << _BITS
    return jnp.sum(bits, axis=-1, dtype=jnp.uint32)


def _unpack(words: UInt32[Array, "h v"], width: int) -> Bool[Array, "h w"]:
    bits = (words[:, :, None] >> _BITS) & 1
    return bits.reshape(words.shape[0], -1)[:, :width].astype(bool)


def _dilate(words: UInt32[Array, "h v"]) -> UInt32[Array, "h v"]:
    """Packed plane grown by one pixel in all eight directions."""
    before = jnp.pad(words[:, :-1], ((0, 0), (1, 0)))
    after = jnp.pad(words[:, 1:], ((0, 0), (0, 1)))
    wide = words | (words << 1) | (words >> 1) | (before >> (_WORD - 1)) | (after << (_WORD - 1))
    padded = jnp.pad(wide, ((1, 1), (0, 0)))
    return padded[:-2] | wide | padded[2:]
