"""Scenes of a dual-pixel phone camera with measured defocus (the Pixel 4 set)."""

import re
from pathlib import Path

import numpy as np

from eval.datasets import base, reading


class Pixel4(base.PairBuilder):
    """Real scenes, grey, with the Gaussian-equivalent sigma of their defocus, measured with both halves of
    the pixels.

    The photo is the sum of both halves of the green channel, without vignetting, gamma 1/2.2. Unknown around
    occlusions. The blur is wide (sigma up to 9 px), so estimators that saturate earlier are run on reduced
    photos.
    """

    UNIT = "sigma"
    SOURCE = "http://imaging.cs.cmu.edu/dual_pixel/"
    CITATION = (
        "S. Xin, N. Wadhwa, T. Xue, J. T. Barron, P. P. Srinivasan, J. Chen, I. Gkioulekas, R. Garg, Defocus "
        "Map Estimation and Deblurring from a Single Dual-Pixel Image, ICCV 2021"
    )
    LICENCE = "For research."
    LAYOUT = "scene_NN.png (16-bit grey) and scene_NN.npz (array sigma in px, NaN = unknown) in one folder"
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"{SOURCE}: {LAYOUT}"

    @classmethod
    def find_pairs(cls, folder: Path) -> dict[str, list[base.Pair]]:
        """Pairs scene_NN.png, scene_NN.npz."""
        return {"test": base.match_stems(folder, re.compile(r"scene_\w+"))}

    def read_truth(self, path: Path) -> np.ndarray:
        """Array sigma, px."""
        return reading.read_map(path, key="sigma")
