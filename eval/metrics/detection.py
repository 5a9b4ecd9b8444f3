"""Blur detection: a score, higher where more blurred, against a mask of what is out of focus.

Every function takes flat arrays of equal length that hold nothing but what counts: `score` float64, in [0, 1], and
`blurred` bool (True = out of focus). With nothing to judge (no blurred pixel, say) the result is NaN.
"""

import numpy as np
import sklearn.metrics
from jaxtyping import Bool, Float64

BETA_SQUARED = 0.3
NUM_THRESHOLDS = 256

Score = Float64[np.ndarray, " n"]
Mask = Bool[np.ndarray, " n"]
Curve = Float64[np.ndarray, " thresholds"]


def average_precision(score: Score, blurred: Mask) -> float:
    """Area under the precision-recall curve: the sum of precision times step in recall over all distinct scores.

    References:
      Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge", IJCV 2010 (without its
      interpolation).
    """
    return float(sklearn.metrics.average_precision_score(blurred, score)) if blurred.any() else np.nan


def roc_area(score: Score, blurred: Mask) -> float:
    """Area under the ROC curve: the probability that a blurred pixel scores above a sharp one, ties counting half.

    References:
      Hanley and McNeil, "The Meaning and Use of the Area under a ROC Curve", Radiology 1982.
    """
    if blurred.all() or not blurred.any():
        return np.nan
    return float(sklearn.metrics.roc_auc_score(blurred, score))


def precision_recall_curve(score: Score, blurred: Mask) -> tuple[Curve, Curve]:
    """Precision and recall of score >= t for t = 0, 1/255, ..., 1, the thresholds of an 8-bit map.

    Returns:
      (precision, recall), 256 each; precision is 1 where nothing is detected.
    """
    level = np.clip(np.floor(score * (NUM_THRESHOLDS - 1)), 0, NUM_THRESHOLDS - 1).astype(int)
    hits, detected = (
        np.cumsum(np.bincount(level[kept], minlength=NUM_THRESHOLDS)[::-1])[::-1].astype(np.float64)
        for kept in (blurred, slice(None))
    )
    precision = np.divide(hits, detected, out=np.ones(NUM_THRESHOLDS), where=detected > 0)
    count = np.count_nonzero(blurred)
    return precision, hits / count if count else np.full(NUM_THRESHOLDS, np.nan)


def f_measure(
    precision: Float64[np.ndarray, "..."], recall: Float64[np.ndarray, "..."]
) -> Float64[np.ndarray, "..."]:
    """F with beta^2 = 0.3, which weighs precision more than recall; 0 where both are 0, NaN where one is.

    References:
      Achanta, Hemami, Estrada, Susstrunk, "Frequency-tuned Salient Region Detection", CVPR 2009.
    """
    weighted = BETA_SQUARED * precision + recall
    product = (1 + BETA_SQUARED) * precision * recall
    return np.asarray(product / np.where(weighted == 0, 1, weighted))


def adaptive_threshold(score: Score) -> float:
    """Twice the mean score, at most the largest score (Achanta et al. 2009)."""
    return float(min(2 * score.mean(), score.max()))


def relative_threshold(score: Score, *, alpha: float = 0.3) -> float:
    """Threshold alpha max + (1 - alpha) min of the map, the usual one for accuracy on the CUHK set.

    References:
      Park, Tai, Cho, Kweon, "A Unified Approach of Multi-scale Deep and Hand-crafted Features for Defocus
      Estimation", CVPR 2017.
    """
    return float(alpha * score.max() + (1 - alpha) * score.min())


def detection_at(score: Score, blurred: Mask, threshold: float) -> dict[str, float]:
    """Judge the decision score >= threshold.

    Returns:
      `accuracy`, `iou` (of what is blurred), `precision` (1 where nothing is detected), `recall` and `f`.
    """
    detected = score >= threshold
    hits, found, there = (int(np.count_nonzero(mask)) for mask in (detected & blurred, detected, blurred))
    precision = hits / found if found else 1.0
    recall = hits / there if there else np.nan
    return {
        "accuracy": float(np.mean(detected == blurred)),
        "iou": hits / (found + there - hits) if found + there else np.nan,
        "precision": precision,
        "recall": recall,
        "f": float(f_measure(np.array(precision), np.array(recall))),
    }
