"""Hysteresis: of the weak edge points, those that connect to a strong one."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Int, UInt32

_DILATIONS = 512  # rounds of growth before labels take over; photos of under a megapixel need a few dozen
_WORD = 32  # pixels per packed word
_BITS = np.arange(_WORD, dtype=np.uint32)[None, None, :]


def hysteresis(weak: Bool[Array, "h w"], strong: Bool[Array, "h w"]) -> Bool[Array, "h w"]:
    """The 8-connected components of `weak` that hold a pixel of `strong`.

    Strong pixels grow into weak ones, 32 pixels to a word, which ends soon on photos. Chains that are still
    growing after 512 px are settled by component labels: few rounds, however long a chain winds, but costly.

    Args:
      weak: pixels that may be kept.
      strong: pixels that are kept, with all they connect to; those outside `weak` are ignored.
    """
    mask = _pack(weak)

    def grow(state: tuple) -> tuple:
        grown, _, rounds = state
        larger = _dilate(grown) & mask
        return larger, jnp.any(larger != grown), rounds + 1

    def growing(state: tuple) -> Array:
        return state[1] & (state[2] < _DILATIONS)

    start = (_pack(weak & strong), jnp.bool_(True), jnp.int32(0))
    grown, unsettled, _ = lax.while_loop(growing, grow, start)

    # A loop of at most one round: unlike `cond`, it skips the labels under vmap too if no image needs them.
    def settle(state: tuple) -> tuple:
        return _finished(weak, state[0]), jnp.bool_(False)

    return lax.while_loop(lambda state: state[1], settle, (_unpack(grown, weak.shape[1]), unsettled))[0]


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


def _finished(weak: Bool[Array, "h w"], kept: Bool[Array, "h w"]) -> Bool[Array, "h w"]:
    """`kept`, part of `weak`, grown to whole components by labels that fall to the component's least.

    Label 0 is that of kept pixels; any other pixel starts with its own index, from 1, so that a label names a
    pixel of the same component. Each round hands the least label around a pixel to it and to the pixel its
    label names, then follows labels twice.
    """
    none = weak.size + 1  # label of what is not weak
    index = jnp.arange(1, none, dtype=jnp.int32).reshape(weak.shape)
    label = jnp.where(kept, 0, jnp.where(weak, index, none))

    def with_ends(label: Int[Array, "h w"]) -> Int[Array, " n"]:
        return jnp.concatenate([jnp.zeros(1, jnp.int32), label.ravel(), jnp.full(1, none, jnp.int32)])

    def lower(state: tuple) -> tuple:
        label, _ = state
        padded = jnp.pad(label[1:none].reshape(weak.shape), 1, constant_values=none)
        least = jnp.minimum(jnp.minimum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
        least = jnp.minimum(jnp.minimum(least[:-2], least[1:-1]), least[2:])
        least = with_ends(jnp.where(weak, least, none))
        lowered = jnp.minimum(label.at[label].min(least), least)
        lowered = lowered[lowered]
        lowered = lowered[lowered]
        return lowered, jnp.any(lowered != label)

    label, _ = lax.while_loop(lambda state: state[1], lower, (with_ends(label), jnp.bool_(True)))
    return label[1:none].reshape(weak.shape) == 0
