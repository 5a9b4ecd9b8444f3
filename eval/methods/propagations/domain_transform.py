"""The paper's propagation, by the domain transform: `jaxblur.propagate` with its default settings.

Karaali, Harte and Jung, "Deep Multi-Scale Feature Learning for Defocus Blur Estimation", IEEE TIP 2022, section III-C.
"""

import jax
import numpy as np
from jaxtyping import Float

import jaxblur
from eval.bucket import bucketed


def propagate(
    radius: Float[np.ndarray, "h w"],
    weight: Float[np.ndarray, "h w"],
    depth: Float[np.ndarray, "h w"],
    image: Float[np.ndarray, "h w 3"],
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Map and confidence, see `eval.methods.propagations`."""
    result, confidence = bucketed(_propagate, radius, weight, depth, image)
    return result, confidence


def _propagate(
    radius: jax.Array, weight: jax.Array, depth: jax.Array, image: jax.Array, size: jax.Array
) -> tuple[jax.Array, jax.Array]:
    return jaxblur.propagate(radius, weight, depth, image, size=(size[0], size[1]))
