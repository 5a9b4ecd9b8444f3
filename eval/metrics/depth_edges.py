"""Steps of blur between neighbours: where they are, how near, and whether an estimator finds them."""

import numpy as np
import scipy.ndimage

MIN_STEP = 0.5  # px of radius between neighbours: two levels of the published classes
TOLERANCE = 3.0  # px between an estimated and a true depth edge that count as the same


def blur_steps(radius: np.ndarray, *, min_step: float = MIN_STEP) -> np.ndarray:
    """Pixels next to a step of blur: (H, W) radius in px, NaN = unknown, to (H, W) bool.

    A pixel is marked where its right or lower neighbour differs by at least `min_step`, and so is that
    neighbour.
    """
    steps = np.zeros(radius.shape, bool)
    across = np.abs(np.diff(radius, axis=1)) >= min_step  # NaN compares False
    down = np.abs(np.diff(radius, axis=0)) >= min_step
    steps[:, :-1] |= across
    steps[:, 1:] |= across
    steps[:-1] |= down
    steps[1:] |= down
    return steps


def distance_to(mask: np.ndarray) -> np.ndarray:
    """Euclidean distance in px from every pixel to the nearest True one; infinite if there is none."""
    if not mask.any():
        return np.full(mask.shape, np.inf)
    return np.asarray(scipy.ndimage.distance_transform_edt(~mask))


def match_edges(
    estimate: np.ndarray, truth: np.ndarray, *, tolerance: float = TOLERANCE
) -> tuple[float, float, float]:
    """Precision, recall and their harmonic mean F of an edge map, within a tolerance.

    Precision is the fraction of estimated edge pixels within `tolerance` px of a true one; recall the fraction of
    true ones within `tolerance` of an estimated one. Unlike in the benchmark cited, several pixels may match
    the same one.

    Args:
      estimate: (H, W) bool.
      truth: (H, W) bool.
      tolerance: in px.

    Returns:
      (precision, recall, F): precision is NaN if nothing is estimated, recall and F if there is nothing to
      find.

    References:
      Martin, Fowlkes, Malik, "Learning to Detect Natural Image Boundaries Using Local Brightness, Color, and
      Texture Cues", IEEE TPAMI 2004.
    """
    precision = float((distance_to(truth)[estimate] <= tolerance).mean()) if estimate.any() else np.nan
    if not truth.any():
        return precision, np.nan, np.nan
    recall = float((distance_to(estimate)[truth] <= tolerance).mean())
    f = 0.0 if recall == 0 else 2 * precision * recall / (precision + recall)
    return precision, recall, f
