"""Sharpness gate: is a crop in focus wherever it has edges? Labels are only as true as crops are sharp."""

import dataclasses
from typing import NamedTuple

import cv2
import numpy as np

from train.settings import check_fractions

_REBLUR_SIGMA = 1.0
# The gradient's filter and the pixel itself blur, too: a perfect step reads this sigma (px). It is taken out
# in quadrature.
_STEP_SIGMA = 0.83
# Gradient of a step of height 1 that was re-blurred.
_STEP_GRADIENT = 0.32
# Gradients are compared at their largest in a 3x3 neighbourhood, and smoothed along the edge. Without that, a
# perfect step reads anything from 0 to 0.45 px, depending on its slope and on where in the pixel it lies.
_NEIGHBOURHOOD = np.ones((3, 3), np.uint8)
# As jaxblur.detect_edges: edges are the strongest 30 % of gradients, linked down to 0.4 of that.
_EDGE_QUANTILE = 0.7
_LOW_TO_HIGH = 0.4


@dataclasses.dataclass(frozen=True)
class GateConfig:
    """What a crop must fulfil to be used as sharp content.

    Attributes:
      max_sigma: largest allowed blur, as the Gaussian sigma in px of the crop that two thirds of the edge
        points stay below, in the whole crop and in every cell of it.
      cell: side of the square cells, px.
      min_cell_edges: cells with fewer edge points have no say.
      min_step: weakest edge that is measured, as the step in gamma-encoded value (0 to 255) that it makes.
      min_clear_step: the same for a clear edge, above noise and the blocks of JPEG.
      min_clear_fraction: least fraction of the crop's pixels that are points on clear edges.
      min_median_step: what half of the edges must reach at least, as a step in gamma-encoded value. Where most
        are weaker they are the noise and the blocks of the photo more often than what it shows, and tell nothing.
      max_clipped_fraction: largest fraction of pixels that are black or white in all channels.
    """

    max_sigma: float = 0.3
    cell: int = 28
    min_cell_edges: int = 12
    min_step: float = 4.0
    min_clear_step: float = 20.0
    min_clear_fraction: float = 0.01
    min_median_step: float = 6.0
    max_clipped_fraction: float = 0.3

    def __post_init__(self):
        check_fractions(self)
        for name in ("max_sigma", "cell", "min_cell_edges"):
            if not getattr(self, name) > 0:
                raise ValueError(f"gate.{name} must be positive, got {getattr(self, name)}")


class EdgeBlur(NamedTuple):
    """Edge points (N, 2) as (row, col); Gaussian sigma there (N,), px; step there (N,), gamma-encoded value."""

    points: np.ndarray
    sigma: np.ndarray
    step: np.ndarray


