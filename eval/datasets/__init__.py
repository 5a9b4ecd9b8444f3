"""The data sets by name: `load_dataset` opens any of them."""

import dataclasses
import math
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from eval.datasets import base
from eval.datasets.composed import open_composed
from eval.datasets.cuhk import Cuhk
from eval.datasets.dut import Dut
from eval.datasets.folder import Folder
from eval.datasets.lens import Lens
from eval.datasets.pixel4 import Pixel4
from eval.datasets.rtf import Rtf
from eval.datasets.stack import open_stack
from eval.datasets.structs import Dataset, MissingDataset, Sample, Unit
from eval.datasets.syndof import Syndof

__all__ = [
    "NAMES",
    "Dataset",
    "DatasetOptions",
    "MissingDataset",
    "Sample",
    "Unit",
    "check_options",
    "load_dataset",
]

_BUILDERS: dict[str, type[base.PairBuilder]] = {
    builder.name: builder for builder in (Rtf, Cuhk, Dut, Pixel4, Lens, Syndof, Folder)
}
NAMES = (*_BUILDERS, "stack", "composed")
"""What `load_dataset` knows."""
_RENAMED = {"scenes": "pixel4", "photos": "composed"}
_TAKERS = {
    "unit": ("folder", "syndof"),
    "map_scale": ("folder", "syndof"),
    "white": ("cuhk", "dut"),
    "count": ("composed",),
    "seed": ("composed",),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetOptions:
    """Choices that change what is evaluated."""

    split: str = "test"
    """test or train."""
    reduce: int = 1
    """Reduce every photo by this factor first, by area averaging."""
    unit: Literal["radius", "sigma", "mask"] | None = None
    """Of the maps of folder and syndof, which cannot do without."""
    map_scale: float | None = None
    """A stored value of the maps of folder and syndof times this is in that unit; 1 by default."""
    white: Literal["blurred", "sharp"] | None = None
    """What white means in the masks of cuhk and dut; as their authors drew them by default."""
    count: int | None = None
    """Number of scenes of composed; 100 by default."""
    seed: int | None = None
    """Of the scenes of composed; 0 by default."""

    def __post_init__(self) -> None:
        if self.reduce < 1:
            raise ValueError(f"reduce must be at least 1, got {self.reduce}")
        if self.map_scale is not None and not 0 < self.map_scale < math.inf:
            raise ValueError(f"map_scale must be positive and finite, got {self.map_scale}")
        if self.count is not None and self.count < 1:
            raise ValueError(f"count must be at least 1, got {self.count}")
        if self.seed is not None and self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")


def check_options(options: DatasetOptions, names: Collection[str]) -> None:
    """Raise ValueError if an option is set that none of the data sets of these names has a use for."""
    for option, takers in _TAKERS.items():
        if getattr(options, option) is not None and not set(takers) & set(names):
            raise ValueError(f"--{option.replace('_', '-')} is only for {' and '.join(takers)}")


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
    if name in _RENAMED:
        raise ValueError(f"the data set {name} is called {_RENAMED[name]} now")
    if name not in NAMES:
        raise ValueError(f"data set must be one of {', '.join(NAMES)}, got {name!r}")
    if name not in _BUILDERS and (options.reduce > 1 or options.split != "test"):
        raise ValueError(f"{name}: has one size and one split, so neither /REDUCE nor --split")
    if name == "stack":
        return open_stack(folder)
    if name == "composed":
        count = 100 if options.count is None else options.count
        return open_composed(folder, count=count, seed=options.seed or 0)
    builder = _BUILDERS[name]
    extra = {}
    if issubclass(builder, Folder):
        if options.unit is None:
            raise ValueError(f"{name}: state what its maps hold, with --unit radius, sigma or mask")
        extra = {"unit": options.unit, "map_scale": 1.0 if options.map_scale is None else options.map_scale}
    elif issubclass(builder, (Cuhk, Dut)) and options.white is not None:
        extra = {"white": options.white}
    return base.open_pairs(
        builder, folder, split=options.split, reduce=options.reduce, prepared=prepared, **extra
    )
