"""Sorting under a mask, with ties treated as one: shared by the rank-based measures."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def average_ranks(values: Float[Array, " n"], valid: Bool[Array, " n"]) -> Float[Array, " n"]:
    """Ranks from 1 among the valid values, ties sharing their average; meaningless where not valid."""
    ordered = jnp.sort(jnp.where(valid, values, jnp.inf))
    below = jnp.searchsorted(ordered, values, side="left")
    up_to = jnp.searchsorted(ordered, values, side="right")
    return (below + up_to + 1).astype(values.dtype) / 2


def descending(
    scores: Float[Array, " n"], amounts: Float[Array, " n"], valid: Bool[Array, " n"]
) -> tuple[Float[Array, " n"], Float[Array, " n"], Float[Array, " n"]]:
    """Running sums of `amounts` in descending order of `scores`, invalid ones last and worth nothing.

    Returns:
      For every position of that order: the running sum before its group of equal scores, the running sum
      after the group, and the scores in order (-inf for invalid ones).
    """
    ordered_scores, ordered_amounts = _sort_descending(scores, amounts, valid)
    running = jnp.cumsum(ordered_amounts)
    first, last = _groups(ordered_scores)
    padded = jnp.concatenate([jnp.zeros(1, running.dtype), running])
    return padded[first], padded[last], ordered_scores


def group_bounds(ordered_scores: Float[Array, " n"]) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Number of positions before, and up to the end of, each position's group of equal scores."""
    first, last = _groups(ordered_scores)
    return first.astype(ordered_scores.dtype), last.astype(ordered_scores.dtype)


def _sort_descending(scores: Array, amounts: Array, valid: Array) -> tuple[Array, Array]:
    scores = jnp.where(valid, scores, -jnp.inf)
    order = jnp.argsort(-scores)
    return scores[order], jnp.where(valid, amounts, 0)[order]


def _groups(ordered_scores: Array) -> tuple[Array, Array]:
    ascending = -ordered_scores
    return (
        jnp.searchsorted(ascending, ascending, side="left"),
        jnp.searchsorted(ascending, ascending, side="right"),
    )
