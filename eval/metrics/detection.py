"""Blur detection: a score, higher where more blurred, against a mask of what is out of focus.

Every function takes flat arrays of equal length: `score` floating-point, `blurred` bool (True = out of focus)
and `valid`, True where a pixel counts. All are jit-able; with nothing to judge (no blurred pixel, say) the
result is NaN.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from eval.metrics._sorting import average_ranks, descending, group_bounds
from eval.metrics.regression import masked_mean

BETA_SQUARED = 0.3
NUM_THRESHOLDS = 256

Score = Float[Array, " n"]
Mask = Bool[Array, " n"]


def average_precision(score: Score, blurred: Mask, valid: Mask) -> Float[Array, ""]:
    """Area under the precision-recall curve, as the sum of precision times step in recall over all distinct
    scores.

    References:
      Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge", IJCV 2010 (without its
      interpolation).
    """
    positive = (blurred & valid).astype(score.dtype)
    before, after, ordered = descending(score, positive, valid)
    first, last = group_bounds(ordered)
    precision = after / last
    hits = (after - before) / (last - first)  # those of a group of equal scores, spread over its positions
    return jnp.sum(precision * hits) / jnp.sum(positive)


def roc_area(score: Score, blurred: Mask, valid: Mask) -> Float[Array, ""]:
    """Area under the ROC curve: the chance that a blurred pixel scores higher than a sharp one, ties counting
    half.

    References:
      Hanley and McNeil, "The Meaning and Use of the Area under a ROC Curve", Radiology 1982.
    """
    ranks = average_ranks(score, valid)
    positives = jnp.sum(blurred & valid).astype(score.dtype)
    negatives = jnp.sum(~blurred & valid).astype(score.dtype)
    rank_sum = jnp.sum(jnp.where(blurred & valid, ranks, 0))
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def precision_recall_curve(
    score: Score, blurred: Mask, valid: Mask
) -> tuple[Float[Array, " thresholds"], Float[Array, " thresholds"]]:
    """Precision and recall of score >= t for t = 0, 1/255, ..., 1, the thresholds of an 8-bit map.

    Args:
      score: in [0, 1].
      blurred: the truth.
      valid: what counts.

    Returns:
      (precision, recall), 256 each; precision is 1 where nothing is detected.
    """
    level = jnp.clip(jnp.floor(score * (NUM_THRESHOLDS - 1)), 0, NUM_THRESHOLDS - 1).astype(jnp.int32)
    zeros = jnp.zeros(NUM_THRESHOLDS, score.dtype)
    hits = zeros.at[level].add((blurred & valid).astype(score.dtype))
    detected = zeros.at[level].add(valid.astype(score.dtype))
    hits, detected = jnp.cumsum(hits[::-1])[::-1], jnp.cumsum(detected[::-1])[::-1]
    precision = jnp.where(detected > 0, hits / jnp.where(detected > 0, detected, 1), 1)
    return precision, hits / jnp.sum(blurred & valid).astype(score.dtype)


def f_measure(precision: Float[Array, "..."], recall: Float[Array, "..."]) -> Float[Array, "..."]:
    """F with beta^2 = 0.3, which weighs precision more than recall; 0 where both are 0.

    References:
      Achanta, Hemami, Estrada, Susstrunk, "Frequency-tuned Salient Region Detection", CVPR 2009.
    """
    denominator = BETA_SQUARED * precision + recall
    positive = denominator > 0
    product = (1 + BETA_SQUARED) * precision * recall
    return jnp.where(
        positive, product / jnp.where(positive, denominator, 1), jnp.where(denominator == 0, 0, jnp.nan)
    )


def adaptive_threshold(score: Score, valid: Mask) -> Float[Array, ""]:
    """Twice the mean score, at most the largest score (Achanta et al. 2009)."""
    return jnp.minimum(2 * masked_mean(score, valid), jnp.max(jnp.where(valid, score, -jnp.inf)))


def relative_threshold(score: Score, valid: Mask, *, alpha: float = 0.3) -> Float[Array, ""]:
    """Threshold alpha max + (1 - alpha) min of the map, the usual one for accuracy on the CUHK set.

    References:
      Park, Tai, Cho, Kweon, "A Unified Approach of Multi-scale Deep and Hand-crafted Features for Defocus
      Estimation", CVPR 2017.
    """
    high = jnp.max(jnp.where(valid, score, -jnp.inf))
    low = jnp.min(jnp.where(valid, score, jnp.inf))
    return alpha * high + (1 - alpha) * low


def detection_at(
    score: Score, blurred: Mask, valid: Mask, threshold: Float[Array, ""]
) -> dict[str, Float[Array, ""]]:
    """Judge the decision score >= threshold.

    Returns:
      `accuracy`, `iou` (of what is blurred), `precision` (1 where nothing is detected), `recall` and `f`.
    """
    detected = (score >= threshold) & valid
    truth = blurred & valid

    def count(mask: Mask) -> Float[Array, ""]:
        return jnp.sum(mask).astype(score.dtype)

    hits = count(detected & truth)
    precision = jnp.where(jnp.any(detected), hits / jnp.maximum(count(detected), 1), 1)
    recall = hits / count(truth)
    return {
        "accuracy": masked_mean((detected == truth).astype(score.dtype), valid),
        "iou": hits / count(detected | truth),
        "precision": precision,
        "recall": recall,
        "f": f_measure(precision, recall),
    }
