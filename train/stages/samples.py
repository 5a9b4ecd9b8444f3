"""From sharp crops to labelled edge points, on the device: image formation, edges, choice of points.

Everything is a function of one key per sample, so the result does not depend on how samples are spread over devices.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, UInt8

from jaxblur import synthesis
from jaxblur.config import EdgeConfig
from jaxblur.edges import canny
from train.config import FormationConfig

KERNEL_SIZE = 15  # px; holds a disk of radius 7, the widest of composites and of validation
NO_JPEG = 101.0
_SCENES = 15_485_863  # folded into the key of a row
_SOFT, _FAINT = 32_452_843, 49_979_687  # folded into that of degradations
EDGES = EdgeConfig()  # as `jaxblur.DEFAULT` has them


class Degradation(NamedTuple):
    """How one view is formed; arrays of one entry per view."""

    radius: Float[Array, "*n"]  # px
    black: Float[Array, "*n"]  # coded value that what is black has before the lens
    white: Float[Array, "*n"]
    softness: Float[Array, "*n"]  # of the lens, see `synthesis.soft_kernel`
    linear: Bool[Array, "*n"]  # blurred in linear light
    noise: Float[Array, "*n"]  # standard deviation, coded values
    quality: Float[Array, "*n"]  # of JPEG; above 100 none


class Points(NamedTuple):
    """Edge points of one view, inside its margin."""

    points: Int[Array, "k 2"]  # (row, col), px of the view without its margin
    valid: Bool[Array, " k"]


def draw_degradation(key: jax.Array, views: int, config: FormationConfig) -> Degradation:
    """Random degradations of `views` views of one content; their radii are stratified over the range."""
    keys = jax.random.split(key, 9)
    strata = jax.random.permutation(keys[0], views).astype(jnp.float32)
    share = (strata + jax.random.uniform(keys[1], (views,))) / views
    if config.levels:
        levels = jnp.asarray(config.levels, jnp.float32)
        radius = levels[jnp.minimum((share * len(config.levels)).astype(jnp.int32), len(config.levels) - 1)]
    else:
        radius = config.min_radius + (config.max_radius - config.min_radius) * share
    if config.wide_share:
        # The same strata once more: every view keeps its own share of the range.
        wide = config.max_radius * (config.wide_radius / config.max_radius) ** share
        radius = jnp.where(jax.random.bernoulli(keys[8], config.wide_share, (views,)), wide, radius)
    radius = jnp.where(jax.random.bernoulli(keys[2], config.sharp_share, (views,)), config.min_radius, radius)
    soft_key, softness_key = jax.random.split(jax.random.fold_in(key, _SOFT))
    softness = jax.random.uniform(softness_key, (views,))
    faint_key, contrast_key, black_key = jax.random.split(jax.random.fold_in(key, _FAINT), 3)
    low, high = config.contrast
    contrast = low * (high / low) ** jax.random.uniform(contrast_key, (views,))
    contrast = jnp.where(jax.random.bernoulli(faint_key, config.faint_share, (views,)), contrast, 1.0)
    black = (1 - contrast) * jax.random.uniform(black_key, (views,))
    noise = config.max_noise * jax.random.uniform(keys[3], (views,))
    low, high = config.jpeg_quality
    quality = jax.random.uniform(keys[4], (views,), minval=low, maxval=high)
    return Degradation(
        radius=radius,
        black=black,
        white=black + contrast,
        softness=jnp.where(jax.random.bernoulli(soft_key, config.soft_share, (views,)), softness, 0.0),
        linear=jax.random.bernoulli(keys[5], config.linear_share, (views,)),
        noise=jnp.where(jax.random.bernoulli(keys[6], config.noise_share, (views,)), noise, 0.0),
        quality=jnp.where(jax.random.bernoulli(keys[7], config.jpeg_share, (views,)), quality, NO_JPEG),
    )


def lens(radius: Float[Array, ""], softness: Float[Array, ""], *, size: int) -> Float[Array, "size size"]:
    """The disk of a lens, more or less soft."""
    disk = functools.partial(synthesis.disk_kernel, size=size)
    return synthesis.soft_kernel(disk, radius, softness=softness)


def coded(pixels: UInt8[Array, "*n"], black: Float[Array, ""], white: Float[Array, ""]) -> Float[Array, "*n"]:
    """Coded values of what the lens is shown: 0 of the pixels at `black`, 255 at `white`; faint if these are near."""
    return black + (white - black) * (pixels.astype(jnp.float32) / 255)


def camera(
    key: jax.Array, image: Float[Array, "h w 3"], noise: jax.Array, quality: jax.Array
) -> Float[Array, "h w 3"]:
    """What a camera does to a formed image: noise, JPEG, 8 bits."""
    image = synthesis.add_noise(key, image, read=noise, shot=0.0)
    return synthesis.quantise(synthesis.jpeg(image, quality))


def blurred_view(
    key: jax.Array, content: UInt8[Array, "h w 3"], how: Degradation, *, kernel_size: int
) -> Float[Array, "h2 w2 3"]:
    """One content as the camera sees it out of focus; kernel_size - 1 px smaller on each axis."""
    image = coded(content, how.black, how.white)
    kernel = lens(how.radius, how.softness, size=kernel_size)
    image = synthesis.blur(image, kernel, border="valid", linear_light=how.linear)
    return camera(key, image, how.noise, how.quality)


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
        how = draw_degradation(how_key, views, config)
        return blur_views(
            view_key, content, how, points=points, margin=margin, kernel_size=config.kernel_size
        )

    return _flat(jax.vmap(one_content)(keys, contents))


def blur_views(
    key: jax.Array,
    content: UInt8[Array, "h w 3"],
    how: Degradation,
    *,
    points: int,
    margin: int,
    kernel_size: int = KERNEL_SIZE,
) -> BlurExamples:
    """The views of one content under given degradations."""

    def one_view(key: jax.Array, how: Degradation) -> tuple[jax.Array, Points]:
        camera_key, point_key = jax.random.split(key)
        view = blurred_view(camera_key, content, how, kernel_size=kernel_size)
        found = canny.detect_edges(view, config=EDGES)
        return view, choose_points(point_key, found, margin=margin, count=points)

    view, chosen = jax.vmap(one_view)(jax.random.split(key, how.radius.shape[0]), how)
    return BlurExamples(view, chosen, jnp.broadcast_to(how.radius[:, None], chosen.valid.shape))


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
    own = jax.vmap(lambda key: jax.random.split(jax.random.fold_in(key, _SCENES), views.shape[1]))(keys)
    return _flat(jax.vmap(jax.vmap(function))(own, views, radius))


def join(*examples: Any) -> Any:
    """Examples one after the other."""
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *examples)


def _flat(examples: Any) -> Any:
    """The first two axes, contents and their views, made one."""
    return jax.tree.map(lambda leaf: leaf.reshape((-1, *leaf.shape[2:])), examples)
