"""What a method is, and what it says about a photo."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

MapUnit = Literal["radius", "sigma", "score"]
"""Of a method's maps: disk radius or Gaussian sigma, px; or a score in [0, 1], high where blurred."""


class Prediction(NamedTuple):
    """What a method says about one photo; `confidence` and `depth_edges` are None where it says nothing.

    Attributes:
      map: (H, W) float32 in the method's unit, finite and not negative.
      confidence: (H, W) float32 in [0, 1].
      depth_edges: (H, W) bool.
    """

    map: np.ndarray
    confidence: np.ndarray | None = None
    depth_edges: np.ndarray | None = None


Predict = Callable[[Sequence[str], Sequence[np.ndarray]], list[Prediction | str]]
"""Names and (H, W, 3) uint8 photos of a batch -> one `Prediction`, or the reason why there is none, each."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method:
    """An estimator under test.

    Attributes:
      name: in tables, unique in a run.
      unit: of its maps.
      predict: from photos to maps.
      settings: everything that changes its results, JSON-ready.
      weights: hash of the network's parameters; empty if it has none.
      compiles: whether the first photo of a size takes longer than the next.
      timed: whether the time that `predict` takes says anything about the method.
    """

    name: str
    unit: MapUnit
    predict: Predict
    settings: Mapping[str, Any]
    weights: str = ""
    compiles: bool = True
    timed: bool = True


def check_prediction(prediction: Prediction, size: tuple[int, int]) -> str:
    """What is wrong with a prediction for a photo of this (height, width), in a few words; empty if nothing is.

    Looked at on the host: on some devices, least and greatest of an array pass over NaN.
    """
    shapes = {name: plane.shape for name, plane in prediction._asdict().items() if plane is not None}
    for name, shape in shapes.items():
        if shape != size:
            return f"gave a {name} of shape {shape} for a photo of {size}"
    if not np.isfinite(prediction.map).all():
        return "gave a map with NaN or infinite values"
    if prediction.map.min() < 0:
        return "gave a map with negative values"
    confidence = prediction.confidence
    if confidence is not None and not (np.isfinite(confidence) & (confidence >= 0) & (confidence <= 1)).all():
        return "gave confidences outside [0, 1]"
    return ""
