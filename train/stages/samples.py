"""From sharp crops to labelled edge points, on the device: image formation, edges, choice of points.

Everything is a function of one key per sample. So the result does not depend on how devices divide the samples.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, UInt8

from jaxblur import synthesis
from jaxblur.config import EdgeConfig
from jaxblur.edges import canny
from train.camera import KERNEL_SIZE, Degradation, capture, draw_degradation, lens, shown
from train.config import FormationConfig
from train.streams import Folded

EDGES = EdgeConfig()
"""Edge detection of all examples, as `jaxblur.DEFAULT` has it."""


class Points(NamedTuple):
    """Edge points of one view, inside its margin."""

    points: Int[Array, "k 2"]  # (row, col), px of the view without its margin
    valid: Bool[Array, " k"]


def draw_radii(key: jax.Array, views: int, config: FormationConfig) -> Float[Array, " views"]:
    """Random radii, px, of `views` views of one content, stratified over the range."""
    keys = jax.random.split(key, 9)  # the others are those of `camera.draw_degradation`
    strata = jax.random.permutation(keys[0], views).astype(jnp.float32)
    place = (strata + jax.random.uniform(keys[1], (views,))) / views  # in [0, 1)
    if config.levels:
        levels = jnp.asarray(config.levels, jnp.float32)
        radius = levels[jnp.minimum((place * len(config.levels)).astype(jnp.int32), len(config.levels) - 1)]
    else:
        radius = config.min_radius + (config.max_radius - config.min_radius) * place
    if config.wide_probability:
        # The same strata once more: every view keeps its own part of the range.
        wide = config.max_radius * (config.wide_radius / config.max_radius) ** place
        radius = jnp.where(jax.random.bernoulli(keys[8], config.wide_probability, (views,)), wide, radius)
    sharp = jax.random.bernoulli(keys[2], config.sharp_probability, (views,))
    return jnp.where(sharp, config.min_radius, radius)


def blurred_view(
    key: jax.Array,
    content: UInt8[Array, "h w 3"],
    radius: Float[Array, ""],
    how: Degradation,
    *,
    kernel_size: int,
) -> Float[Array, "h2 w2 3"]:
    """One content as the camera sees it out of focus, in [0, 1]; kernel_size - 1 px smaller on each axis.

    Args:
      key: () of the noise.
      content: sharp.
      radius: of the blur, px.
      how: the picture is taken.
      kernel_size: side of the kernel, px; odd.
    """
    image = shown(content, how.black, how.white)
    kernel = lens(radius, how.softness, size=kernel_size)
    image = synthesis.blur(image, kernel, border="valid", linear_light=how.linear)
    return capture(key, image, how.noise, how.quality)


def choose_points(key: jax.Array, candidates: Bool[Array, "h w"], *, margin: int, count: int) -> Points:
    """Up to `count` random candidates at least `margin` px inside the view."""
    inner = candidates[margin:-margin, margin:-margin]
    width = inner.shape[1]
    score = jnp.where(inner, jax.random.uniform(key, inner.shape, minval=0.5), 0.0).reshape(-1)
    best, index = lax.top_k(score, count)
    index = index.astype(jnp.int32)
    return Points(jnp.stack([index // width, index % width], axis=-1), best > 0)


class BlurExamples(NamedTuple):
    """Views of the blur stage, the points at which their radius is asked for, and that radius, px."""

    views: Float[Array, "v h w 3"]
    points: Points
    radius: Float[Array, "v k"]


def blur_examples(
    keys: jax.Array,
    contents: UInt8[Array, "b h w 3"],
    *,
    views: int,
    points: int,
    margin: int,
    config: FormationConfig,
) -> BlurExamples:
    """`views` blurred versions of each content, with up to `points` edge points each."""

    def one_content(key: jax.Array, content: jax.Array) -> BlurExamples:
        how_key, view_key = jax.random.split(key)
        radius = draw_radii(how_key, views, config)
        how = draw_degradation(how_key, views, config.camera, max_noise=config.max_noise)
        return blur_views(
            view_key, content, radius, how, points=points, margin=margin, kernel_size=config.kernel_size
        )

    return _flat(jax.vmap(one_content)(keys, contents))


def blur_views(
    key: jax.Array,
    content: UInt8[Array, "h w 3"],
    radius: Float[Array, " v"],
    how: Degradation,
    *,
    points: int,
    margin: int,
    kernel_size: int = KERNEL_SIZE,
) -> BlurExamples:
    """The views of one content with given radii, px, and degradations."""

    def one_view(key: jax.Array, radius: jax.Array, how: Degradation) -> tuple[jax.Array, Points]:
        camera_key, point_key = jax.random.split(key)
        view = blurred_view(camera_key, content, radius, how, kernel_size=kernel_size)
        found = canny.detect_edges(view, config=EDGES)
        return view, choose_points(point_key, found, margin=margin, count=points)

    view, chosen = jax.vmap(one_view)(jax.random.split(key, radius.shape[0]), radius, how)
    return BlurExamples(view, chosen, jnp.broadcast_to(radius[:, None], chosen.valid.shape))


def scene_examples(
    keys: jax.Array,
    views: Float[Array, "b v h w 3"],
    radius: Float[Array, "b v h w"],
    *,
    points: int,
    margin: int,
) -> BlurExamples:
    """Views of composed scenes, with up to `points` edge points each and the radius there."""

    def one_view(key: jax.Array, view: jax.Array, radius: jax.Array) -> BlurExamples:
        found = canny.detect_edges(view, config=EDGES)
        chosen = choose_points(key, found, margin=margin, count=points)
        row, col = chosen.points[:, 0] + margin, chosen.points[:, 1] + margin
        return BlurExamples(view, chosen, radius[row, col])

    return for_each_view(one_view, keys, views, radius)


def for_each_view(
    function: Callable[..., Any],
    keys: jax.Array,
    views: Float[Array, "b v h w 3"],
    radius: Float[Array, "b v h w"],
) -> Any:
    """`function(key, view, radius)` of the views of scenes of all rows of a batch, one after the other.

    Their keys come from those of the rows, apart from those of the rows' other views.
    """
    own = jax.vmap(lambda key: jax.random.split(jax.random.fold_in(key, Folded.SCENE_VIEWS), views.shape[1]))(
        keys
    )
    return _flat(jax.vmap(jax.vmap(function))(own, views, radius))


def join(*examples: Any) -> Any:
    """Examples one after the other."""
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *examples)


def _flat(examples: Any) -> Any:
    """The first two axes, contents and their views, made one."""
    return jax.tree.map(lambda leaf: leaf.reshape((-1, *leaf.shape[2:])), examples)
