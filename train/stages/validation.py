"""Held-out validation of B-Net, per radius and per mix of degradations, for any weights of the same interface."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxblur.network.config import NetworkConfig
from jaxblur.network.defocus_net import apply, level_probabilities
from train.camera import KERNEL_SIZE, NO_JPEG, Degradation
from train.config import TrainConfig
from train.data.source import Source
from train.scenes.views import SceneViews
from train.stages import forward, losses, samples
from train.streams import Seed

MIXES = ("clean", "noise", "linear", "jpeg", "soft", "low_contrast", "hard_gamma", "hard_linear")

# Fixed here: results compare whatever a run was trained on.
_MAX_NOISE, _JPEG_QUALITY = 0.02, (60.0, 97.0)
_LOW_CONTRAST = 0.35, 0.65  # black and white of the mix of that name


class HeldOutBlur(NamedTuple):
    """Held-out views by mix; each field has leading axes (contents, radii)."""

    radii: tuple[float, ...]
    views: dict[str, samples.BlurExamples]


def degradation(key: jax.Array, mix: str, count: int) -> Degradation:
    """How `count` pictures of a mix are taken; hard: noise to 2 %, JPEG on half of them, in one light model each.

    Args:
      key: ().
      mix: one of `MIXES`.
      count: of pictures.
    """
    noise_key, quality_key, jpeg_key = jax.random.split(key, 3)
    low, high = _JPEG_QUALITY
    noise = _MAX_NOISE * jax.random.uniform(noise_key, (count,))
    quality = jax.random.uniform(quality_key, (count,), minval=low, maxval=high)
    hard = mix.startswith("hard")
    black, white = _LOW_CONTRAST if mix == "low_contrast" else (0.0, 1.0)
    jpeg = jax.random.bernoulli(jpeg_key, 0.5, (count,)) if hard else jnp.full((count,), mix == "jpeg")

    def full(value: float) -> jax.Array:
        return jnp.full((count,), value, jnp.float32)  # of one type for all mixes, which then share a program

    return Degradation(
        black=full(black),
        white=full(white),
        softness=full(1.0 if mix == "soft" else 0.0),
        linear=jnp.full((count,), mix in ("linear", "soft", "hard_linear")),
        noise=noise if hard else full(0.01 if mix == "noise" else 0.0),
        quality=jnp.where(jpeg, quality, NO_JPEG),
    )


def held_out_blur(source: Source, config: TrainConfig) -> HeldOutBlur:
    """Blurred versions of held-out crops at every radius of `config.validation` and every mix."""
    wanted = config.validation.contents
    # The same crops whatever the run draws and blurs its own with: results compare.
    source = source.for_validation(config.blur.view_size + KERNEL_SIZE - 1)
    contents = []
    for step in range(-(-wanted // source.config.contents_per_batch)):
        contents.append(source.contents(step, split="held_out")["content"])
    content = np.concatenate(contents)[:wanted]
    radii = jnp.asarray(config.validation.radii, jnp.float32)

    @jax.jit
    def make(key: jax.Array, content: jax.Array, how: Degradation) -> samples.BlurExamples:
        return samples.blur_views(
            key, content, radii, how, points=config.validation.points, margin=config.network.margin
        )

    views = {}
    for mix in MIXES:
        how_keys, view_keys = jax.random.split(jax.random.key(Seed.BLUR_VALIDATION), (2, wanted))
        made = [
            make(view_keys[i], content[i], degradation(how_keys[i], mix, len(radii))) for i in range(wanted)
        ]
        views[mix] = jax.tree.map(lambda *leaves: np.stack(leaves), *made)
    return HeldOutBlur(config.validation.radii, views)


@functools.partial(jax.jit, static_argnames="network")
def _errors(variables: Any, network: NetworkConfig, views: samples.BlurExamples) -> jax.Array:
    """Absolute error at every point, (radii, points); 0 where there is none."""
    points = views.points
    logits = apply(variables, network, forward.blur_logits, views.views, points.points, points.valid)
    expected = level_probabilities(logits, network) @ jnp.asarray(network.levels, jnp.float32)
    error = jnp.abs(expected.reshape(views.points.valid.shape) - views.radius)
    return jnp.where(views.points.valid, error, 0.0)


def blur_errors(
    variables: Any, network: NetworkConfig, held_out: HeldOutBlur
) -> dict[str, dict[float, float]]:
    """Mean absolute error, px, of the expectation over levels: by mix, by radius."""
    report = {}
    for mix, views in held_out.views.items():
        errors = [
            np.asarray(_errors(variables, network, jax.tree.map(lambda leaf, i=i: leaf[i], views)))
            for i in range(views.radius.shape[0])
        ]
        sums = np.sum(errors, axis=(0, 2))
        counts = views.points.valid.sum((0, 2))
        report[mix] = {r: float(s / max(c, 1)) for r, s, c in zip(held_out.radii, sums, counts, strict=True)}
    return report


def scene_error(variables: Any, network: NetworkConfig, scenes: SceneViews, config: TrainConfig) -> float:
    """Mean absolute error, px of the view, at edge points of views of composed scenes, at all their scales.

    Radii beyond the last level count as that. 4 views for each content of `config.validation`.
    """
    total, count = 0.0, 0.0
    for place in range(config.validation.contents):
        cut = scenes.cut(0, place, count=4, size=config.blur.view_size)
        error, number = _scene_errors(
            variables, network, config, jax.random.key(Seed.BLUR_VALIDATION + place), cut
        )
        total, count = total + float(error), count + float(number)
    return total / max(count, 1.0)


@functools.partial(jax.jit, static_argnames=("network", "config"))
def _scene_errors(
    variables: Any, network: NetworkConfig, config: TrainConfig, key: jax.Array, cut: dict[str, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    views, radius = cut["scene_view"][None], cut["scene_radius"][None]
    examples = samples.scene_examples(
        key[None], views, radius, points=config.validation.points, margin=network.margin
    )
    where = examples.points
    logits = apply(variables, network, forward.blur_logits, examples.views, where.points, where.valid)
    error = losses.level_metrics(logits, examples.radius.reshape(-1), network)["error_px"]
    valid = where.valid.reshape(-1)
    return jnp.where(valid, error, 0.0).sum(), valid.sum()
