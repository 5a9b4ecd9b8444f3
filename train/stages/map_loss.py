"""Loss and errors of a map of the blur radius against the truth of a composed scene."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxblur.multiscale import fuse
from jaxblur.multiscale.parameters import MultiscaleParameters
from jaxblur.propagation.domain_transform import channel_gradient
from train.stages.confidence import entropy

_STEP, _NEAR = 0.25, 9  # what counts as a blur step, in octaves of radius + 1; side of its neighbourhood, px
_ERROR, _RELATIVE_ERROR = 0.25, 0.125  # px, and per px of radius: larger errors count by their logarithm


def map_loss(
    parameters: MultiscaleParameters,
    smoothed: Float[Array, "3 h w"],
    means: Float[Array, " 3"],
    truth: Float[Array, "h w"],
) -> tuple[Float[Array, ""], dict[str, jax.Array]]:
    """log(1 + error / (0.25 px + radius / 8)), doubled near blur steps, and cross-entropy of the confidence alone.

    Many places of a scene are blank, and nothing tells how blurred they are: by the logarithm, the few errors that
    nobody can help count less than the many that can be made smaller.

    Args:
      parameters: of the fusion.
      smoothed, means: from `fuse.smooth`.
      truth: radius, px.

    Returns:
      The loss, and the mean error (px) and relative error.
    """
    radius, _ = fuse.conclude(parameters, smoothed, means)
    error = jnp.abs(radius - truth)
    smooth = jnp.sqrt(error**2 + 1e-4)
    weight = 1 + near_steps(truth)
    loss = (jnp.log1p(smooth / (_ERROR + _RELATIVE_ERROR * truth)) * weight).sum() / weight.sum()
    _, confidence = fuse.conclude(parameters, jax.lax.stop_gradient(smoothed), jax.lax.stop_gradient(means))
    unsure = entropy(confidence, fuse.is_right(radius, truth))
    return loss + unsure, {"error_px": error.mean(), "relative": (error / (truth + 1)).mean()}


def total_loss(
    losses: Float[Array, " b"], metrics: dict[str, Float[Array, " b"]]
) -> tuple[Float[Array, ""], tuple[dict, dict[str, jax.Array], jax.Array]]:
    """The losses and metrics of some scenes as `state.descend` takes them."""
    sums = {"loss": losses.sum(), **{name: values.sum() for name, values in metrics.items()}}
    return sums["loss"], ({}, sums, jnp.asarray(losses.shape[0], jnp.float32))


def map_errors(
    radius: Float[Array, "h w"], confidence: Float[Array, "h w"], truth: Float[Array, "h w"]
) -> dict[str, jax.Array]:
    """Sums over the pixels of one scene, for `summary` of those of many."""
    error = jnp.abs(radius - truth)
    low, right = truth <= 6, fuse.is_right(radius, truth)
    bins = jnp.clip((confidence * 10).astype(jnp.int32), 0, 9).reshape(-1)

    def by_bin(values: jax.Array) -> jax.Array:
        return jnp.zeros(10).at[bins].add(values.astype(jnp.float32).reshape(-1))

    return {
        "pixels": jnp.asarray(truth.size, jnp.float32),
        "error": error.sum(),
        "relative": (error / (truth + 1)).sum(),
        "error_to_6": jnp.where(low, error, 0).sum(),
        "pixels_to_6": low.sum(dtype=jnp.float32),
        "right": right.sum(dtype=jnp.float32),
        "sure": confidence.sum(),
        "pixels_by_bin": by_bin(jnp.ones_like(truth)),
        "sure_by_bin": by_bin(confidence),
        "right_by_bin": by_bin(right),
    }


def summary(sums: list[dict[str, Any]]) -> dict[str, float]:
    """Validation metrics of the `map_errors` of all scenes; "loss" is the mean of |error| / (radius + 1)."""
    totals = {name: np.sum([np.asarray(one[name]) for one in sums], axis=0) for name in sums[0]}
    mean = {name: totals[name] / totals["pixels"] for name in ("error", "relative", "right", "sure")}
    predicted = totals["sure_by_bin"] / np.maximum(totals["pixels_by_bin"], 1)
    observed = totals["right_by_bin"] / np.maximum(totals["pixels_by_bin"], 1)
    gap = np.abs(predicted - observed) * totals["pixels_by_bin"] / totals["pixels"]
    return {
        "loss": float(mean["relative"]),
        "error_px": float(mean["error"]),
        "error_px_to_6": float(totals["error_to_6"] / max(totals["pixels_to_6"], 1)),
        "right": float(mean["right"]),
        "confidence": float(mean["sure"]),
        "calibration_error": float(gap.sum()),
    }


def near_steps(truth: Float[Array, "h w"]) -> Float[Array, "h w"]:
    """1 near sudden changes of the true radius, else 0."""
    across, down = channel_gradient(jnp.log2(truth + 1))
    step = (across + down > _STEP).astype(jnp.float32)
    return jax.lax.reduce_window(step, 0.0, jax.lax.max, (_NEAR, _NEAR), (1, 1), "SAME")
