"""Settings of the data source."""

import dataclasses
from pathlib import Path

from train.data.gate import GateConfig
from train.settings import check_counts, check_fractions


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Where photos come from and how crops are taken.

    Attributes:
      photos: a folder of photos; `photos.csv` and `coco_instances.json` in it are used if there.
      tfds: instead, TFDS data sets prepared as array_record: "imagenet2012", "coco/2017", "hku_is".
      tfds_dir: where those are; None = the default folder of TFDS.
      crop_size: side of the crops S, px.
      contents_per_batch: samples B of the whole batch, over all processes.
      scale_range: random reduction of the photo, 1 = as it is; scales from 0.7 become 1, see
        `crops.random_side`.
      longest_side: larger photos are first reduced to this, px; scales count from there.
      recolour_probability: of crops whose colours are mildly changed.
      grey_probability: of crops made grey.
      outline_probability: of layers whose foreground is an object cut out of a photo, if there are outlines;
        the others are procedural shapes.
      held_out_fraction: of the photos, chosen by name: those that only the held-out split sees.
      gate: limits of the sharpness gate.
      cache_bytes: memory for decoded photos.
      seed: of every random choice.
    """

    photos: Path | None = None
    tfds: tuple[str, ...] = ()
    tfds_dir: Path | None = None
    crop_size: int = 112
    contents_per_batch: int = 16
    scale_range: tuple[float, float] = (0.4, 1.0)
    longest_side: int = 1600
    recolour_probability: float = 0.5
    grey_probability: float = 0.1
    outline_probability: float = 0.5
    held_out_fraction: float = 0.12
    gate: GateConfig = GateConfig()
    cache_bytes: int = 1 << 30
    seed: int = 0

    def __post_init__(self):
        check_counts(self, "crop_size", "contents_per_batch", "longest_side", "cache_bytes")
        check_fractions(self)
        if not 0 < self.held_out_fraction < 1:
            raise ValueError(f"held_out_fraction must be in (0, 1), got {self.held_out_fraction}")
        if not 0 < self.scale_range[0] <= self.scale_range[1] <= 1:
            raise ValueError(f"scale_range must be rising and in (0, 1], got {self.scale_range}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
