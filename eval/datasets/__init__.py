"""The data sets by name: `load_dataset` opens any of them."""

import dataclasses
from pathlib import Path
from typing import Literal

from eval.datasets import base
from eval.datasets.cuhk import Cuhk
from eval.datasets.dut import Dut
from eval.datasets.folder import Folder
from eval.datasets.photos import open_photos
from eval.datasets.rtf import Rtf
from eval.datasets.scenes import Scenes
from eval.datasets.structs import Dataset, MissingDataset, Sample, Unit
from eval.datasets.syndof import Syndof

__all__ = ["NAMES", "Dataset", "DatasetOptions", "MissingDataset", "Sample", "Unit", "load_dataset"]

_BUILDERS: dict[str, type[base.PairBuilder]] = {
    builder.name: builder for builder in (Rtf, Cuhk, Dut, Scenes, Syndof, Folder)
}
NAMES = (*_BUILDERS, "photos")
"""What `load_dataset` knows."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetOptions:
    """Choices that change what is evaluated."""

    split: str = "test"
    """test or train."""
    reduce: int = 1
    """Reduce every photo by this factor first, by area averaging."""
    unit: Unit | None = None
    """Of the maps of folder and syndof, which cannot do without."""
    map_scale: float = 1.0
    """A stored value of those maps times this is in that unit."""
    white: Literal["blurred", "sharp"] | None = None
    """What white means in the masks of cuhk and dut; as their authors drew them by default."""
    count: int = 100
    """Number of scenes of photos."""
    seed: int = 0
    """Of those scenes."""

    def __post_init__(self) -> None:
        if self.reduce < 1:
            raise ValueError(f"reduce must be at least 1, got {self.reduce}")
        if not self.map_scale > 0:
            raise ValueError(f"map_scale must be positive, got {self.map_scale}")
        if self.count < 1:
            raise ValueError(f"count must be at least 1, got {self.count}")


def load_dataset(
    name: str, folder: Path, options: DatasetOptions, *, prepared: Path | None = None
) -> Dataset:
    """Open a data set.

    Args:
      name: one of `NAMES`.
      folder: where its files lie.
      options: split and protocol.
      prepared: where TFDS keeps prepared data; None: its own folder.

    Raises:
      ValueError: unknown name, or options that the set cannot follow.
      MissingDataset: the files are not there; the message says where to get them.
    """
    if name == "photos":
        if options.reduce > 1 or options.split != "test":
            raise ValueError(
                "photos: scenes are composed at one size and for testing, without /REDUCE or split"
            )
        return open_photos(folder, count=options.count, seed=options.seed)
    if name not in _BUILDERS:
        raise ValueError(f"data set must be one of {', '.join(NAMES)}, got {name!r}")
    builder = _BUILDERS[name]
    extra = {}
    if issubclass(builder, Folder):
        if options.unit is None:
            raise ValueError(f"{name}: state what its maps hold, with --unit radius, sigma or mask")
        extra = {"unit": options.unit, "map_scale": options.map_scale}
    elif issubclass(builder, (Cuhk, Dut)) and options.white is not None:
        extra = {"white": options.white}
    return base.open_pairs(
        builder, folder, split=options.split, reduce=options.reduce, prepared=prepared, **extra
    )
