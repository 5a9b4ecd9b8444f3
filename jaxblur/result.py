"""What an estimate returns, and what "in focus" means: one definition for tables, documents and code."""

import math
from typing import Any, NamedTuple

import numpy as np

IN_FOCUS_RADIUS = 1.0
"""A pixel is in focus up to this blur radius, px."""

SURE_CONFIDENCE = 0.5
"""A pixel is sure above this confidence; whether another one is in focus is not known."""

LITTLE_EVIDENCE = 0.05
"""A photo with fewer sure pixels, as a fraction, has next to no evidence; ordinary ones have half and more."""


class BlurEstimate(NamedTuple):
    """The blur of one photo, as arrays of its height and width; `estimate` returns NumPy arrays.

    Attributes:
      radius: (H, W) float32, disk radius in px of the photo passed in; never NaN.
      confidence: (H, W) float32 in [0, 1]; 0 where nothing supports the value.
      edges: (H, W) bool, where the networks were asked.
      depth_edges: (H, W) bool, edges that E-Net calls occlusion boundaries; no blur is read there.
      sparse_radius: (H, W) float32, what B-Net reads at the other (pattern) edges, px; NaN elsewhere.
      read_radius: (H, W) float32, what the readings of all scales come to at their places, before they are carried over
        the photo, px; NaN elsewhere. One of a smaller copy lies in the middle of the pixels that it stands for.
      read_weight: (H, W) float32, how much those readings count; 0 elsewhere.

    Examples:
      >>> import numpy as np, jaxblur
      >>> result = jaxblur.estimate(np.full((64, 64, 3), 0.5))  # a blank photo: nothing to read blur at
      >>> bool(result.edges.any()), float(result.confidence.max())
      (False, 0.0)
    """

    radius: Any
    confidence: Any
    edges: Any
    depth_edges: Any
    sparse_radius: Any
    read_radius: Any = None
    read_weight: Any = None


def is_sure(confidence: Any) -> np.ndarray:
    """(H, W) bool: where the confidence is above `SURE_CONFIDENCE`."""
    return np.asarray(confidence) > SURE_CONFIDENCE


def in_focus(radius: Any, confidence: Any) -> np.ndarray:
    """(H, W) bool: where the radius is at most `IN_FOCUS_RADIUS` px, and sure.

    Args:
      radius: (H, W) disk radius, px, as in `BlurEstimate`.
      confidence: (H, W) in [0, 1].

    Examples:
      >>> import jaxblur
      >>> jaxblur.in_focus([[0.5, 0.5, 3.0]], [[0.9, 0.2, 0.9]])
      array([[ True, False, False]])
    """
    return (np.asarray(radius) <= IN_FOCUS_RADIUS) & is_sure(confidence)


def fraction_in_focus(radius: Any, confidence: Any) -> float:
    """Fraction of the sure pixels that are in focus; NaN if none is sure. Arguments as for `in_focus`.

    Examples:
      >>> import jaxblur
      >>> jaxblur.fraction_in_focus([[0.5, 0.5, 3.0]], [[0.9, 0.2, 0.9]])  # the second pixel is not sure
      0.5
    """
    sure = np.count_nonzero(is_sure(confidence))
    return float(np.count_nonzero(in_focus(radius, confidence)) / sure) if sure else math.nan


def has_little_evidence(confidence: Any) -> bool:
    """Whether less than `LITTLE_EVIDENCE` of a photo is sure, so that its map is little more than a guess."""
    return bool(np.mean(is_sure(confidence)) < LITTLE_EVIDENCE)
