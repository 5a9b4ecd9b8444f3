"""From the networks' probabilities at edge points to a radius, its deviation and its reliability."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxblur.config import Readout


class EdgeReading(NamedTuple):
    """What the networks say at edge points: as planes that are 0 elsewhere, or as lists of points in scan order.

    Attributes:
      radius: px, the reading of the 23 level probabilities.
      deviation: px, standard deviation of the level under these probabilities.
      reliability: in [0, 1], probability that the level is within one of the most probable.
      depth: in [0, 1], probability of a depth edge.
    """

    radius: Any
    deviation: Any
    reliability: Any
    depth: Any


def read_levels(
    probabilities: Float[Array, "k levels"], levels: tuple[float, ...], *, readout: Readout
) -> tuple[Float[Array, " k"], Float[Array, " k"], Float[Array, " k"]]:
    """Radius, deviation and reliability, as in `EdgeReading`.

    Args:
      probabilities: of the blur levels, summing to 1.
      levels: disk radii, px.
      readout: the radius is the most probable level, or the expectation over levels.
    """
    values = jnp.asarray(levels, probabilities.dtype)
    best = probabilities.argmax(-1)
    near = jnp.abs(jnp.arange(len(levels))[None, :] - best[:, None]) <= 1
    reliability = jnp.where(near, probabilities, jnp.zeros_like(probabilities)).sum(-1)
    expected = probabilities @ values
    variance = (probabilities * (values[None] - expected[:, None]) ** 2).sum(-1)
    radius = values[best] if readout == "argmax" else expected
    # The bound keeps the gradient of the root finite; it is far below what networks ever say.
    return radius, jnp.sqrt(jnp.maximum(variance, 1e-6)), jnp.minimum(reliability, 1.0)


class ScaleReading(NamedTuple):
    """What the networks say of one scale of a photo.

    Attributes:
      reading: at the edges: planes, or lists of points in scan order.
      edges: (H, W) bool, where the networks were asked.
    """

    reading: EdgeReading
    edges: Any
