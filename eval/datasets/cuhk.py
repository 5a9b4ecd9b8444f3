"""The out-of-focus part of the CUHK blur detection set: 704 photos with a mask each."""

import re
from pathlib import Path
from typing import Any, Literal

import numpy as np

from eval.datasets import base, reading


class Cuhk(base.PairBuilder):
    """704 photos with a hand-drawn mask of what is out of focus; 0001 to 0604 are for training, 0605 to 0704
    the test.

    White is blurred in the authors' own masks; some later releases of the set have them inverted.
    """

    UNIT = "mask"
    SOURCE = "http://www.cse.cuhk.edu.hk/leojia/projects/dblurdetect"
    CITATION = "J. Shi, L. Xu, J. Jia, Discriminative Blur Detection Features, CVPR 2014"
    LICENCE = "No licence is stated; its authors offer it for research."
    LAYOUT = "image/out_of_focus0001.jpg ... and gt/out_of_focus0001.png ..."
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"{SOURCE}: {LAYOUT}"
    FIRST_TEST = 605

    def __init__(self, *, white: Literal["blurred", "sharp"] = "blurred", **arguments: Any) -> None:
        """Args: white: what white means in the masks; the rest as in TFDS."""
        self._white: Literal["blurred", "sharp"] = white
        super().__init__(**arguments)

    @classmethod
    def find_pairs(cls, folder: Path) -> dict[str, list[base.Pair]]:
        """Pairs of the out-of-focus photos only; the set also has motion blur."""

        def ours(path: Path) -> bool:
            return re.fullmatch(r"out_of_focus\d{4}", path.stem) is not None

        photos = [p for p in base.list_files(folder / "image") if ours(p)]
        masks = {p.stem: p for p in base.list_files(folder / "gt") if ours(p)}
        pairs = base.match_files(photos, masks, lambda p: p.stem)
        split = next((i for i, pair in enumerate(pairs) if int(pair.name[-4:]) >= cls.FIRST_TEST), len(pairs))
        return {"train": pairs[:split], "test": pairs[split:]}

    def read_truth(self, path: Path) -> np.ndarray:
        """1 = out of focus."""
        return reading.read_mask(path, white=self._white)
