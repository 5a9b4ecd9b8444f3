"""Whole random scenes with exact blur radius for training the map: photos on slanted planes, one before another.

What a scene shows and how it is taken is drawn on the host, per (seed, split, step, place in the batch); the image is
formed on the device.
"""

import dataclasses
import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt8, UInt32

from jaxblur import synthesis
from train.camera import NO_JPEG, shown
from train.data.config import DataConfig
from train.data.source import Source, open_source
from train.scenes import layers
from train.scenes.config import APERTURES, SceneConfig
from train.streams import Host, Split, host_rng

MAX_LAYERS = 5  # background included
_SAMPLES = 3  # layer samples of the source per scene: up to three objects, and three photos without a cut
_MAX_SIGMA, _CELLS = 0.4, 6  # of the gate: large crops are seldom as sharp everywhere as small ones
_CAT_EYE = 0.5  # largest shift between the two rims, in radii
_JPEG_BLOCK = 16  # px, with halved chroma
_SUBSAMPLED = 0.7  # probability that a JPEG file has halved chroma


class Scenes(NamedTuple):
    """Views as a camera gives them and the radius of what is seen, px."""

    views: Float[Array, "b v v 3"]
    radius: Float[Array, "b v v"]


class Camera(NamedTuple):
    """How a scene is taken."""

    aperture: Int[Array, ""]  # index into `APERTURES`
    rotation: Float[Array, ""]  # of the blades, radians
    shift: Float[Array, "2"]  # of the cat's eye
    softness: Float[Array, ""]  # see `synthesis.soft_kernel`
    black: Float[Array, ""]  # gamma-encoded value that what is black has before the lens
    white: Float[Array, ""]
    linear: Bool[Array, ""]  # blurred in linear light
    read: Float[Array, ""]  # noise, linear light
    shot: Float[Array, ""]
    luma: Float[Array, ""]  # strength of softening, see `synthesis.soften`
    chroma: Float[Array, ""]
    sharpen: Float[Array, ""]
    quality: Float[Array, ""]  # of JPEG; above 100 none
    subsample: Bool[Array, ""]
    phase: Int[Array, "2"]  # of the JPEG blocks, px
    quantise: Bool[Array, ""]
    seed: UInt32[Array, ""]  # of the noise


class Shot(NamedTuple):
    """A drawn scene before its image is formed; layers that it lacks are transparent."""

    images: UInt8[Array, "n s s 3"]
    alphas: UInt8[Array, "n s s"]
    planes: Float[Array, "n 3"]  # signed circle of confusion, px; see `synthesis.plane_radius`
    camera: Camera


