"""Is the confidence worth anything? What is right where it is high, and where it is low.

Every function takes flat floating-point arrays of equal length, among them `confidence` (in [0, 1]), and `valid`,
True where a pixel counts. All are jit-able.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from eval.metrics._sorting import descending, group_bounds
from eval.metrics.regression import binned_mean

NUM_BINS = 10
NUM_COVERAGES = 20


def reliability(
    right: Float[Array, " n"], confidence: Float[Array, " n"], valid: Bool[Array, " n"]
) -> tuple[Float[Array, " bins"], Float[Array, " bins"], Float[Array, " bins"]]:
    """In ten equal bins of confidence, the last one closed: mean confidence, share that is right, and count.

    Args:
      right: 1 where the answer is right, else 0.
      confidence: predicted probability of that.
      valid: which pixels count.

    References:
      Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017 (the reliability
      diagram).
    """
    edges = (*np.linspace(0, 1, NUM_BINS + 1)[:-1], np.inf)
    predicted, count = binned_mean(confidence, confidence, valid, edges=edges)
    observed, _ = binned_mean(right, confidence, valid, edges=edges)
    return predicted, observed, count


def risk_coverage(
    error: Float[Array, " n"], confidence: Float[Array, " n"], valid: Bool[Array, " n"]
) -> tuple[Float[Array, " coverages"], Float[Array, ""]]:
    """Mean absolute error over the most confident share of the pixels, for shares of 5 %, 10 %, ..., 100 %.

    Pixels of equal confidence come in random order, of which this is the expectation.

    Returns:
      The 20 mean errors ("risks"), and the area under the whole curve: their mean over all n shares.

    References:
      Geifman and El-Yaniv, "Selective Classification for Deep Neural Networks", NeurIPS 2017.
    """
    before, after, ordered = descending(confidence, error, valid)
    first, last = group_bounds(ordered)
    rank = jnp.arange(1, error.shape[0] + 1).astype(error.dtype)
    risk = (before + (after - before) * (rank - first) / (last - first)) / rank
    count = jnp.sum(valid)
    area = jnp.sum(jnp.where(rank <= count.astype(rank.dtype), risk, 0)) / count.astype(error.dtype)
    shares = jnp.arange(1, NUM_COVERAGES + 1)
    # At least one pixel; integer arithmetic keeps 100 % exact.
    index = jnp.maximum(-(-shares * count // NUM_COVERAGES), 1) - 1
    return jnp.where(count > 0, risk[index], jnp.nan), area
