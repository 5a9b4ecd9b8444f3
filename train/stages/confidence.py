"""The confidence of the map, calibrated once the map itself is trained: while it still got better, it lagged behind."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.optimize import minimize

from jaxblur.multiscale import fuse
from jaxblur.multiscale.parameters import MultiscaleParameters

Smoothed = tuple[Float[Array, "3 h w"], Float[Array, " 3"], Float[Array, "h w"]]
"""Evidence of a scene as `fuse.smooth` gives it, its means, and the true radius."""


def entropy(confidence: Float[Array, "h w"], right: Bool[Array, "h w"]) -> Float[Array, ""]:
    """Mean cross-entropy of a confidence and of what turned out to be right."""
    sure = jnp.clip(confidence, 1e-4, 1 - 1e-4)
    return -jnp.mean(jnp.where(right, jnp.log(sure), jnp.log(1 - sure)))


def calibrate(parameters: MultiscaleParameters, scenes: list[Smoothed]) -> MultiscaleParameters:
    """The parameters with those of the confidence that suit `scenes` best: logistic regression.

    Args:
      parameters: of the fusion.
      scenes: that the map was not trained on.
    """

    def mean_loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        parts = [_loss(jnp.asarray(weights, jnp.float32), parameters, scene) for scene in scenes]
        return float(np.mean([part[0] for part in parts])), np.mean([part[1] for part in parts], axis=0)

    found = minimize(mean_loss, np.asarray(parameters.confidence), jac=True, method="BFGS")
    if not np.isfinite(found.x).all():
        raise FloatingPointError(f"the confidence cannot be calibrated: its weights become {found.x}")
    return parameters.replace(confidence=jnp.asarray(found.x, jnp.float32))  # type: ignore[attr-defined]


@jax.jit
@jax.value_and_grad
def _loss(weights: Array, parameters: MultiscaleParameters, scene: Smoothed) -> Array:
    smoothed, means, truth = scene
    radius, sure = fuse.conclude(parameters.replace(confidence=weights), smoothed, means)  # type: ignore[attr-defined]
    return entropy(sure, fuse.is_right(radius, truth))
