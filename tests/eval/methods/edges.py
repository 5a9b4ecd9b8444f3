"""Photos of one edge whose blur is known in closed form."""

import numpy as np
from scipy.stats import norm


def blurred_step(sigma: float, *, size: int = 96, angle: float = 0.3, noise: float = 0.0) -> np.ndarray:
    """A step from 0.15 to 0.85 at any angle, blurred by a Gaussian: its distribution function. (H, W, 3) float32."""
    rows, columns = np.indices((size, size + 11))
    distance = (columns - size / 2) * np.cos(angle) + (rows - size / 2) * np.sin(angle)
    value = 0.15 + 0.7 * norm.cdf(distance / sigma)
    value = value + noise * np.random.default_rng(0).normal(size=value.shape)
    return np.repeat(np.clip(value, 0, 1).astype(np.float32)[..., None], 3, axis=-1)


def edge_of_step(size: int = 96, angle: float = 0.3) -> np.ndarray:
    """Where that step is."""
    rows, columns = np.indices((size, size + 11))
    distance = (columns - size / 2) * np.cos(angle) + (rows - size / 2) * np.sin(angle)
    inside = (rows > 14) & (rows < size - 14)
    return (np.abs(distance) < 0.5) & inside
