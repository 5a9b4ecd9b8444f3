"""Photos of a real lens with the blur radius that measured depth predicts (Sdirt)."""

import re
from pathlib import Path

import numpy as np

from eval.datasets import base, reading


class Lens(base.PairBuilder):
    """Photos of a 50 mm f/4 lens focused at 1 m, with the disk radius computed from the measured depth of every pixel.

    The radius follows from the thin-lens equation up to a factor: below 1 m it is 10 to 20 % too high. So only what
    an affine map of the estimate leaves as it is gets scored: the error after the best affine map, and the rank.
    """

    UNIT = "radius"
    SOURCE = "https://github.com/LinYark/Sdirt (its real samples)"
    CITATION = (
        "F. He, D. Zhao, H. Xu, T. Quan, S. Zeng, Simulating Dual-Pixel Images From Ray Tracing For Depth "
        "Estimation, ICCV 2025"
    )
    LICENCE = "MIT"
    LAYOUT = "lens_NAME.png and lens_NAME.npz (array radius in px, NaN = unknown) in one folder"
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"{SOURCE}: {LAYOUT}"
    PROTOCOL = "affine"
    SCORING = (
        "The radius is computed from depth and its scale is not sure, so errors are taken after the best affine map "
        "of the estimate."
    )

    @classmethod
    def find_pairs(cls, folder: Path) -> dict[str, list[base.Pair]]:
        """Pairs lens_NAME.png, lens_NAME.npz."""
        return {"test": base.match_stems(folder, re.compile(r"lens_\w+"))}

    def read_truth(self, path: Path) -> np.ndarray:
        """Array radius, px."""
        return reading.read_map(path, key="radius")
