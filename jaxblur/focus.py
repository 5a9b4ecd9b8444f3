"""What "in focus" means: one definition for the table, the documents and code."""

import math
from typing import Any

import numpy as np

RADIUS = 1.0
"""A pixel is in focus up to this blur radius, px."""

CONFIDENCE = 0.5
"""A pixel is sure above this confidence; whether another one is in focus is not known."""

LITTLE = 0.05
"""A photo with fewer sure pixels, as a fraction, has next to no evidence; ordinary ones have half and more."""


def is_sure(confidence: Any) -> np.ndarray:
    """(H, W) bool: where the confidence is above `CONFIDENCE`."""
    return np.asarray(confidence) > CONFIDENCE


def in_focus(radius: Any, confidence: Any) -> np.ndarray:
    """(H, W) bool: where the radius is at most `RADIUS` px, and sure.

    Args:
      radius: (H, W) disk radius, px, as in `BlurEstimate`.
      confidence: (H, W) in [0, 1].
    """
    return (np.asarray(radius) <= RADIUS) & is_sure(confidence)


def fraction_in_focus(radius: Any, confidence: Any) -> float:
    """Fraction of the sure pixels that are in focus; NaN if none is sure. Arguments as for `in_focus`."""
    sure = np.count_nonzero(is_sure(confidence))
    return np.count_nonzero(in_focus(radius, confidence)) / sure if sure else math.nan


def has_little_evidence(confidence: Any) -> bool:
    """Whether less than `LITTLE` of a photo is sure, so that its map is little more than a guess."""
    return bool(np.mean(is_sure(confidence)) < LITTLE)
