"""A method in two stages: a reading of the blur at edges, and a propagation that makes a map of it.

Both are plain functions of arrays, so that any reading goes with any propagation.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from eval.bucket import edges_of
from eval.methods.structs import Method, Prediction


class Readings(NamedTuple):
    """What is read at the edges of a photo; anything may stand where the weight is 0.

    Attributes:
      radius: (H, W) float32, radius of the blur disk, px.
      weight: (H, W) float32, how much each reading counts, >= 0; 0 off the edges.
      depth: (H, W) float32 in [0, 1], how sure an edge is the boundary of an object; None: not told.
    """

    radius: Any
    weight: Any
    depth: Any = None


Reading = Callable[[np.ndarray, np.ndarray], Readings]
"""From (H, W, 3) float32 photo in [0, 1] and (H, W) bool edges to `Readings`."""

Propagation = Callable[[Any, Any, Any, Any], tuple[Any, Any]]
"""From radius, weight and depth of `Readings` and the photo to (map, confidence or None), as `jaxblur.propagate`.

The map is (H, W), radius in px, finite and not negative; the confidence (H, W) in [0, 1].
"""


def combine(
    name: str,
    reading: Reading,
    propagation: Propagation,
    *,
    settings: Mapping[str, Any] | None = None,
    weights: str = "",
) -> Method:
    """The method that reads with one function and propagates with another.

    Args:
      name: in tables, unique in a run.
      reading: see `Reading`; its edges are those of `jaxblur.detect_edges`.
      propagation: see `Propagation`.
      settings: whatever changes the results, JSON-ready; the name is part of a run's identity anyway.
      weights: hash of the network's parameters; empty if it has none.

    Returns:
      A method of maps in px of radius.
    """

    def predict_one(image: np.ndarray) -> Prediction:
        photo = image.astype(np.float32) / np.float32(255)
        radius, weight, depth = reading(photo, edges_of(image))
        depth_edges = None if depth is None else np.asarray(depth) > 0.5
        depth = np.zeros(photo.shape[:2], np.float32) if depth is None else depth
        radius, weight, depth = (np.asarray(plane, np.float32) for plane in (radius, weight, depth))
        result, confidence = propagation(radius, weight, depth, photo)
        confidence = None if confidence is None else np.asarray(confidence, np.float32)
        return Prediction(np.asarray(result, np.float32), confidence, depth_edges)

    def predict(names: Sequence[str], images: Sequence[np.ndarray]) -> list[Prediction | str]:
        del names
        return [predict_one(image) for image in images]

    return Method(name=name, unit="radius", predict=predict, settings=dict(settings or {}), weights=weights)
