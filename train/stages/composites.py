"""Labelled edge points of two-layer scenes for the second stage: an object before a background, each with its blur."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt8

from jaxblur import synthesis
from jaxblur.edges import canny
from jaxblur.propagation.domain_transform import channel_gradient
from jaxblur.synthesis.kernels import SHARP_RADIUS
from train.camera import KERNEL_SIZE, Degradation, capture, draw_degradation, lens, shown
from train.config import FormationConfig
from train.stages.samples import EDGES, Points, choose_points, for_each_view

_MIN_STEP, _MAX_SAME = 0.75, 0.25  # px of radius: a depth edge steps by so much, a pattern edge by no more
_REACH = 7  # px around a step in which the blur of an edge is not clear


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
    """A foreground over a background with disk radii (background, foreground), px."""
    images = shown(jnp.stack([layers["background"], layers["foreground"]]), how.black, how.white)
    alpha = layers["alpha"].astype(jnp.float32) / 255
    alphas = jnp.stack([jnp.ones_like(alpha), alpha])
    kernels = jax.vmap(lambda radius: lens(radius, how.softness, size=KERNEL_SIZE))(radii)
    view = synthesis.composite_layers(images, alphas, kernels, linear_light=how.linear)
    view = capture(key, view, how.noise, how.quality)
    label = synthesis.edge_labels(alphas, kernels, radii)
    return Scene(view, canny.detect_edges(view, config=EDGES), label)


def draw_radii(key: jax.Array, config: FormationConfig) -> Float[Array, " 2"]:
    """Radii of background and foreground: often one of them sharp, now and then both the same."""
    value_key, sharp_key, same_key = jax.random.split(key, 3)
    radii = config.min_radius + (config.max_radius - config.min_radius) * jax.random.uniform(value_key, (2,))
    if config.levels:
        levels = jnp.asarray(config.levels, jnp.float32)
        radii = levels[jnp.abs(radii[:, None] - levels).argmin(-1)]
    sharp = jax.random.bernoulli(sharp_key, config.layer_sharp_probability, (2,))
    radii = jnp.where(sharp, config.min_radius, radii)
    return jnp.where(jax.random.bernoulli(same_key, config.same_probability), radii[:1], radii)


def depth_examples(
    keys: jax.Array,
    layers: dict[str, UInt8[Array, "..."]],
    *,
    points: int,
    depth_fraction: float,
    margin: int,
    config: FormationConfig,
) -> DepthExamples:
    """One composite per pair of layers, with up to `points` edge points; at most `depth_fraction` are depth edges."""

    def one_scene(key: jax.Array, layers: dict[str, jax.Array]) -> DepthExamples:
        how_key, radius_key, camera_key, depth_key, pattern_key = jax.random.split(key, 5)
        how = jax.tree.map(
            lambda leaf: leaf[0], draw_degradation(how_key, 1, config.camera, max_noise=config.max_noise)
        )
        scene = compose(camera_key, layers, draw_radii(radius_key, config), how)
        return _choose(
            (depth_key, pattern_key), scene, points=points, depth_fraction=depth_fraction, margin=margin
        )

    return jax.vmap(one_scene)(keys, layers)


def scene_depth_examples(
    keys: jax.Array,
    views: Float[Array, "b v h w 3"],
    radius: Float[Array, "b v h w"],
    *,
    points: int,
    depth_fraction: float,
    margin: int,
) -> DepthExamples:
    """Views of composed scenes, with up to `points` edge points each; at most `depth_fraction` are depth edges."""

    def one_view(key: jax.Array, view: jax.Array, radius: jax.Array) -> DepthExamples:
        scene = Scene(view, canny.detect_edges(view, config=EDGES), step_labels(radius))
        depth_key, pattern_key = jax.random.split(key)
        return _choose(
            (depth_key, pattern_key), scene, points=points, depth_fraction=depth_fraction, margin=margin
        )

    return for_each_view(one_view, keys, views, radius)


def step_labels(radius: Float[Array, "h w"]) -> Int[Array, "h w"]:
    """What an edge point at each pixel is, from the true radius alone: 0 pattern edge, 1 depth edge, -1 not clear.

    The limits are those of `synthesis.edge_labels`, which knows the layers: a depth edge has a step of 0.75 px or more
    within 1 px; a pattern edge has none above 0.25 px as far as blur reaches across it. A radius changes by less from
    pixel to pixel where a surface is merely slanted. Radii up to 0.5 px are all sharp.

    Args:
      radius: px.
    """
    across, down = channel_gradient(jnp.maximum(radius, SHARP_RADIUS))
    step = jnp.maximum(across, down)  # to the left and upper neighbour
    depth = _dilate(step >= _MIN_STEP, 1)
    unclear = _dilate(step > _MAX_SAME, _REACH)
    return jnp.where(depth, 1, jnp.where(unclear, -1, 0)).astype(jnp.int32)


def _dilate(where: Bool[Array, "h w"], reach: int) -> Bool[Array, "h w"]:
    side = 2 * reach + 1
    return jax.lax.reduce_window(where, False, jax.lax.bitwise_or, (side, side), (1, 1), "SAME")


def _choose(
    keys: tuple[jax.Array, jax.Array], scene: Scene, *, points: int, depth_fraction: float, margin: int
) -> DepthExamples:
    """Up to `points` edge points of a view; the first `depth_fraction` of them are depth edges."""
    count = max(1, round(points * depth_fraction))
    depth = choose_points(keys[0], scene.edges & (scene.label == 1), margin=margin, count=count)
    pattern = choose_points(keys[1], scene.edges & (scene.label == 0), margin=margin, count=points - count)
    chosen = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), depth, pattern)
    return DepthExamples(scene.view, chosen, (jnp.arange(points) < count).astype(jnp.int32))
