"""Views to distil from: degraded crops with edge points, what the teacher says there, and the truth where it is known.

A view is a crop blurred as a whole, two layers, a part of a composed scene, or a part of a photo as it is, however
sharp. What the teacher says is computed once and kept on disk.
"""

import dataclasses
import functools
import hashlib
import logging
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxblur.edges import canny
from jaxblur.files.output import atomic_file
from jaxblur.network.defocus_net import DefocusNet, apply
from jaxblur.network.pointwise import image_maps, read_projections
from jaxblur.network.weights import Weights, hash_weights
from train.camera import KERNEL_SIZE, draw_degradation
from train.config import FormationConfig, TrainConfig
from train.data.source import Source, open_source
from train.scenes.views import SceneViews
from train.stages import composites, samples
from train.streams import SPLITS, Host, Split, host_rng

VIEW, MARGIN, POINTS = 80, 24, 32
"""Side of a view, px; its part in which no edge points lie, px; edge points of a view, at most."""

TAUGHT = {"blurred": 56, "layers": 24, "scenes": 32, "photos": 16}
"""Views of a file that the teacher has read."""

LABELLED = {"blurred": 256, "layers": 32, "scenes": 64, "photos": 0}
"""Views of a file with the truth alone."""

_RADII = 4  # labelled views of each content, at radii from all parts of the range
_DEPTH_FRACTION = {"layers": 0.5, "scenes": 0.25}  # of the points, at most, that are depth edges
_APART = 100_000  # labelled views show other contents than taught ones
_log = logging.getLogger(__name__)


class Views(NamedTuple):
    """Views with their edge points; NaN and -1 stand for what is not known."""

    view: Any  # (v, VIEW, VIEW, 3) uint8
    points: Any  # (v, POINTS, 2) uint8: (row, col), px of the part without margin
    valid: Any  # (v, POINTS) bool
    levels: Any  # (v, POINTS, k) float16: the teacher's ordinal logits
    depth: Any  # (v, POINTS) float16: the teacher's log-odds of a depth edge
    radius: Any  # (v, POINTS) float16: true, px
    label: Any  # (v, POINTS) int8: 0 pattern edge, 1 depth edge


class ViewSources(NamedTuple):
    """Where views come from."""

    contents: Source
    layers: Source
    photos: Source
    scenes: SceneViews


def open_sources(config: TrainConfig, scenes: SceneViews) -> ViewSources:
    """Sources of crops by the settings of the run.

    Raises:
      FileNotFoundError, ValueError: as `train.data.source.open_source`.
    """

    def source(crop_size: int) -> Source:
        return open_source(dataclasses.replace(config.data, crop_size=crop_size, seed=config.seed))

    whole, layer = (VIEW + size - 1 for size in (config.formation.kernel_size, KERNEL_SIZE))
    return ViewSources(source(whole), source(layer), source(VIEW), scenes)


def keep_views(
    folder: Path,
    sources: ViewSources,
    config: TrainConfig,
    teacher: Weights | None,
    *,
    files: int,
    split: Split = "train",
) -> list[Path]:
    """Files of views in `folder`, made unless they are there: each is a pure function of its number.

    Args:
      folder: for a folder of files that the same photos, settings and teacher find again.
      sources: of the views.
      config: of the run: how they are degraded.
      teacher: whose logits are asked for; None for labelled views, which cost a tenth.
      files: how many.
      split: whose photos.
    """
    photos = [sources.contents.photo_names(either) for either in SPLITS]
    scenes = config.network_scene, len(sources.scenes)
    made_from = config.formation, scenes, config.seed, photos, teacher and hash_weights(teacher)
    kind = "labelled" if teacher is None else "taught"
    own = folder / f"{kind}-{hashlib.sha256(repr(made_from).encode()).hexdigest()[:12]}"
    own.mkdir(parents=True, exist_ok=True)
    paths = [own / f"{split}_{number:05d}.npz" for number in range(files)]
    for number, path in enumerate(paths):
        if not path.exists():
            views = make_views(sources, config, teacher, number, split=split)
            with atomic_file(path) as file:
                np.savez(file, **views._asdict())
            _log.info("%s views: %d of %d files", kind, number + 1, files)
    return paths