def scene_data(data: DataConfig, config: SceneConfig) -> DataConfig:
    """Settings of the source of what scenes are made of: `data` with crops of the size of a view."""
    size = config.view_size
    gate = dataclasses.replace(data.gate, max_sigma=_MAX_SIGMA, cell=max(data.gate.cell, size // _CELLS))
    crops_per_batch = _SAMPLES * config.scenes_per_batch
    return dataclasses.replace(
        data, crop_size=size, contents_per_batch=crops_per_batch, outline_probability=1.0, gate=gate
    )


def scene_source(data: DataConfig, config: SceneConfig) -> Source:
    """The source of what scenes are made of, see `scene_data`.

    Raises:
      FileNotFoundError, ValueError: as `train.data.source.open_source`.
    """
    return open_source(scene_data(data, config))


def draw_scenes(source: Source, config: SceneConfig, step: int, *, split: Split = "train") -> Scenes:
    """A batch of scenes, the same for the same source seed, split and step.

    Args:
      source: from `scene_source` with the same `config`.
      config: see `SceneConfig`.
      step: number of the batch.
      split: whose photos.

    Returns:
      `config.scenes_per_batch` views, float32 in [0, 1], and their radius, float32, px.
    """
    formed = [form_scene(shot, config=config) for shot in draw_shots(source, config, step, split=split)]
    return Scenes(*(jnp.stack(part) for part in zip(*formed, strict=True)))


def draw_shots(source: Source, config: SceneConfig, step: int, *, split: Split = "train") -> list[Shot]:
    """The scenes of a batch before their images are formed; arguments as in `draw_scenes`."""
    batch = source.layers(step, split=split)
    shots = []
    for place in range(config.scenes_per_batch):
        own = slice(place * _SAMPLES, (place + 1) * _SAMPLES)
        rng = host_rng(source.config.seed, Host.SCENES, split, step, place)
        shots.append(_draw_shot(rng, config, {name: part[own] for name, part in batch.items()}))
    return shots


def form_scene(shot: Shot, *, config: SceneConfig) -> tuple[Float[Array, "v v 3"], Float[Array, "v v"]]:
    """The view, in [0, 1], and its radius, px: lens, sensor, and file."""
    return _form_scene(shot, margin=config.margin, max_radius=config.max_radius, slices=config.slices)


# Without the rest of the settings: scenes that differ in what is drawn share one compiled program.
@functools.partial(jax.jit, static_argnames=("margin", "max_radius", "slices"))
def _form_scene(shot: Shot, *, margin: int, max_radius: float, slices: int) -> tuple[Array, Array]:
    size, camera = 2 * margin + 1, shot.camera
    apertures = [
        lambda radius: synthesis.disk_kernel(radius, size=size),
        lambda radius: synthesis.cat_eye_kernel(radius, shift=camera.shift, size=size),
    ] + [
        functools.partial(synthesis.polygon_kernel, blades=blades, rotation=camera.rotation, size=size)
        for blades in (5, 6, 8)
    ]

    def kernel(radius: jax.Array) -> jax.Array:
        return jax.lax.switch(camera.aperture, apertures, radius)

    view, radius = synthesis.render_scene(
        shown(shot.images, camera.black, camera.white),
        shot.alphas.astype(jnp.float32) / 255,
        shot.planes,
        kernel=functools.partial(synthesis.soft_kernel, kernel, softness=camera.softness),
        max_radius=max_radius,
        linear_light=camera.linear,
        slices=slices,
    )
    return _expose(view, camera), radius


def _expose(view: Array, camera: Camera) -> Array:
    """What sensor and file make of the image that the lens forms."""
    key = jax.random.key(camera.seed)
    view = synthesis.add_noise(key, view, read=camera.read, shot=camera.shot, linear_light=True)
    view = synthesis.soften(view, luma=camera.luma, chroma=camera.chroma)
    view = synthesis.sharpen(view, strength=camera.sharpen)
    view = jnp.clip(view, 0.0, 1.0)
    # A view is a part of a photo, so the blocks of JPEG start anywhere in it.
    padded = jnp.pad(view, [(_JPEG_BLOCK, 0), (_JPEG_BLOCK, 0), (0, 0)], mode="edge")
    compressed = synthesis.jpeg(
        jnp.roll(padded, -camera.phase, (0, 1)), camera.quality, subsample=camera.subsample
    )
    view = jnp.roll(compressed, camera.phase, (0, 1))[_JPEG_BLOCK:, _JPEG_BLOCK:]
    return jnp.where(camera.quantise, synthesis.quantise(view), view)


def _draw_shot(rng: np.random.Generator, config: SceneConfig, parts: dict[str, np.ndarray]) -> Shot:
    side = config.view_size + 2 * config.margin
    images, alphas = (
        np.zeros((MAX_LAYERS, side, side, 3), np.uint8),
        np.zeros((MAX_LAYERS, side, side), np.uint8),
    )
    alphas[0] = 255
    photos = [layers.mirrored(photo, config.margin) for photo in parts["background"]]
    (collages,) = rng.spawn(1)  # apart, so that all else is the same whatever their probability
    images[0] = photos[0]
    if rng.random() < config.plain_background_probability:
        images[0] = layers.plain(rng, parts["background"][0], side)
    if collages.random() < config.collage_probability:
        images[0] = layers.collage(collages, images[0], photos[1:])
    objects = list(zip(parts["foreground"], parts["alpha"], strict=True))
    count = 1 + int(rng.choice([1, 2, 3, 4], p=[0.3, 0.35, 0.2, 0.15]))
    for layer in range(1, count):
        if objects and rng.random() < config.object_probability:
            images[layer], alphas[layer] = layers.placed(rng, *objects.pop(), side)
        else:
            images[layer] = photos[1 + rng.integers(len(photos) - 1)]
            alphas[layer] = layers.random_outline(rng, side)
        if rng.random() < config.plain_probability:
            images[layer] = layers.plain(rng, images[layer], side)
        if collages.random() < config.collage_probability:
            images[layer] = layers.collage(collages, images[layer], photos)
    planes = _draw_planes(rng, config, alphas[:count])
    planes = np.concatenate([planes, np.zeros((MAX_LAYERS - count, 3))]).astype(np.float32)
    return Shot(jnp.asarray(images), jnp.asarray(alphas), jnp.asarray(planes), _draw_camera(rng, config))


def _draw_planes(
    rng: np.random.Generator, config: SceneConfig, alphas: np.ndarray
) -> Float[np.ndarray, "n 3"]:
    """Signed circles of confusion: affine in inverse depth, which is affine in the place on a plane.

    Each layer lies at least a random gap before everything behind it, wherever it covers anything.
    """
    view, margin = config.view_size, config.margin
    place = (np.arange(-margin, view + margin) - (view - 1) / 2) / (view / 2)
    inner = (slice(margin, margin + view),) * 2
    nearness = np.zeros((len(alphas), 3))  # inverse depth as a plane, any unit
    front, owner = np.zeros(alphas.shape[1:]), np.zeros(alphas.shape[1:], int)
    for layer, alpha in enumerate(alphas):
        slope = np.zeros(2)
        if rng.random() < config.slant_probability:
            slope = rng.normal(scale=0.15, size=2)
            if layer == 0:  # the ground, mostly: nearer below
                slope += [rng.uniform(0.2, 1.0) * rng.choice([1.0, -0.5, 0.0], p=[0.75, 0.1, 0.15]), 0.0]
        own = slope[0] * place[:, None] + slope[1] * place[None, :]
        covered = alpha > 0
        if layer and covered.any():
            own_height = (front - own)[covered].max() + rng.choice([0.02, 0.4, 1.2]) * rng.uniform(0.5, 1.0)
            own, nearness[layer, 0] = own + own_height, own_height
        nearness[layer, 1:] = slope
        front = np.where(covered, own, front)
        owner = np.where(alpha >= 128, layer, owner)
    seen = front[inner]
    if rng.random() < config.focus_probability:
        on_layer = owner[inner] == rng.choice(np.unique(owner[inner]))
        focus = rng.choice(seen[on_layer])
    else:
        reach = max(float(np.ptp(seen)), 0.1)
        focus = rng.uniform(seen.min() - reach, seen.max() + reach)
    peak = math.exp(rng.uniform(math.log(config.min_peak), math.log(config.max_radius)))
    scale = peak / max(float(np.abs(seen - focus).max()), 0.05)
    return scale * (np.array([focus, 0.0, 0.0]) - nearness)


def _draw_camera(rng: np.random.Generator, config: SceneConfig) -> Camera:
    camera = config.camera
    noisy, softened = rng.random() < camera.noise_probability, rng.random() < config.soften_probability
    sharpened, compressed = rng.random() < config.sharpen_probability, rng.random() < camera.jpeg_probability
    angle, length = rng.uniform(0, 2 * math.pi), rng.uniform(0.15, _CAT_EYE)
    quality = rng.uniform(*camera.jpeg_quality)
    (tones,) = rng.spawn(1)  # apart, as `collages` are
    low_contrast = tones.random() < camera.low_contrast_probability
    contrast = _log_uniform(tones, camera.contrast) if low_contrast else 1.0
    black = (1 - contrast) * tones.uniform()
    return Camera(
        aperture=jnp.int32(rng.choice(len(APERTURES), p=config.aperture_probabilities)),
        rotation=jnp.float32(rng.uniform(0, 2 * math.pi)),
        shift=jnp.array([length * math.sin(angle), length * math.cos(angle)], jnp.float32),
        linear=jnp.bool_(rng.random() < camera.linear_probability),
        read=jnp.float32(noisy * _log_uniform(rng, config.read_noise)),
        shot=jnp.float32(noisy * _log_uniform(rng, config.shot_noise)),
        luma=jnp.float32(softened * rng.uniform(0, config.max_soften)),
        chroma=jnp.float32(softened * rng.uniform(0, 1)),
        sharpen=jnp.float32(sharpened * rng.uniform(0, config.max_sharpen)),
        quality=jnp.float32(quality if compressed else NO_JPEG),
        subsample=jnp.bool_(rng.random() < _SUBSAMPLED),
        phase=jnp.asarray(rng.integers(_JPEG_BLOCK, size=2), jnp.int32),
        quantise=jnp.bool_(rng.random() < config.quantise_probability),
        seed=jnp.uint32(rng.integers(2**32)),
        softness=jnp.float32((rng.random() < camera.soft_probability) * rng.uniform()),
        black=jnp.float32(black),
        white=jnp.float32(black + contrast),
    )


def _log_uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    return math.exp(rng.uniform(math.log(limits[0]), math.log(limits[1])))
