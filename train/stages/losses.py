"""Losses and metrics per edge point, for both stages. Pure; means are taken by the caller."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from jaxblur.network.config import NetworkConfig
from jaxblur.network.defocus_net import level_probabilities


def level_loss(
    logits: Float[Array, "n k"], radius: Float[Array, " n"], network: NetworkConfig
) -> Float[Array, " n"]:
    """Cross-entropy of Classification Network I against a continuous radius (px).

    A radius between two levels is shared linearly between them; one beyond the last level belongs to it. Softmax head:
    cross-entropy with those soft labels (at a level, the paper's own). Ordinal head: the sum of 22 binary
    cross-entropies of "blurrier than level k".
    """
    levels = jnp.asarray(network.levels, logits.dtype)
    above = jnp.clip((radius[:, None] - levels[None, :-1]) / jnp.diff(levels)[None], 0.0, 1.0)
    if network.level_head == "ordinal":
        return optax.sigmoid_binary_cross_entropy(logits, above).sum(-1)
    ones, zeros = jnp.ones_like(above[:, :1]), jnp.zeros_like(above[:, :1])
    soft = jnp.concatenate([ones, above], -1) - jnp.concatenate([above, zeros], -1)
    return optax.softmax_cross_entropy(logits, soft)


def level_metrics(
    logits: Float[Array, "n k"], radius: Float[Array, " n"], network: NetworkConfig
) -> dict[str, Float[Array, " n"]]:
    """Exact accuracy, accuracy within one level (the paper's metrics) and absolute error of the expectation, px.

    A radius beyond the levels counts as the nearest level.
    """
    levels = jnp.asarray(network.levels, logits.dtype)
    radius = jnp.clip(radius, levels[0], levels[-1])
    probabilities = level_probabilities(logits, network)
    nearest = jnp.abs(radius[:, None] - levels[None]).argmin(-1)
    steps = jnp.abs(probabilities.argmax(-1) - nearest)
    return {
        "accuracy": (steps == 0).astype(logits.dtype),
        "within_one": (steps <= 1).astype(logits.dtype),
        "error_px": jnp.abs(probabilities @ levels - radius),
    }


def depth_loss(logits: Float[Array, "n 2"], label: Int[Array, " n"]) -> Float[Array, " n"]:
    """Cross-entropy of Classification Network II; label 0 pattern edge, 1 depth edge."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(label, 0))


def depth_metrics(logits: Float[Array, "n 2"], label: Int[Array, " n"]) -> dict[str, Float[Array, " n"]]:
    """Accuracy at the most probable class, and the two error rates' ingredients."""
    called = logits.argmax(-1)
    return {"accuracy": (called == label).astype(logits.dtype), "called_depth": jax.nn.softmax(logits)[:, 1]}