def make_views(
    sources: ViewSources, config: TrainConfig, teacher: Weights | None, number: int, *, split: Split
) -> Views:
    """The views of a file.

    Args:
      sources: of the views.
      config: of the run.
      teacher: see `keep_views`.
      number: of the file.
      split: whose photos.
    """
    counts = LABELLED if teacher is None else TAUGHT
    batch = number + (_APART if teacher is None else 0)
    key = jax.random.fold_in(jax.random.key(config.seed), SPLITS.index(split))
    blurred_key, layer_key, scene_key, photo_key = jax.random.split(jax.random.fold_in(key, batch), 4)
    radii = _RADII if teacher is None else 1

    def read(made: tuple[jax.Array, samples.Points, jax.Array, jax.Array], *, depth: bool = True) -> Views:
        view, where, radius, label = made
        if teacher is None:
            nothing = np.full((*where.valid.shape, len(config.network.levels)), np.nan)
            levels, odds = nothing[..., 1:], nothing[..., 0]
        else:
            levels, odds = _teacher_logits(teacher.variables, teacher.network, view, where.points, depth)
        return Views(
            view=np.rint(np.asarray(view) * 255).astype(np.uint8),
            points=np.asarray(where.points, np.uint8),
            valid=np.asarray(where.valid),
            levels=np.asarray(levels, np.float16),
            depth=np.asarray(odds, np.float16),
            radius=np.asarray(radius, np.float16),
            label=np.asarray(label, np.int8),
        )

    def drawn(source: Source, count: int) -> Source:
        return source.recut(dataclasses.replace(source.config, contents_per_batch=count))

    contents = drawn(sources.contents, counts["blurred"] // radii).contents(batch, split=split)["content"]
    layers = drawn(sources.layers, counts["layers"]).layers(batch, split=split)
    cut = sources.scenes.cut(batch, 0, count=counts["scenes"], size=VIEW)
    keys = functools.partial(jax.random.split, num=counts["scenes"])
    made = [
        read(
            _blurred_views(
                jax.random.split(blurred_key, len(contents)), contents, config=config.formation, views=radii
            ),
            depth=False,
        ),
        read(_layer_views(jax.random.split(layer_key, counts["layers"]), layers, config=config.formation)),
        read(_scene_views(keys(scene_key), cut["scene_view"], cut["scene_radius"])),
    ]
    if counts["photos"]:
        views = drawn(sources.photos, counts["photos"]).plain(batch, split=split)["content"]
        rng = host_rng(config.seed, Host.DISTIL_CAMERA, split, batch, 0)
        views = np.stack([_shot_again(rng, view) for view in views]).astype(np.float32) / 255
        made.append(read(_plain_views(jax.random.split(photo_key, counts["photos"]), views)))
    return Views(*(np.concatenate(parts) for parts in zip(*made, strict=True)))


def _shot_again(rng: np.random.Generator, view: np.ndarray) -> np.ndarray:
    """A third of the parts of photos get noise and JPEG of their own."""
    if rng.random() >= 1 / 3:
        return view
    noise = rng.normal(scale=rng.uniform(0, 5), size=view.shape)
    noisy = np.clip(view + noise, 0, 255).astype(np.uint8)
    coded = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 98))])[1]
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


@functools.partial(jax.jit, static_argnames=("config", "views"))
def _blurred_views(
    keys: jax.Array, contents: jax.Array, *, config: FormationConfig, views: int
) -> tuple[jax.Array, samples.Points, jax.Array, jax.Array]:
    """Crops blurred as a whole: the radius is known, and no edge is a depth edge."""
    made = samples.blur_examples(keys, contents, views=views, points=POINTS, margin=MARGIN, config=config)
    return made.views, made.points, made.radius, jnp.zeros(made.radius.shape, jnp.int32)


