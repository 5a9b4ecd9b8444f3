"""Anybody's photos with maps of a known unit, and the SYNDOF-like folders."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from eval.datasets import base, reading


class Folder(base.PairBuilder):
    """A folder of photos and one of blur maps of the same names, in a unit that the user states."""

    UNIT = "radius"
    SOURCE = "your own data"
    CITATION = ""
    LICENCE = "As the data's owner says."
    PHOTOS: ClassVar[str] = "image"
    MAPS: ClassVar[str] = "map"
    LAYOUT = (
        "image/NAME.jpg (or .png, .tif ...) and map/NAME.npy (or .npz, .mat, .png, .tiff: one 2-D array), "
        "and state --unit and --map-scale (px per stored value)"
    )
    MANUAL_DOWNLOAD_INSTRUCTIONS = LAYOUT

    def __init__(self, *, unit: base.Unit = "radius", map_scale: float = 1.0, **arguments: Any) -> None:
        """Args: unit: of the maps; map_scale: stored value times this is in that unit; the rest as in
        TFDS."""
        self._unit: base.Unit = unit
        self._map_scale = map_scale
        super().__init__(**arguments)

    @property
    def unit(self) -> base.Unit:
        """As the user states."""
        return self._unit

    @classmethod
    def find_pairs(cls, folder: Path) -> dict[str, list[base.Pair]]:
        """Pairs by stem."""
        maps = {p.stem: p for p in base.list_files(folder / cls.MAPS, reading.MAP_SUFFIXES)}
        return {"test": base.match_files(base.list_files(folder / cls.PHOTOS), maps, lambda p: p.stem)}

    def read_truth(self, path: Path) -> np.ndarray:
        """The map times `map_scale`."""
        return reading.read_map(path) * np.float32(self._map_scale)
