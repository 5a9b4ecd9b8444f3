"""Focus stacks: the same view, focused a little further from frame to frame. Where is each place sharpest?

A place is a square block of pixels, so that the small changes of magnification between frames do not matter.
"""

import cv2
import numpy as np
from jaxtyping import Float, Float64, UInt8

from eval.metrics.regression import rank_correlation

PLACE = 32  # px, side of a place
_SMOOTHING = 1.0  # px, sigma before the Laplacian: takes noise and JPEG's ringing away
_LEAST_ENERGY = (
    1e-4  # mean squared Laplacian, of an image in [0, 1], at the sharpest frame; below, noise decides
)
_LEAST_PEAK = 3.0  # energy at the sharpest frame / median over frames; below, no frame stands out


def place_means(plane: Float[np.ndarray, "h w"]) -> Float64[np.ndarray, "rows columns"]:
    """Mean over every place; rows and columns that do not fill one are left out."""
    rows, columns = (side // PLACE for side in plane.shape)
    blocks = plane[: rows * PLACE, : columns * PLACE].reshape(rows, PLACE, columns, PLACE)
    return blocks.mean((1, 3), dtype=np.float64)


def focus_energy(image: UInt8[np.ndarray, "h w 3"]) -> Float64[np.ndarray, "rows columns"]:
    """Mean squared Laplacian of the smoothed photo at every place: high where it is in focus.

    References:
      Pertuz, Puig, Garcia, "Analysis of focus measure operators for shape-from-focus", Pattern Recognition
      2013 (energy of Laplacian).
    """
    value = cv2.GaussianBlur(image.max(-1).astype(np.float32) / 255, (0, 0), _SMOOTHING)
    return place_means(cv2.Laplacian(value, cv2.CV_32F) ** 2)


def frames_from_focus(
    energy: Float64[np.ndarray, "frames rows columns"],
) -> Float64[np.ndarray, "frames rows columns"]:
    """Distance in frames of every frame to the one that is sharpest at a place, from their `focus_energy`.

    NaN where that cannot be told: too little texture, or no frame that stands out.
    """
    peak = energy.max(0)
    told = (peak >= _LEAST_ENERGY) & (peak >= _LEAST_PEAK * np.median(energy, 0))
    distance = np.abs(np.arange(len(energy))[:, None, None] - energy.argmax(0)).astype(np.float64)
    return np.where(told, distance, np.nan)


def stack_rank(
    blur: Float64[np.ndarray, "frames places"], distance: Float64[np.ndarray, "frames places"]
) -> float:
    """Mean over places of Spearman's correlation, over frames, of blur and distance to the sharpest frame.

    1 where blur falls towards the sharpest frame and rises after it. A place that is read the same in all frames
    counts as 0, and one whose distance is NaN not at all. NaN if no place counts.
    """
    told = np.isfinite(distance).all(0)
    ranks = [rank_correlation(b, d) for b, d in zip(blur.T[told], distance.T[told], strict=True)]
    return float(np.mean(np.nan_to_num(ranks))) if ranks else np.nan
