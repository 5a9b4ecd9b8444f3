"""Errors of a blur map against a ground truth in px, over the pixels where it is known.

Every function takes flat arrays of equal length, floating-point, and `valid`, True where a value counts. What
is not valid may be anything but NaN. With nothing valid the result is NaN. All are jit-able.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from eval.metrics._sorting import average_ranks
from jaxblur.units import TABLE_RADIUS, TABLE_SIGMA

_IRLS_STEPS = 60  # leaves about 1e-4 of the error; 15 would leave 5e-3
_MAX_SIGMA = TABLE_SIGMA[-1]


def masked_mean(values: Float[Array, " n"], valid: Bool[Array, " n"]) -> Float[Array, ""]:
    """Mean of the valid values."""
    return jnp.sum(jnp.where(valid, values, 0)) / jnp.sum(valid).astype(values.dtype)


def mean_absolute_error(
    estimate: Float[Array, " n"], truth: Float[Array, " n"], valid: Bool[Array, " n"]
) -> Float[Array, ""]:
    """MAE, in the unit of the inputs."""
    return masked_mean(jnp.abs(estimate - truth), valid)


def mean_square_error(
    estimate: Float[Array, " n"], truth: Float[Array, " n"], valid: Bool[Array, " n"]
) -> Float[Array, ""]:
    """MSE, in the squared unit of the inputs; its root is the RMSE."""
    return masked_mean(jnp.square(estimate - truth), valid)


def nearest_table_sigma(radius: Float[Array, " n"]) -> Float[Array, " n"]:
    """Sigma of the RTF table's row of nearest radius, as DMENet's protocol has it."""
    step = TABLE_RADIUS[1] - TABLE_RADIUS[0]
    row = jnp.round((radius - TABLE_RADIUS[0]) / step)
    row = jnp.clip(row, 0, len(TABLE_RADIUS) - 1).astype(jnp.int32)
    return jnp.asarray(np.array(TABLE_SIGMA), radius.dtype)[row]


def dmenet_errors(
    sigma: Float[Array, " n"], truth_sigma: Float[Array, " n"], valid: Bool[Array, " n"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """MSE and MAE by the RTF protocol of DMENet: sigmas clipped at 3.275, then divided by it; unit-free.

    Averages over a data set are means of these per-image values.

    Args:
      sigma: estimate, Gaussian sigma in px.
      truth_sigma: ground truth as sigma, `nearest_table_sigma` of its radius.
      valid: what counts.

    Returns:
      (MSE, MAE).

    References:
      Lee, Lee, Cho, Lee, "Deep Defocus Map Estimation Using Domain Adaptation", CVPR 2019.
    """
    a = jnp.minimum(sigma, _MAX_SIGMA) / _MAX_SIGMA
    b = jnp.minimum(truth_sigma, _MAX_SIGMA) / _MAX_SIGMA
    return mean_square_error(a, b, valid), mean_absolute_error(a, b, valid)


def affine_invariant_errors(
    estimate: Float[Array, " n"], truth: Float[Array, " n"], valid: Bool[Array, " n"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """AI(1) and AI(2): MAE and RMSE after the best affine map of the estimate, each with its own best map.

    AI(2) is least squares; AI(1) is found by iteratively reweighted least squares, as its authors do.

    Returns:
      (AI(1), AI(2)), in the unit of `truth`.

    References:
      Garg, Wadhwa, Ansari, Barron, "Learning Single Camera Depth Estimation Using Dual-Pixels", ICCV 2019,
      section 6.1; Xin et al., "Defocus Map Estimation and Deblurring from a Single Dual-Pixel Image", ICCV
      2021.
    """
    ones = jnp.where(valid, jnp.ones_like(truth), 0)
    least_squares = _affine_residual(estimate, truth, ones)
    error = masked_mean(jnp.abs(least_squares), valid)
    floor = jnp.maximum(
        1e-6 * error, jnp.finfo(truth.dtype).smallest_normal ** 0.5
    )  # a perfect fit divides by it

    def reweight(_: int, state: tuple[Array, Array]) -> tuple[Array, Array]:
        residual, best = state
        weights = ones / jnp.maximum(jnp.abs(residual), floor)
        residual = _affine_residual(estimate, truth, weights)
        return residual, jnp.minimum(best, masked_mean(jnp.abs(residual), valid))

    _, ai1 = jax.lax.fori_loop(0, _IRLS_STEPS, reweight, (least_squares, error))
    return ai1, jnp.sqrt(masked_mean(jnp.square(least_squares), valid))


def rank_correlation(
    estimate: Float[Array, " n"], truth: Float[Array, " n"], valid: Bool[Array, " n"]
) -> Float[Array, ""]:
    """Spearman's correlation; NaN where either side is constant. Garg et al. 2019 report 1 - |this|."""
    a = average_ranks(estimate, valid)
    b = average_ranks(truth, valid)
    a = jnp.where(valid, a - masked_mean(a, valid), 0)
    b = jnp.where(valid, b - masked_mean(b, valid), 0)
    return jnp.sum(a * b) / jnp.sqrt(jnp.sum(jnp.square(a)) * jnp.sum(jnp.square(b)))


def binned_mean(
    values: Float[Array, " n"], by: Float[Array, " n"], valid: Bool[Array, " n"], *, edges: tuple[float, ...]
) -> tuple[Float[Array, " bins"], Float[Array, " bins"]]:
    """Mean of `values` and their count in the bins of `by`: edges[i] <= by < edges[i + 1].

    Returns:
      (means, counts), as many as `edges` less one; the mean of an empty bin is NaN.
    """
    index = jnp.searchsorted(jnp.asarray(np.array(edges), by.dtype), by, side="right") - 1
    index = jnp.where(
        valid & (index >= 0), index, len(edges) - 1
    )  # what fits no bin goes into one left out below
    sums = jnp.zeros(len(edges), values.dtype).at[index].add(jnp.where(valid, values, 0))
    counts = jnp.zeros(len(edges), values.dtype).at[index].add(1)
    return (sums / counts)[:-1], counts[:-1]


def _affine_residual(estimate: Array, truth: Array, weights: Array) -> Array:
    """Residual of truth ~ a estimate + b by weighted least squares; a = 0 where the estimate is constant."""
    total = jnp.sum(weights)
    x = estimate - jnp.sum(weights * estimate) / total
    y = truth - jnp.sum(weights * truth) / total
    variance = jnp.sum(weights * x * x)
    slope = jnp.where(variance > 0, jnp.sum(weights * x * y) / jnp.where(variance > 0, variance, 1), 0)
    return y - slope * x
