"""Both networks at the edge points of a batch of views: in the dense form that inference uses, or patch by patch."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxblur.network.config import NetworkConfig
from jaxblur.network.defocus_net import DefocusNet
from jaxblur.network.pointwise import read_projections

FEW = 8
"""Points per view up to which patches of their own cost clearly less than maps of the whole view: of 72 px, 952 million
multiplications for B-Net against 61 a patch, 1381 for E-Net against 74 (by the counts of `benchmarks.floors`)."""


def _read(projections: Any, points: jax.Array) -> jax.Array:
    grid = jax.vmap(read_projections)(projections, points)
    return grid.reshape((-1, *grid.shape[2:]))


def _patches(
    views: Float[Array, "v h w 3"], points: Int[Array, "v k 2"], size: int
) -> Float[Array, "n size size 3"]:
    """The patches around all points, view by view."""

    def patch(view: jax.Array, point: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice(view, (point[0], point[1], 0), (size, size, 3))

    patches = jax.vmap(jax.vmap(patch, (None, 0)))(views, points)
    return patches.reshape((-1, *patches.shape[2:]))


def blur_logits(
    net: DefocusNet,
    views: Float[Array, "v h w 3"],
    points: Int[Array, "v k 2"],
    valid: Bool[Array, "v k"],
    train: bool = False,
) -> Float[Array, "n levels"]:
    """Logits of Classification Network I at all points, view by view; a method of `DefocusNet`."""
    mask = valid.reshape(-1)
    if points.shape[1] <= FEW:
        grids = net.f1_grids(_patches(views, points, net.config.patch_size), train)
        return net.b.classification(net.b.trunk(grids, train, mask), train, mask)
    projections = net.blur_maps(net.f1_maps(views, train))
    return net.blur_logits(_read(projections, points), train, mask)


def depth_logits(
    net: DefocusNet,
    views: Float[Array, "v h w 3"],
    points: Int[Array, "v k 2"],
    valid: Bool[Array, "v k"],
    train: bool = False,
) -> Float[Array, "n 2"]:
    """Logits of Classification Network II at all points; f1-NET never trains here. A method of `DefocusNet`."""
    mask = valid.reshape(-1)
    if points.shape[1] <= FEW:
        patches = _patches(views, points, net.config.patch_size)
        grids = [net.f2_grid(patches, train), *jax.lax.stop_gradient(net.f1_grids(patches))]
        return net.e.classification(net.e.trunk(grids, train, mask), train, mask)
    f1 = jax.lax.stop_gradient(net.f1_maps(views))
    projections = net.depth_maps(views, f1, train)
    return net.depth_logits(_read(projections, points), train, mask)


@functools.partial(
    jax.jit, static_argnames="network"
)  # one program: each layer's alone takes seconds to compile
def init_variables(key: jax.Array, network: NetworkConfig) -> Any:
    """Fresh variables of the whole `DefocusNet`: "params" and, with batch normalisation, "batch_stats"."""
    patch = jnp.zeros((1, network.patch_size, network.patch_size, 3))
    return DefocusNet(network).init(key, patch, method=DefocusNet.classify_patches)
