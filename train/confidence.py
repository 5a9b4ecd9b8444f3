"""The confidence of the map, calibrated once the map itself is trained: while it still got better, it lagged behind."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxblur import spread

Smoothed = tuple[Float[Array, "3 h w"], Float[Array, " 3"], Float[Array, "h w"]]
"""Evidence of a scene as `spread.smooth` gives it, its means, and the true radius."""

_ITERATIONS = 12  # of Newton's method: three numbers, and nearly there at the start
_RIDGE = 1e-6


def entropy(confidence: Float[Array, "h w"], right: Bool[Array, "h w"]) -> Float[Array, ""]:
    """Mean cross-entropy of a confidence and of what turned out to be right."""
    sure = jnp.clip(confidence, 1e-4, 1 - 1e-4)
    return -jnp.mean(jnp.where(right, jnp.log(sure), jnp.log(1 - sure)))


def calibrate(parameters: dict[str, Any], scenes: list[Smoothed]) -> dict[str, Any]:
    """`parameters` of `jaxblur.spread` with those of the confidence that suit `scenes` best: logistic regression.

    Args:
      parameters: see `spread.init_parameters`.
      scenes: that the map was not trained on.
    """
    weights = np.asarray(parameters["confidence"], np.float64)
    for _ in range(_ITERATIONS):
        parts = [_derivatives(jnp.asarray(weights, jnp.float32), parameters, one) for one in scenes]
        slope, curvature = (np.sum([np.asarray(p[i], np.float64) for p in parts], axis=0) for i in (0, 1))
        ridge = _RIDGE * max(float(np.trace(curvature)), 1e-12) * np.eye(len(weights))
        weights = weights - np.linalg.solve(curvature + ridge, slope)
    found = jnp.asarray(weights, jnp.float32)
    return {**parameters, "confidence": found} if np.isfinite(weights).all() else parameters


@jax.jit
def _derivatives(weights: Array, parameters: dict[str, Any], scene: Smoothed) -> tuple[Array, Array]:
    """Slope (3,) and curvature (3, 3) of the cross-entropy in one scene."""
    smoothed, means, truth = scene

    def loss(weights: Array) -> Array:
        radius, sure = spread.conclude({**parameters, "confidence": weights}, smoothed, means)
        return entropy(sure, spread.is_right(radius, truth))

    return jax.grad(loss)(weights), jax.hessian(loss)(weights)
