"""The settings that have names: what `python -m train --preset` takes."""

import dataclasses
import functools

from jaxblur.network.config import ColumnConfig, NetworkConfig
from train.camera import CameraConfig
from train.config import (
    FormationConfig,
    JointConfig,
    MultiscaleConfig,
    OptimiserConfig,
    StageConfig,
    TrainConfig,
    ValidationConfig,
)
from train.data.config import DataConfig

_DEFAULT_NETWORK = NetworkConfig(
    normalisation="batch", level_head="ordinal", input_offset=0.5, input_scale=3.0
)


def default(data: DataConfig) -> TrainConfig:
    """The best recipe found: batch normalisation folded at the end, ordinal loss, Muon, hard mixes in both lights.

    B-Net sees crops blurred as a whole, E-Net composites of two layers, and both as many views of composed scenes, in
    which the radius changes from place to place and cameras leave more traces.

    Three crops in ten go through a soft lens: real lenses have rims less sharp than a disk's, and networks that saw
    none read them too low. Four in ten show less contrast, as in haze or dim light: networks that saw none take what is
    low in contrast for blurred.

    Radii go beyond the last level, some of them far, so that what is blurrier still is read as the last level and not
    below it: what the smaller copies of a photo are read for relies on it.
    """
    return TrainConfig(
        preset="default",
        network=_DEFAULT_NETWORK,
        blur=StageConfig(steps=20000, contents=64, views=1, points=2, scene_views=1),
        edges=StageConfig(steps=2000, contents=32, views=1, points=4, scene_views=1),
        network_scene_count=2048,
        formation=FormationConfig(
            max_radius=7.0,
            wide_probability=0.12,
            sharp_probability=0.15,
            camera=CameraConfig(
                soft_probability=0.3,
                low_contrast_probability=0.4,
                noise_probability=0.5,
                jpeg_probability=0.4,
            ),
        ),
        data=data,
    )


def paper(data: DataConfig) -> TrainConfig:
    """What is known of the paper's recipe.

    250 + 250 photos blurred as a whole on gamma-encoded values at the 23 levels; 200 objects over 200 backgrounds at
    4 levels; softmax cross-entropy, Adam with default betas, Glorot init, dropout on the dense layers, strong L2 on
    E-Net's. Number of steps, rates, dropout and the L2 strength are not known; these are ours.
    """
    network = NetworkConfig(dropout=0.5)
    adam = OptimiserConfig(
        name="adam", adam_rate=1e-3, average=0.0, decay_fraction=0.0, warmup_steps=0, clip_norm=0.0
    )
    return TrainConfig(
        preset="paper",
        network=network,
        blur=StageConfig(steps=20000, optimiser=adam),
        edges=StageConfig(
            steps=5000, contents=16, views=1, optimiser=dataclasses.replace(adam, dense_l2=1e-2)
        ),
        formation=FormationConfig(
            levels=network.levels,
            sharp_probability=0.0,
            camera=CameraConfig(linear_probability=0.0, noise_probability=0.0, jpeg_probability=0.0),
        ),
        data=data,
    )


_SMALL_NETWORK = dataclasses.replace(
    _DEFAULT_NETWORK,
    stem=("conv4",),
    step=2,
    patch=42,
    columns=(
        ColumnConfig(size=20, layers=("pool2", "conv3", "conv3")),
        ColumnConfig(size=14, layers=("conv3", "pool2")),
        ColumnConfig(size=10, layers=("conv3", "conv3")),
    ),
    depth_column=None,
    width=48,
    trunk=("conv3", "conv3", "conv2:64"),
    hidden=(64, 48),
)


def small(data: DataConfig) -> TrainConfig:
    """The recipe of `default` with networks of a tenth of the arithmetic, that read cells of 2 x 2 px.

    They are distilled first (`python -m train.distil`), and may go on from there with this preset.
    """
    return dataclasses.replace(default(data), preset="small", network=_SMALL_NETWORK)


_SMOKE_COLUMN = ColumnConfig(size=23, layers=("conv3", "pool3", "conv1"))


def smoke(data: DataConfig) -> TrainConfig:
    """A few steps of everything with tiny networks, in two minutes of one CPU core: proves that it runs.

    Nearly all of that time is compilation, so the networks have few layers too.
    """
    full = default(data)
    network = dataclasses.replace(
        full.network,
        columns=(_SMOKE_COLUMN, ColumnConfig(size=9, layers=("conv3", "conv1"))),
        depth_column=_SMOKE_COLUMN,
        trunk=("conv3", "conv3", "conv3"),
        width=4,
        hidden=(8, 8),
    )
    small = functools.partial(dataclasses.replace, view_size=64, scenes_per_batch=2, max_radius=8.0, slices=4)
    few = {"contents": 2, "view_size": 48, "points": 4, "views": 1, "scene_views": 1}
    return dataclasses.replace(
        full,
        preset="smoke",
        network=network,
        blur=dataclasses.replace(full.blur, steps=6, **few),
        edges=dataclasses.replace(full.edges, steps=4, **few),
        network_scene_count=2,
        multiscale=MultiscaleConfig(steps=3, training_scenes=2, held_out_scenes=2),
        joint=JointConfig(steps=2, scenes_per_step=2),
        multiscale_scene=small(full.multiscale_scene),
        network_scene=small(full.network_scene),
        validation=ValidationConfig(contents=2, radii=(0.5, 3.0, 6.0), points=8, statistics_batches=2),
    )


PRESETS = {"default": default, "small": small, "paper": paper, "smoke": smoke}
