"""Errors of a blur map against a ground truth in px, over the pixels where it is known.

Every function takes flat float64 arrays of equal length that hold nothing but what counts: no NaN, no mask. Of empty
arrays the result is NaN.
"""

import numpy as np
import scipy.stats
from jaxtyping import Float64

from jaxblur.units import TABLE_RADIUS, TABLE_SIGMA

_IRLS_STEPS = 60  # leaves about 1e-4 of the error; 15 would leave 5e-3
_MAX_SIGMA = TABLE_SIGMA[-1]

Values = Float64[np.ndarray, " n"]


def mean(values: Float64[np.ndarray, "..."]) -> float:
    """Mean; NaN of nothing."""
    return float(values.mean()) if values.size else np.nan


def mean_absolute_error(estimate: Values, truth: Values) -> float:
    """MAE, in the unit of the inputs."""
    return mean(np.abs(estimate - truth))


def mean_square_error(estimate: Values, truth: Values) -> float:
    """MSE, in the squared unit of the inputs; its root is the RMSE."""
    return mean(np.square(estimate - truth))


def nearest_table_sigma(radius: Values) -> Values:
    """Sigma, px, of the row of the RTF table whose radius is nearest, as in the protocol of DMENet."""
    step = TABLE_RADIUS[1] - TABLE_RADIUS[0]
    row = np.clip(np.round((radius - TABLE_RADIUS[0]) / step), 0, len(TABLE_RADIUS) - 1)
    return np.array(TABLE_SIGMA)[row.astype(int)]


def dmenet_errors(sigma: Values, truth_sigma: Values) -> tuple[float, float]:
    """MSE and MAE by the RTF protocol of DMENet: sigmas clipped at 3.275, then divided by it; unit-free.

    Averages over a data set are means of these per-image values.

    Args:
      sigma: estimate, Gaussian sigma in px.
      truth_sigma: ground truth as sigma, `nearest_table_sigma` of its radius.

    Returns:
      (MSE, MAE).

    References:
      Lee, Lee, Cho, Lee, "Deep Defocus Map Estimation Using Domain Adaptation", CVPR 2019.
    """
    a, b = (np.minimum(values, _MAX_SIGMA) / _MAX_SIGMA for values in (sigma, truth_sigma))
    return mean_square_error(a, b), mean_absolute_error(a, b)


def affine_invariant_errors(estimate: Values, truth: Values) -> tuple[float, float]:
    """AI(1) and AI(2): MAE and RMSE after the best affine map of the estimate, each with its own best map.

    AI(2) is least squares; AI(1) is found by iteratively reweighted least squares, as its authors do.

    Returns:
      (AI(1), AI(2)), in the unit of `truth`.

    References:
      Garg, Wadhwa, Ansari, Barron, "Learning Single Camera Depth Estimation Using Dual-Pixels", ICCV 2019,
      section 6.1; Xin et al., "Defocus Map Estimation and Deblurring from a Single Dual-Pixel Image", ICCV
      2021.
    """
    if not truth.size:
        return np.nan, np.nan
    residual = _affine_residual(estimate, truth, np.ones_like(truth))
    ai2 = float(np.sqrt(np.mean(np.square(residual))))
    ai1 = mean(np.abs(residual))
    least = max(1e-6 * ai1, 1e-150)  # a perfect fit would be divided by 0
    for _ in range(_IRLS_STEPS):
        residual = _affine_residual(estimate, truth, 1 / np.maximum(np.abs(residual), least))
        ai1 = min(ai1, mean(np.abs(residual)))
    return ai1, ai2


def rank_correlation(estimate: Values, truth: Values) -> float:
    """Spearman's correlation; NaN where either side is constant. Garg et al. 2019 report 1 - |this|."""
    if not truth.size or np.ptp(estimate) == 0 or np.ptp(truth) == 0:
        return np.nan
    return float(np.corrcoef(scipy.stats.rankdata(estimate), scipy.stats.rankdata(truth))[0, 1])


def binned_mean(
    values: Values, by: Values, *, edges: tuple[float, ...]
) -> tuple[Float64[np.ndarray, " bins"], Float64[np.ndarray, " bins"]]:
    """Mean of `values` and their count in the bins of `by`: edges[i] <= by < edges[i + 1].

    Returns:
      (means, counts), as many as `edges` less one; the mean of an empty bin is NaN.
    """
    bins = len(edges) - 1
    index = np.searchsorted(edges, by, side="right") - 1
    inside = (index >= 0) & (index < bins)
    counts = np.bincount(index[inside], minlength=bins).astype(np.float64)
    sums = np.bincount(index[inside], values[inside], minlength=bins)
    return np.divide(sums, counts, out=np.full(bins, np.nan), where=counts > 0), counts


def _affine_residual(estimate: Values, truth: Values, weights: Values) -> Values:
    """Residual of truth ~ a estimate + b by weighted least squares; a = 0 where the estimate is constant."""
    x = estimate - np.average(estimate, weights=weights)
    y = truth - np.average(truth, weights=weights)
    weighted = weights * x
    variance = weighted @ x
    slope = weighted @ y / variance if variance > 0 else 0.0
    return y - slope * x
