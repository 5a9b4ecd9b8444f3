"""Both networks at the edge points of a batch of views, in the dense form that inference uses."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxblur.architecture import NetworkConfig
from jaxblur.dense import read_projections
from jaxblur.nets import DefocusNet


def _read(projections: Any, points: jax.Array) -> jax.Array:
    grid = jax.vmap(read_projections)(projections, points)
    return grid.reshape((-1, *grid.shape[2:]))


def blur_logits(
    net: DefocusNet,
    views: Float[Array, "v h w 3"],
    points: Int[Array, "v k 2"],
    valid: Bool[Array, "v k"],
    train: bool = False,
) -> Float[Array, "n levels"]:
    """Logits of Classification Network I at all points, view by view; a method of `DefocusNet`."""
    projections = net.blur_maps(net.f1_maps(views, train))
    return net.blur_logits(_read(projections, points), train, valid.reshape(-1))


def depth_logits(
    net: DefocusNet,
    views: Float[Array, "v h w 3"],
    points: Int[Array, "v k 2"],
    valid: Bool[Array, "v k"],
    train: bool = False,
) -> Float[Array, "n 2"]:
    """Logits of Classification Network II at all points; f1-NET never trains here. A method of `DefocusNet`."""
    f1 = jax.lax.stop_gradient(net.f1_maps(views))
    projections = net.depth_maps(views, f1, train)
    return net.depth_logits(_read(projections, points), train, valid.reshape(-1))


def init_variables(key: jax.Array, network: NetworkConfig) -> Any:
    """Fresh variables of the whole `DefocusNet`."""
    patch = jnp.zeros((1, network.patch_size, network.patch_size, 3))
    return DefocusNet(network).init(key, patch, method=DefocusNet.classify_patches)
