"""Settings of composed scenes."""

import dataclasses
import math

APERTURES = ("disk", "cat's eye", "5 blades", "6 blades", "8 blades")
_REACH = 1.18  # greatest reach of an aperture of radius 1: pentagon 1.15, cat's eye 1.17


@dataclasses.dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """What scenes look like; shares are probabilities per scene or layer, ranges are drawn from log-uniformly."""

    view_size: int = 320  # px
    scenes: int = 4  # per batch
    max_radius: float = 24.0  # px; radii are cut off there
    min_peak: float = 1.5  # px; the greatest radius in a view lies between this and `max_radius`
    slices: int = 12  # see `synthesis.render_scene`
    slant_share: float = 0.55  # of layers whose radius varies
    plain_share: float = 0.25  # of nearer layers without texture
    plain_background_share: float = 0.08
    collage_share: float = 0.0  # of layers, plain ones as well, with parts of other photos on them
    object_share: float = 0.6  # of nearer layers cut out along outlines; the others are procedural shapes
    focus_share: float = 0.8  # of scenes in which the focal plane meets a visible surface
    aperture_shares: tuple[float, ...] = (0.5, 0.2, 0.1, 0.1, 0.1)  # in the order of `APERTURES`
    soft_share: float = 0.4  # with a soft rim, see `synthesis.soft_kernel`
    linear_share: float = 0.8
    faint_share: float = 0.0  # of scenes of less contrast
    contrast: tuple[float, float] = (0.15, 1.0)  # of these
    noise_share: float = 0.75
    read_noise: tuple[float, float] = (2e-4, 3e-3)  # linear light, 1 = white
    shot_noise: tuple[float, float] = (3e-3, 3e-2)
    soften_share: float = 0.4
    max_soften: float = 0.3  # luma; chroma up to 1. 0.3 blurs as a disk of radius 0.8 px
    sharpen_share: float = 0.4
    max_sharpen: float = 1.0
    jpeg_share: float = 0.5
    jpeg_quality: tuple[float, float] = (60.0, 97.0)
    quantise_share: float = 0.9

    def __post_init__(self) -> None:
        if not 0 < self.min_peak <= self.max_radius:
            raise ValueError(f"min_peak must be in (0, max_radius], got {self.min_peak}")
        for name in ("view_size", "scenes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for field in dataclasses.fields(self):
            if field.name.endswith("_share") and not 0 <= getattr(self, field.name) <= 1:
                raise ValueError(f"{field.name} must be in [0, 1], got {getattr(self, field.name)}")
        if not 0 < self.contrast[0] <= self.contrast[1] <= 1:
            raise ValueError(f"contrast must be in (0, 1], lowest first, got {self.contrast}")
        if len(self.aperture_shares) != len(APERTURES) or abs(sum(self.aperture_shares) - 1) > 1e-6:
            raise ValueError(f"aperture_shares must be 5 numbers of sum 1, got {self.aperture_shares}")

    @property
    def margin(self) -> int:
        """Px around the view from which light gets into it."""
        return math.ceil(_REACH * self.max_radius)
