"""Settings of a training run."""

import dataclasses
import math
from pathlib import Path
from typing import Literal

from jaxblur.config import Precision
from jaxblur.network.config import NetworkConfig
from train.camera import KERNEL_SIZE, CameraConfig
from train.data.config import DataConfig
from train.scenes.config import SCENE_CAMERA, SceneConfig
from train.settings import check_counts, check_fractions

STAGES = ("blur", "edges", "multiscale", "joint")
"""In the order in which they are trained; "joint" only if it is asked for."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FormationConfig:
    """How sharp crops become blurred views. Ranges are drawn uniformly; probabilities are per view."""

    min_radius: float = 0.5  # px, disk
    max_radius: float = 6.0
    wide_probability: float = 0.0  # of blur beyond `max_radius`, whose label is the last level
    wide_radius: float = 24.0  # px, up to which; drawn log-uniformly
    sharp_probability: float = 0.08  # of views left exactly sharp (radius 0.5 and less is a delta)
    levels: tuple[float, ...] = ()  # draw from these radii instead of the whole range
    camera: CameraConfig = CameraConfig()
    max_noise: float = 0.02  # standard deviation of read noise, gamma-encoded values
    layer_sharp_probability: float = 0.3  # of the layers of composites
    same_probability: float = 0.25  # of composites whose layers have the same blur: no depth edge

    def __post_init__(self) -> None:
        if not 0 < self.min_radius < self.max_radius <= 7:
            raise ValueError(
                f"radii must satisfy 0 < min < max <= 7, got {self.min_radius}, {self.max_radius}"
            )
        if not self.wide_radius > self.max_radius:
            raise ValueError(
                f"wide_radius must be above max_radius {self.max_radius}, got {self.wide_radius}"
            )
        if not 0 <= self.max_noise <= 1:
            raise ValueError(f"max_noise must be in [0, 1], got {self.max_noise}")
        check_fractions(self)

    @property
    def kernel_size(self) -> int:
        """Side of the kernels of the blur stage, px; odd."""
        return 2 * math.ceil(self.wide_radius) + 1 if self.wide_probability > 0 else KERNEL_SIZE


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """Warm-up, constant rate, linear decay to zero; Muon for kernels with Adam for the rest, or Adam for all."""

    name: Literal["muon", "adam"] = "muon"
    rate: float = 1e-2  # of Muon, times 0.2 sqrt(largest dimension)
    adam_rate: float = 1e-3
    warmup_steps: int = 40
    decay_fraction: float = 0.4  # last part of the run, in which the rate falls to zero
    clip_norm: float = 1.0
    dense_l2: float = 0.0  # L2 penalty on the kernels of the dense layers
    average: float = 0.999  # decay of the averaged weights; 0 switches averaging off

    def __post_init__(self) -> None:
        if self.name not in ("muon", "adam"):
            raise ValueError(f"optimiser must be muon or adam, got {self.name!r}")
        if not 0 <= self.average < 1:
            raise ValueError(f"average must be in [0, 1), got {self.average}")
        check_fractions(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageConfig:
    """One stage: B-Net on blurred crops, or E-Net on composites."""

    steps: int
    contents: int = 8  # sharp crops (or pairs of layers) per step, over all devices
    views: int = 3  # blurred versions of each; 1 in the edge stage
    view_size: int = 72  # px; edge points lie in its inner part, view_size - 40
    points: int = 128  # edge points used per view, at most
    scene_views: int = 0  # cut from composed scenes with each content
    depth_fraction: float = 0.3  # largest part of them that are depth edges, edge stage
    optimiser: OptimiserConfig = OptimiserConfig()

    def __post_init__(self) -> None:
        if self.view_size < 48:
            raise ValueError(f"view_size must be at least 48 px, got {self.view_size}")
        if not 0 < self.depth_fraction < 1:
            raise ValueError(f"depth_fraction must be in (0, 1), got {self.depth_fraction}")
        check_counts(self, "steps", "contents", "views", "points")
        if self.scene_views < 0:
            raise ValueError(f"scene_views must not be negative, got {self.scene_views}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultiscaleConfig:
    """The third stage: composed scenes, a batch of them per step, read once by the networks of the first two."""

    steps: int = 300
    training_scenes: int = 448
    held_out_scenes: int = 32
    optimiser: OptimiserConfig = OptimiserConfig(
        rate=3e-2, adam_rate=0.1, average=0.98, decay_fraction=0.5, warmup_steps=20
    )

    def __post_init__(self) -> None:
        check_counts(self, "steps", "training_scenes", "held_out_scenes")


@dataclasses.dataclass(frozen=True, kw_only=True)
class JointConfig:
    """The fourth stage: networks and multiscale parameters at once, on the whole map of composed scenes."""

    steps: int = 1000
    scenes_per_step: int = 8  # over all devices
    reading_weight: float = 1.0  # of the relative error of readings at edges, beside the loss of the map
    optimiser: OptimiserConfig = OptimiserConfig(
        name="adam", adam_rate=1e-4, average=0.99, decay_fraction=0.5
    )

    def __post_init__(self) -> None:
        check_counts(self, "steps", "scenes_per_step")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ValidationConfig:
    """Held-out validation: `contents` crops (or pairs of layers), each at every radius."""

    contents: int = 12
    radii: tuple[float, ...] = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    points: int = 64  # edge points per view, at most
    statistics_batches: int = 50  # forward passes that re-estimate batch statistics for the averaged weights

    def __post_init__(self) -> None:
        check_counts(self, "contents", "points", "statistics_batches")
        if not self.radii or not all(0 < radius <= 7 for radius in self.radii):
            raise ValueError(f"radii must be one or more in (0, 7] px, got {self.radii}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A whole run."""

    preset: str
    network: NetworkConfig
    blur: StageConfig
    edges: StageConfig
    multiscale: MultiscaleConfig = MultiscaleConfig()
    joint: JointConfig = JointConfig()
    multiscale_scene: SceneConfig = SceneConfig(view_size=288, scenes_per_batch=8)
    # The networks see collages and low contrast as well; collages made the multiscale stage worse.
    network_scene: SceneConfig = SceneConfig(
        view_size=288,
        scenes_per_batch=8,
        collage_probability=0.4,
        camera=dataclasses.replace(SCENE_CAMERA, low_contrast_probability=0.4),
    )
    network_scene_count: int = (
        0  # composed for the stages blur and edges, which cut views from them, and joint
    )
    formation: FormationConfig = FormationConfig()
    validation: ValidationConfig = ValidationConfig()
    data: DataConfig
    precision: Precision = "float32"  # see `jaxblur.config.Config`
    seed: int = 0
    initial: Path | None = None  # variables.safetensors of an earlier run, to start from
    multiscale_from: Path | None = (
        None  # weights.safetensors whose multiscale stage to take instead of training one
    )

    def __post_init__(self) -> None:
        wanted = self.blur.scene_views + self.edges.scene_views > 0
        if self.network_scene_count < 0 or wanted != (self.network_scene_count > 0):
            raise ValueError(
                f"network_scene_count must be {'at least 1' if wanted else '0'} with stages that cut "
                f"{self.blur.scene_views} and {self.edges.scene_views} views from scenes, "
                f"got {self.network_scene_count}"
            )


def step_rows(config: TrainConfig) -> int:
    """Among how many devices, or a divisor of it, the steps of all stages can be shared out evenly."""
    return math.gcd(
        config.blur.contents,
        config.edges.contents,
        config.multiscale_scene.scenes_per_batch,
        config.joint.scenes_per_step,
    )


def scale_rates(config: TrainConfig, factor: float) -> TrainConfig:
    """`config` with the learning rates of both network stages times `factor`.

    Raises:
      ValueError: the factor is not a positive number.
    """
    if not (factor > 0 and math.isfinite(factor)):
        raise ValueError(f"rate must be a positive factor, got {factor}")

    def scaled(stage: StageConfig) -> StageConfig:
        own = stage.optimiser
        return dataclasses.replace(
            stage,
            optimiser=dataclasses.replace(own, rate=factor * own.rate, adam_rate=factor * own.adam_rate),
        )

    return dataclasses.replace(config, blur=scaled(config.blur), edges=scaled(config.edges))
