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


def _read(projections: Any, points: jax.Array, network: NetworkConfig) -> jax.Array:
    grid = jax.vmap(lambda maps, rc: read_projections(maps, rc, network))(projections, points)
    return grid.reshape((-1, *grid.shape[2:]))


def _patches(
    views: Float[Array, "v h w 3"], points: Int[Array, "v k 2"], network: NetworkConfig
) -> Float[Array, "n size size 3"]:
    """The patches around all points, view by view."""
    size = network.patch_size

    def patch(view: jax.Array, point: jax.Array) -> jax.Array:
        point = point // network.step * network.step
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
        grids = net.f1_grids(net.stem_map(_patches(views, points, net.config), train), train)
        return net.b.classification(net.b.trunk(grids, train, mask), train, mask)
    projections = net.blur_maps(net.f1_maps(net.stem_map(views, train), train))
    return net.blur_logits(_read(projections, points, net.config), train, mask)


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
        stem = jax.lax.stop_gradient(net.stem_map(_patches(views, points, net.config)))
        grids = [*net.f2_grid(stem, train), *jax.lax.stop_gradient(net.f1_grids(stem))]
        return net.e.classification(net.e.trunk(grids, train, mask), train, mask)
    stem = jax.lax.stop_gradient(net.stem_map(views))
    f1 = jax.lax.stop_gradient(net.f1_maps(stem))
    projections = net.depth_maps(stem, f1, train)
    return net.depth_logits(_read(projections, points, net.config), train, mask)


@functools.partial(
    jax.jit, static_argnames="network"
)  # one program: each layer's alone takes seconds to compile
def init_variables(key: jax.Array, network: NetworkConfig) -> Any:
    """Fresh variables of the whole `DefocusNet`: "params" and, with batch normalisation, "batch_stats"."""
    patch = jnp.zeros((1, network.patch_size, network.patch_size, 3))
    return DefocusNet(network).init(key, patch, method=DefocusNet.classify_patches)
