"""Settings of composed scenes."""

import dataclasses
import math

from train.camera import CameraConfig
from train.settings import check_counts, check_fractions

APERTURES = ("disk", "cat's eye", "5 blades", "6 blades", "8 blades")
_REACH = 1.18  # greatest reach of an aperture of radius 1: pentagon 1.15, cat's eye 1.17


SCENE_CAMERA = CameraConfig(soft_probability=0.4, linear_probability=0.8)
"""Camera of composed scenes, unless their settings have another."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """What composed scenes look like. Probabilities are per scene unless a comment says per layer.

    Strengths of noise and the greatest radius are drawn log-uniformly from their ranges, softening and sharpening
    uniformly from 0.
    """

    view_size: int = 320  # px
    scenes_per_batch: int = 4
    max_radius: float = 24.0  # px; radii are cut off there
    min_peak: float = 1.5  # px; the greatest radius in a view lies between this and `max_radius`
    slices: int = 12  # see `synthesis.render_scene`
    slant_probability: float = 0.55  # per layer: its radius varies
    plain_probability: float = 0.25  # per nearer layer: no texture
    plain_background_probability: float = 0.08
    collage_probability: float = 0.0  # per layer, plain ones as well: parts of other photos on it
    object_probability: float = (
        0.6  # per nearer layer: cut out along an outline; the others are procedural shapes
    )
    focus_probability: float = 0.8  # the focal plane meets a visible surface
    aperture_probabilities: tuple[float, ...] = (0.5, 0.2, 0.1, 0.1, 0.1)  # in the order of `APERTURES`
    camera: CameraConfig = SCENE_CAMERA
    read_noise: tuple[float, float] = (2e-4, 3e-3)  # standard deviation, linear light, 1 = white
    shot_noise: tuple[float, float] = (3e-3, 3e-2)
    soften_probability: float = 0.4
    max_soften: float = 0.3  # of luma; of chroma 1. 0.3 blurs as a disk of radius 0.8 px
    sharpen_probability: float = 0.4
    max_sharpen: float = 1.0
    quantise_probability: float = 0.9  # to 8 bits

    def __post_init__(self) -> None:
        if not 0 < self.min_peak <= self.max_radius:
            raise ValueError(f"min_peak must be in (0, max_radius], got {self.min_peak}")
        check_counts(self, "view_size", "scenes_per_batch", "slices")
        check_fractions(self)
        for name in ("read_noise", "shot_noise"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} must be positive, lowest first, got {(low, high)}")
        given = self.aperture_probabilities
        if len(given) != len(APERTURES) or not abs(sum(given) - 1) <= 1e-6:
            raise ValueError(f"aperture_probabilities must be {len(APERTURES)} numbers of sum 1, got {given}")

    @property
    def margin(self) -> int:
        """Px around the view from which light gets into it."""
        return math.ceil(_REACH * self.max_radius)