@functools.partial(jax.jit, static_argnames="config")
def _layer_views(
    keys: jax.Array, layers: dict[str, jax.Array], *, config: FormationConfig
) -> tuple[jax.Array, samples.Points, jax.Array, jax.Array]:
    """Two layers: their depth edges are known, radii are left to the teacher."""

    def one(key: jax.Array, layers: dict[str, jax.Array]) -> Any:
        how_key, radius_key, camera_key, point_key = jax.random.split(key, 4)
        how = draw_degradation(how_key, 1, config.camera, max_noise=config.max_noise)
        how = jax.tree.map(lambda leaf: leaf[0], how)
        scene = composites.compose(camera_key, layers, composites.draw_radii(radius_key, config), how)
        where = _choose(point_key, scene.edges, scene.label, _DEPTH_FRACTION["layers"])
        return scene.view, where, jnp.full((POINTS,), jnp.nan), _at(scene.label, where)

    return jax.vmap(one)(keys, layers)


@jax.jit
def _scene_views(
    keys: jax.Array, views: jax.Array, radius: jax.Array
) -> tuple[jax.Array, samples.Points, jax.Array, jax.Array]:
    """Parts of composed scenes: radius and depth edges are known."""

    def one(key: jax.Array, view: jax.Array, radius: jax.Array) -> Any:
        label = composites.step_labels(radius)
        found = canny.detect_edges(view, config=samples.EDGES)
        where = _choose(key, found, label, _DEPTH_FRACTION["scenes"])
        return view, where, _at(radius, where), _at(label, where)

    return jax.vmap(one)(keys, views, radius)


@jax.jit
def _plain_views(keys: jax.Array, views: jax.Array) -> tuple[jax.Array, samples.Points, jax.Array, jax.Array]:
    """Photos as they are: nothing is known."""

    def one(key: jax.Array, view: jax.Array) -> Any:
        found = canny.detect_edges(view, config=samples.EDGES)
        where = samples.choose_points(key, found, margin=MARGIN, count=POINTS)
        return view, where, jnp.full((POINTS,), jnp.nan), jnp.full((POINTS,), -1)

    return jax.vmap(one)(keys, views)


def _choose(key: jax.Array, edges: jax.Array, label: jax.Array, depth_fraction: float) -> samples.Points:
    """Edge points: depth edges first, up to that fraction, then any others."""
    depth_key, other_key = jax.random.split(key)
    count = round(POINTS * depth_fraction)
    depth = samples.choose_points(depth_key, edges & (label == 1), margin=MARGIN, count=count)
    other = samples.choose_points(other_key, edges & (label != 1), margin=MARGIN, count=POINTS - count)
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), depth, other)


def _at(plane: jax.Array, where: samples.Points) -> jax.Array:
    return plane[where.points[:, 0] + MARGIN, where.points[:, 1] + MARGIN]


@functools.partial(jax.jit, static_argnames=("network", "ask_depth"))
def _teacher_logits(
    variables: Any,
    network: Any,
    views: Float[Array, "v h w 3"],
    points: Int[Array, "v k 2"],
    ask_depth: bool,
) -> tuple[Float[Array, "v k levels"], Float[Array, "v k"]]:
    """Logits of B-Net and log-odds of E-Net, view by view; NaN for the latter if it is not asked."""
    spare = MARGIN - network.margin
    inner = views[:, spare:-spare, spare:-spare]

    def one(inputs: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        view, rc = inputs
        maps = image_maps(variables, network, view)
        levels = apply(variables, network, DefocusNet.blur_logits, read_projections(maps["b"], rc, network))
        if not ask_depth:
            return levels, jnp.full(levels.shape[:1], jnp.nan)
        depth = apply(variables, network, DefocusNet.depth_logits, read_projections(maps["e"], rc, network))
        return levels, depth[:, 1] - depth[:, 0]

    return jax.lax.map(one, (inner, points))
