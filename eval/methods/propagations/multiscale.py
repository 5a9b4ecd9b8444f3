"""jaxblur's multiscale fusion, of readings of one scale: its filters and barriers, with the shipped parameters.

The equations are those of `jaxblur.multiscale.fuse`: evidence E_k = sum of w rho^k, barriers of gradients and depth
edges, three filters. What weighs a reading there is trained on the probabilities of B-Net, so here the reading's own
weight stands, in units of its mean. A photo has one scale, whatever its size. The confidence belongs to readings of
B-Net too, and is not given.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

import jaxblur
from eval.bucket import bucketed
from jaxblur.config import GuideConfig
from jaxblur.image.size import inside_mask
from jaxblur.multiscale import fuse
from jaxblur.multiscale.guide_net import guide_gain
from jaxblur.multiscale.parameters import MultiscaleParameters
from jaxblur.network.readout import EdgeReading, ScaleReading
from jaxblur.propagation.domain_transform import guide_gradient, smooth_guide


def propagate(
    radius: Float[np.ndarray, "h w"],
    weight: Float[np.ndarray, "h w"],
    depth: Float[np.ndarray, "h w"],
    image: Float[np.ndarray, "h w 3"],
) -> tuple[Float[np.ndarray, "h w"], None]:
    """The map, see `eval.methods.propagations`.

    Raises:
      ValueError: the shipped weights have no multiscale stage.
    """
    parameters = _parameters()
    program = functools.partial(_propagate, parameters)
    (result,) = bucketed(program, radius, weight, depth, image)
    return result, None


@functools.cache
def _parameters() -> MultiscaleParameters:
    parameters = jaxblur.load_weights().multiscale
    if parameters is None:
        raise ValueError("multiscale: the shipped weights have no multiscale stage")
    return parameters


@jax.jit
def _propagate(
    parameters: MultiscaleParameters,
    radius: jax.Array,
    weight: jax.Array,
    depth: jax.Array,
    image: jax.Array,
    size: jax.Array,
) -> tuple[jax.Array]:
    shape = radius.shape
    inside = inside_mask(shape, size)
    read = inside & (weight > 0)
    weight = jnp.where(read, weight, 0)
    weight = weight * (jnp.sum(read.astype(weight.dtype)) / jnp.maximum(jnp.sum(weight), 1e-12))
    radius = jnp.where(read, radius, 0)
    edges = inside & ((weight > 0) | (depth > 0))
    depth = jnp.where(edges, depth, 0)
    zeros = jnp.zeros_like(radius)
    gain = guide_gain(
        parameters.guide,
        [ScaleReading(EdgeReading(radius, zeros, zeros, depth), edges)],
        shape=shape,
        size=size,
    )
    evidence = fuse.Evidence(
        weight,
        weight * radius,
        weight * radius**2,
        fuse.depth_barrier(parameters, depth, 0),
        fuse.gradient_barrier(parameters, gain),
    )
    gradient = guide_gradient(smooth_guide(image, size, config=GuideConfig()))
    return (fuse.fuse(parameters, evidence, gradient, size=size)[0],)
