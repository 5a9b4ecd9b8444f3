"""The trained parameters of multiscale fusion."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from jaxblur.image.pyramid import MAX_SCALES
from jaxblur.multiscale.guide_net import init_guide
from jaxblur.network.config import NetworkConfig

FORMER_NAMES = {
    "powers": "exponents",
    "least": "least_variance",
    "sharp": "sharp_radius",
    "share": "extent_weight",
    "range": "gradient_range",
    "penalty": "depth_penalty",
}
"""Names of parameters in files and checkpoints written before they had the present ones."""


@struct.dataclass
class MultiscaleParameters:
    """Trained parameters of the fusion: a frozen pytree of float32 arrays.

    Attributes:
      level_weight: (4, levels) a: logarithm of the weight of a reading of each level, by the role of its scale (only,
        finest, between, coarsest).
      scale_weight: (4,) b: likewise by scale.
      exponents: (3,) alpha, beta, gamma: of the precision, of the reliability, and rate of decay with the probability
        of a depth edge.
      least_variance: () logarithm of epsilon, the least variance of a reading, in px^2 of its scale.
      sharp_radius: () r_sharp: what a reading of the first level is taken for, px.
      extent: (3,) logarithm of sigma_j, the extents of the filter, px.
      extent_weight: (3,) logarithm of c_j, their weights.
      gradient_range: () logarithm of tau: the gradient of the guide that stops as much as one extent of distance,
        far from all edges.
      depth_penalty: (4,) pi: what a certain depth edge of each scale stops, before softplus.
      confidence: (3,) u: logistic weights of one, of the log evidence at hand and of its disagreement.
      guide: parameters of `guide_net.GuideNet`, by name.
    """

    # Any: such a tree may also hold shapes, labels or gradients in place of the arrays.

    level_weight: Any
    scale_weight: Any
    exponents: Any
    least_variance: Any
    sharp_radius: Any
    extent: Any
    extent_weight: Any
    gradient_range: Any
    depth_penalty: Any
    confidence: Any
    guide: Any


def init_parameters(network: NetworkConfig, key: jax.Array) -> MultiscaleParameters:
    """Parameters before training: plain choices that already work; only those of the guide network are random.

    Args:
      network: whose readings are fused.
      key: PRNG key.
    """
    levels = jnp.asarray(network.levels, jnp.float32)
    last, step = levels[-1], levels[1] - levels[0]
    not_last = jnp.clip((last - step - levels) / (4 * step), 0, 1)
    not_first = jnp.clip((levels - levels[0] - step) / (3 * step), 0, 1)
    weights = jnp.stack([jnp.ones_like(levels), not_last, not_first * not_last, not_first])
    return MultiscaleParameters(
        level_weight=jnp.log(jnp.maximum(weights, math.exp(-6.0))),
        scale_weight=jnp.zeros(MAX_SCALES),
        exponents=jnp.asarray([0.5, 1.0, 3.0]),
        least_variance=jnp.asarray(-3.2),
        sharp_radius=jnp.asarray(0.2),
        extent=jnp.log(jnp.asarray([4.0, 16.0, 48.0])),
        extent_weight=jnp.zeros(3),
        gradient_range=jnp.log(jnp.asarray(1.5)),
        depth_penalty=jnp.full(MAX_SCALES, 0.5),
        confidence=jnp.asarray([1.0, 0.2, -2.0]),
        guide=init_guide(key),
    )