def edge_blur(image: np.ndarray, *, min_step: float = GateConfig.min_step) -> EdgeBlur:
    """Measures the blur of an image at its edges by the gradient's ratio to that of the re-blurred image.

    A step blurred by a Gaussian of sigma s and once more by one of sigma 1 loses gradient by the factor
    R = sqrt(s^2 + 1) / s, so s = 1 / sqrt(R^2 - 1).

    Args:
      image: (H, W, 3) RGB or (H, W), uint8.
      min_step: weakest edge, as the step in gamma-encoded value (0 to 255) that it makes.
    Returns:
      Blur at the edges: sigma 0 is perfectly sharp, inf is where re-blurring does not weaken the gradient.
      The step is right for a sharp edge and too low for a blurred one.
    References:
      Zhuo and Sim, Defocus map estimation from a single image, Pattern Recognition 44, 2011, eq. 4 to 7.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    grey = grey.astype(np.float32)
    reblurred = cv2.GaussianBlur(grey, (0, 0), _REBLUR_SIGMA, borderType=cv2.BORDER_REFLECT)
    row, col = _gradient(grey)
    row_reblurred, col_reblurred = _gradient(reblurred)
    magnitude = cv2.dilate(cv2.magnitude(row, col), _NEIGHBOURHOOD)
    magnitude_reblurred = cv2.magnitude(row_reblurred, col_reblurred)
    # Edges are sought in the re-blurred image, where sharp ones have little advantage over soft ones.
    high = max(float(np.quantile(magnitude_reblurred, _EDGE_QUANTILE)), _STEP_GRADIENT * min_step)
    fixed_point = 64.0
    edges = cv2.Canny(
        np.rint(fixed_point * col_reblurred).astype(np.int16),
        np.rint(fixed_point * row_reblurred).astype(np.int16),
        fixed_point * _LOW_TO_HIGH * high,
        fixed_point * high,
        L2gradient=True,
    )
    magnitude_reblurred = cv2.dilate(magnitude_reblurred, _NEIGHBOURHOOD)
    points = np.argwhere(edges > 0)
    at = (points[:, 0], points[:, 1])
    excess = np.square(magnitude[at] / np.maximum(magnitude_reblurred[at], 1e-6)) - 1
    variance = np.full(len(points), np.inf, np.float32)
    np.divide(_REBLUR_SIGMA**2, excess, out=variance, where=excess > 0)
    sigma = np.sqrt(np.maximum(variance - _STEP_SIGMA**2, 0))
    return EdgeBlur(points, sigma, magnitude_reblurred[at] / _STEP_GRADIENT)


def rejection(crop: np.ndarray, config: GateConfig, *, mask: np.ndarray | None = None) -> str:
    """Says why a crop is no sharp content.

    Args:
      crop: (H, W, 3) RGB, uint8.
      config: the limits.
      mask: (H, W) bool; only edges and pixels inside count. None = everywhere.
    Returns:
      "" for a crop that passes; otherwise "clipped", "no clear edges", "mostly low-contrast edges" or "blurred".
    """
    num_pixels = crop[..., 0].size if mask is None else np.count_nonzero(mask)
    white = cv2.inRange(crop, np.array([253] * 3), np.array([255] * 3))
    black = cv2.inRange(crop, np.array([0] * 3), np.array([2] * 3))
    clipped = cv2.bitwise_or(white, black) > 0
    if mask is not None:
        clipped &= mask
    if np.count_nonzero(clipped) > config.max_clipped_fraction * num_pixels:
        return "clipped"
    points, sigma, step = edge_blur(crop, min_step=config.min_step)
    if mask is not None:
        inside = mask[points[:, 0], points[:, 1]]
        points, sigma, step = points[inside], sigma[inside], step[inside]
    if np.count_nonzero(step >= config.min_clear_step) < max(config.min_clear_fraction * num_pixels, 1):
        return "no clear edges"
    if np.median(step) < config.min_median_step:
        return "mostly low-contrast edges"
    if _upper(sigma) > config.max_sigma:
        return "blurred"
    cells = (points[:, 0] // config.cell) * crop.shape[1] + points[:, 1] // config.cell
    for cell in np.unique(cells):
        in_cell = sigma[cells == cell]
        if len(in_cell) >= config.min_cell_edges and _upper(in_cell) > config.max_sigma:
            return "blurred"
    return ""


def _upper(sigma: np.ndarray) -> float:
    """What two thirds of the values stay below; the others may be soft by nature (shading, shadows)."""
    rank = (2 * len(sigma)) // 3
    return float(np.partition(sigma, rank)[rank])


def _gradient(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Central differences per px in the two directions, smoothed across; edge pixels repeated."""
    difference, smooth = np.array([-0.5, 0, 0.5], np.float32), np.array([0.25, 0.5, 0.25], np.float32)
    row = cv2.sepFilter2D(image, -1, smooth, difference, borderType=cv2.BORDER_REPLICATE)
    col = cv2.sepFilter2D(image, -1, difference, smooth, borderType=cv2.BORDER_REPLICATE)
    return row, col
