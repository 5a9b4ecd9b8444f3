"""Is the confidence worth anything? What is right where it is high, and where it is low.

Every function takes flat float64 arrays of equal length that hold nothing but what counts, among them `confidence`, in
[0, 1].
"""

import numpy as np
from jaxtyping import Float64

from eval.metrics.regression import binned_mean

NUM_BINS = 10
NUM_COVERAGES = 20

Values = Float64[np.ndarray, " n"]


def reliability(
    right: Values, confidence: Values
) -> tuple[Float64[np.ndarray, " bins"], Float64[np.ndarray, " bins"], Float64[np.ndarray, " bins"]]:
    """In ten equal bins of confidence, the last one closed: mean confidence, fraction that is right, and count.

    Args:
      right: 1 where the answer is right, else 0.
      confidence: predicted probability of that.

    References:
      Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017 (the reliability
      diagram).
    """
    edges = (*np.linspace(0, 1, NUM_BINS + 1)[:-1], np.inf)
    predicted, count = binned_mean(confidence, confidence, edges=edges)
    observed, _ = binned_mean(right, confidence, edges=edges)
    return predicted, observed, count


def risk_coverage(error: Values, confidence: Values) -> tuple[Float64[np.ndarray, " coverages"], float]:
    """Mean absolute error over the most confident fraction of the pixels, for 5 %, 10 %, ..., 100 %.

    Pixels of equal confidence come in random order, of which this is the expectation.

    Returns:
      The 20 mean errors ("risks"), and the area under the whole curve: their mean over all n fractions. NaN of
      nothing.

    References:
      Geifman and El-Yaniv, "Selective Classification for Deep Neural Networks", NeurIPS 2017.
    """
    count = error.size
    if not count:
        return np.full(NUM_COVERAGES, np.nan), np.nan
    _, group, sizes = np.unique(-confidence, return_inverse=True, return_counts=True)
    expected = np.repeat(np.bincount(group, error) / sizes, sizes)  # most confident first
    risk = np.cumsum(expected) / np.arange(1, count + 1)
    kept = np.maximum(-(-np.arange(1, NUM_COVERAGES + 1) * count // NUM_COVERAGES), 1)  # at least one pixel
    return risk[kept - 1], float(risk.mean())
