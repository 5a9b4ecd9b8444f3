"""The answer where no reading is in reach."""

import numpy as np
from jaxtyping import Float

from jaxblur.config import UNKNOWN_RADIUS


def mean_reading(radius: Float[np.ndarray, "h w"], weight: Float[np.ndarray, "h w"]) -> np.float32:
    """Weighted mean of all readings of a photo, px; the middle of the levels if it has none."""
    read = weight > 0
    if not read.any():
        return np.float32(UNKNOWN_RADIUS)
    return np.float32(np.average(radius[read].astype(np.float64), weights=weight[read].astype(np.float64)))
