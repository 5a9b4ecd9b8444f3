"""Slow recursive filter."""

import numpy as np


def oracle(signal, guide, *, sigma_s, sigma_r, num_iterations=3, barrier=0.0):
    """Pixel after pixel in float64, one exponential per weight and iteration."""
    out = np.array(signal, np.float64)
    out = out[..., None] if out.ndim == 2 else out
    height, width = out.shape[:2]
    guide = np.asarray(guide, np.float64)
    horizontal, vertical = np.ones((height, width)), np.ones((height, width))
    horizontal[:, 1:] += sigma_s / sigma_r * np.abs(np.diff(guide, axis=1)).sum(-1)
    vertical[1:] += sigma_s / sigma_r * np.abs(np.diff(guide, axis=0)).sum(-1)
    horizontal, vertical = horizontal + barrier, vertical + barrier
    for k in range(1, num_iterations + 1):
        sigma = sigma_s * np.sqrt(3) * 2 ** (num_iterations - k) / np.sqrt(4**num_iterations - 1)
        a = np.exp(-np.sqrt(2) / sigma)
        for row in range(height):
            for j in range(1, width):
                out[row, j] += a ** horizontal[row, j] * (out[row, j - 1] - out[row, j])
            for j in range(width - 2, -1, -1):
                out[row, j] += a ** horizontal[row, j + 1] * (out[row, j + 1] - out[row, j])
        for column in range(width):
            for i in range(1, height):
                out[i, column] += a ** vertical[i, column] * (out[i - 1, column] - out[i, column])
            for i in range(height - 2, -1, -1):
                out[i, column] += a ** vertical[i + 1, column] * (out[i + 1, column] - out[i, column])
    return out.reshape(np.shape(signal))
