"""DUT-DBD: 1100 photos with a mask each."""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from eval.datasets import base, reading


class Dut(base.PairBuilder):
    """1100 photos with a hand-drawn focus mask, 600 for training and 500 for the test; white is in focus."""

    UNIT = "mask"
    SOURCE = "http://ice.dlut.edu.cn/ZhaoWenda/BTBCRLNet.html"
    CITATION = (
        "W. Zhao, F. Zhao, D. Wang, H. Lu, Defocus Blur Detection via Multi-Stream Bottom-Top-Bottom Fully "
        "Convolutional Network, CVPR 2018"
    )
    LICENCE = "No licence is stated; its authors offer it for research."
    LAYOUT = (
        "train/image/*.jpg, train/gt/*.png, test/image/*.jpg, test/gt/*.png, the same name for photo and mask"
    )
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"{SOURCE}: {LAYOUT}"

    def __init__(self, *, white: Literal["blurred", "sharp"] = "sharp", **arguments: Any) -> None:
        """Args: white: what white means in the masks; the rest as in TFDS."""
        self._white: Literal["blurred", "sharp"] = white
        super().__init__(**arguments)

    @classmethod
    def find_pairs(cls, folder: Path) -> dict[str, list[base.Pair]]:
        """Pairs by stem."""
        splits = {}
        for split in ("train", "test"):
            masks = {p.stem: p for p in base.list_files(folder / split / "gt")}
            splits[split] = base.match_files(
                base.list_files(folder / split / "image"), masks, lambda p: p.stem
            )
        return splits

    def read_truth(self, path: Path) -> np.ndarray:
        """1 = out of focus."""
        return reading.read_mask(path, white=self._white)
