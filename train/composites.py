"""Labelled edge points of two-layer scenes for the second stage: an object before a background, each with its blur."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt8

from jaxblur import edges, synthesis
from train.config import FormationConfig
from train.samples import EDGES, KERNEL_SIZE, Degradation, Points, camera, choose_points, draw_degradation


class DepthExamples(NamedTuple):
    """Views of the edge stage; label 0 pattern edge, 1 depth edge."""

    views: Float[Array, "v h w 3"]
    points: Points
    label: Int[Array, "v k"]


class Scene(NamedTuple):
    """One composite as the camera sees it."""

    view: Float[Array, "h w 3"]
    edges: Bool[Array, "h w"]
    label: Int[Array, "h w"]  # 0 pattern, 1 depth, -1 not clear


def compose(
    key: jax.Array, layers: dict[str, UInt8[Array, "..."]], radii: Float[Array, " 2"], how: Degradation
) -> Scene:
    """A foreground over a background with disk radii (background, foreground), px; `how.radius` is not used."""
    images = jnp.stack([layers["background"], layers["foreground"]]).astype(jnp.float32) / 255
    alpha = layers["alpha"].astype(jnp.float32) / 255
    alphas = jnp.stack([jnp.ones_like(alpha), alpha])
    kernels = jax.vmap(lambda radius: synthesis.disk_kernel(radius, size=KERNEL_SIZE))(radii)
    view = synthesis.composite_layers(images, alphas, kernels, linear_light=how.linear)
    view = camera(key, view, how.noise, how.quality)
    label = synthesis.edge_labels(alphas, kernels, radii)
    return Scene(view, edges.detect_edges(view, config=EDGES), label)


def draw_radii(key: jax.Array, config: FormationConfig) -> Float[Array, " 2"]:
    """Radii of background and foreground: often one of them sharp, now and then both the same."""
    value_key, sharp_key, same_key = jax.random.split(key, 3)
    radii = config.min_radius + (config.max_radius - config.min_radius) * jax.random.uniform(value_key, (2,))
    if config.levels:
        levels = jnp.asarray(config.levels, jnp.float32)
        radii = levels[jnp.abs(radii[:, None] - levels).argmin(-1)]
    sharp = jax.random.bernoulli(sharp_key, config.layer_sharp_share, (2,))
    radii = jnp.where(sharp, config.min_radius, radii)
    return jnp.where(jax.random.bernoulli(same_key, config.same_share), radii[:1], radii)


def depth_examples(
    keys: jax.Array,
    layers: dict[str, UInt8[Array, "..."]],
    *,
    points: int,
    depth_share: float,
    margin: int,
    config: FormationConfig,
) -> DepthExamples:
    """One composite per pair of layers, with up to `points` edge points, at most `depth_share` of them depth edges."""
    depth_points = max(1, round(points * depth_share))

    def one_scene(key: jax.Array, layers: dict[str, jax.Array]) -> DepthExamples:
        how_key, radius_key, camera_key, depth_key, pattern_key = jax.random.split(key, 5)
        how = jax.tree.map(lambda leaf: leaf[0], draw_degradation(how_key, 1, config))
        scene = compose(camera_key, layers, draw_radii(radius_key, config), how)
        depth = choose_points(depth_key, scene.edges & (scene.label == 1), margin=margin, count=depth_points)
        pattern = choose_points(
            pattern_key, scene.edges & (scene.label == 0), margin=margin, count=points - depth_points
        )
        chosen = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), depth, pattern)
        label = (jnp.arange(points) < depth_points).astype(jnp.int32)
        return DepthExamples(scene.view, chosen, label)

    return jax.vmap(one_scene)(keys, layers)
