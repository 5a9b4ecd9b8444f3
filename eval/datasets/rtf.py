"""The RTF set: 22 real photos with a disk radius per pixel."""

import re
from pathlib import Path

import numpy as np

from eval.datasets import base, reading


class Rtf(base.PairBuilder):
    """22 real photos of 360x360 px with a blur map, disk radius 0.5 to 6 px in steps of 0.25.

    The right 20 columns are left out of photo and map, as all its users do. The lowest level, 0.5 px, stands for all
    that is sharp, so answers below it count as 0.5; the error without this is listed beside.
    """

    UNIT = "radius"
    SOURCE = "https://github.com/codeslake/DMENet (in its data sets), or from the authors"
    CITATION = (
        "L. D'Andres, J. Salvador, A. Kochale, S. Susstrunk, Non-Parametric Blur Map Regression for Depth of "
        "Field Extension, IEEE TIP 25(4), 2016, doi 10.1109/TIP.2016.2526907"
    )
    LICENCE = "No licence is stated; its authors offer it for research."
    LAYOUT = "image_01.png ... image_22.png and map_01.mat ... map_22.mat (array blurMap) in one folder"
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"{SOURCE}: {LAYOUT}"
    PROTOCOL = "dmenet"
    FLOOR = 0.5
    SCORING = (
        "Answers below 0.5 px, the lowest level of the set, count as 0.5 px, because that level stands for all that is "
        "sharp (not so in MAE without floor and in DMENet's measures)."
    )

    @classmethod
    def find_pairs(cls, folder: Path) -> dict[str, list[base.Pair]]:
        """Pairs image_NN.png, map_NN.mat, named NN."""

        def number(path: Path) -> str:
            return path.stem.partition("_")[2]

        photos = [p for p in base.list_files(folder, (".png",)) if re.fullmatch(r"image_\d+", p.stem)]
        maps = [p for p in base.list_files(folder, (".mat",)) if re.fullmatch(r"map_\d+", p.stem)]
        return {"test": base.match_files(photos, {number(p): p for p in maps}, number)}

    def read_photo(self, path: Path) -> np.ndarray:
        """Without the right 20 columns."""
        return super().read_photo(path)[:, :-20]

    def read_truth(self, path: Path) -> np.ndarray:
        """Array blurMap, disk radius in px, without the right 20 columns."""
        return reading.read_map(path, key="blurMap")[:, :-20]
