"""What the frozen networks say of composed scenes, kept on disk: the multiscale stage then trains in minutes."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxblur.config import Config, MultiScale, Precision, SingleScale
from jaxblur.image.pyramid import count_scales
from jaxblur.image.size import pad_to_shape, size_bucket
from jaxblur.multiscale import fuse
from jaxblur.multiscale.in_program import InProgram, PaddedPhoto
from jaxblur.multiscale.parameters import MultiscaleParameters
from jaxblur.multiscale.run import read_scales
from jaxblur.network.config import NetworkConfig
from jaxblur.network.readout import EdgeReading, ScaleReading
from jaxblur.network.weights import Weights, hash_weights
from jaxblur.propagation.domain_transform import guide_gradient, smooth_guide
from jaxblur.runtime import parallel
from train.data.source import Source
from train.scenes.cache import kept_batches
from train.scenes.compose import draw_scenes
from train.scenes.config import SceneConfig
from train.streams import Split

Scene = dict[str, Any]


def scene_readings(
    folder: Path, source: Source, config: SceneConfig, weights: Weights, *, count: int, split: Split
) -> list[Scene]:
    """Scenes with their readings, from `folder` as far as they are there, else composed, read and put there.

    Args:
      folder: for one file per batch of scenes; the same weights, photos and settings find them again.
      source: from `compose.scene_source`.
      config: of the scenes; `config.scenes_per_batch` make up a file.
      weights: the frozen networks.
      count: of scenes, at least.
      split: whose photos.

    Returns:
      Dicts of NumPy arrays, each with a leading axis of `config.scenes_per_batch`: `radius` (v, v) px, `across` and
      `down` (v, v) gradients of the guide, and for each scale s `edges_s` bool and `radius_s`, `deviation_s`,
      `reliability_s`, `depth_s` as in `EdgeReading`.
    """

    devices = jax.local_devices()  # every host reads for itself
    mapped = parallel.map_devices(_read_scenes, devices=devices)

    def read(number: int) -> Scene:
        views, radius = draw_scenes(source, config, number, split=split)
        rows, _ = parallel.pad_and_shard(views, devices=devices)
        planes = mapped(parallel.replicate(weights, devices=devices), rows)
        return {**parallel.unshard(planes, num_rows=len(views)), "radius": np.asarray(radius, np.float32)}

    return kept_batches(
        folder, "readings", source, config, read, count=count, split=split, made_with=hash_weights(weights)
    )


def read_view(weights: Weights, view: Float[Array, "h w 3"], *, precision: Precision = "float32") -> Scene:
    """What the networks and the guide say of one view, in [0, 1]: planes as in `scene_readings`, all float32."""
    height, width = view.shape[:2]
    tiles, size = size_bucket(height, width), jnp.asarray([height, width], jnp.int32)
    photo = PaddedPhoto(pad_to_shape(view, tiles.shape), size, tiles)
    config = Config(
        propagation=SingleScale(readout="expectation"), precision=precision
    )  # fusion is done later
    readings = read_scales(InProgram(weights, size, config), photo, None, count=count_scales(height, width))
    across, down = guide_gradient(smooth_guide(view, None, config=MultiScale().guide))
    scene: Scene = {"across": across, "down": down}
    for scale, (reading, edges) in enumerate(readings):
        inside = slice(height >> scale), slice(width >> scale)
        scene[f"edges_{scale}"] = edges[inside]
        scene |= {f"{name}_{scale}": plane[inside] for name, plane in reading._asdict().items()}
    return scene


def own_scenes(count: int) -> range:
    """This host's scenes among the `count` of a step.

    Raises:
      ValueError: they do not divide by the number of hosts.
    """
    own, rest = divmod(count, jax.process_count())
    if rest:
        raise ValueError(
            f"scenes per step must be a multiple of the number of processes {jax.process_count()}, got {count}"
        )
    return range(jax.process_index() * own, (jax.process_index() + 1) * own)


def smooth_scene(
    parameters: MultiscaleParameters, scene: Scene, network: NetworkConfig
) -> tuple[Float[Array, "3 h w"], Float[Array, " 3"]]:
    """`fuse.smooth` of the readings of one scene.

    Args:
      parameters: of the fusion.
      scene: planes of `read_view`, of any floating-point type.
      network: that read them.
    """
    shape = scene["across"].shape
    scales = count_scales(*shape)
    readings = []
    for scale in range(scales):
        planes = (scene[f"{name}_{scale}"].astype(jnp.float32) for name in EdgeReading._fields)
        readings.append(ScaleReading(EdgeReading(*planes), scene[f"edges_{scale}"]))
    evidence = fuse.gather(parameters, readings, network, shape=shape, scales=jnp.asarray(scales, jnp.int32))
    gradient = scene["across"].astype(jnp.float32), scene["down"].astype(jnp.float32)
    return fuse.smooth(parameters, evidence, gradient)


def _read_scenes(weights: Weights, views: Float[Array, "b h w 3"]) -> Scene:
    """What is kept of some views: numbers in half the bytes."""

    def read(view: jax.Array) -> Scene:
        scene = read_view(weights, view)
        return {
            name: plane if plane.dtype == bool else plane.astype(jnp.float16) for name, plane in scene.items()
        }

    return jax.lax.map(read, views)
