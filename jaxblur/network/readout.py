"""What the networks say at edge points, and how much each point counts in the two-stage propagation."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxblur.config import Config


class EdgeReading(NamedTuple):
    """What the networks say at edge points, as planes that are 0 elsewhere (or, in `large`, as lists of points).

    Attributes:
      radius: (H, W) px, the reading of the 23 level probabilities.
      spread: (H, W) px, standard deviation of the level under these probabilities.
      reliability: (H, W) in [0, 1], probability that the level is within one of the most probable.
      depth: (H, W) in [0, 1], probability of a depth edge.
    """

    radius: Any
    spread: Any
    reliability: Any
    depth: Any


def read_levels(
    probabilities: Float[Array, "k levels"], levels: tuple[float, ...], *, readout: str
) -> tuple[Float[Array, " k"], Float[Array, " k"], Float[Array, " k"]]:
    """Radius (px) by the most probable level or the expectation, standard deviation (px), and the probability to be
    within one level of the most probable."""
    values = jnp.asarray(levels, probabilities.dtype)
    best = probabilities.argmax(-1)
    near = jnp.abs(jnp.arange(len(levels))[None, :] - best[:, None]) <= 1
    reliability = jnp.where(near, probabilities, jnp.zeros_like(probabilities)).sum(-1)
    expected = probabilities @ values
    variance = (probabilities * (values[None] - expected[:, None]) ** 2).sum(-1)
    radius = values[best] if readout == "argmax" else expected
    # The bound keeps the gradient of the root finite; it is far below what networks ever say.
    return radius, jnp.sqrt(jnp.maximum(variance, 1e-6)), jnp.minimum(reliability, 1.0)


def weigh(
    reading: EdgeReading, edges: Bool[Array, "h w"], config: Config
) -> tuple[Bool[Array, "h w"], Float[Array, "h w"], Float[Array, "h w"]]:
    """Depth edges, the weight of every pattern edge in the propagation (0 elsewhere), and the depth to be crossed."""
    depth_edges = edges & (reading.depth > 0.5)
    weight = (edges & ~depth_edges).astype(reading.depth.dtype)
    if config.weighting == "confidence":
        weight = weight * reading.reliability
    hard = config.propagation.depth == "hard"
    return depth_edges, weight, depth_edges.astype(weight.dtype) if hard else reading.depth
