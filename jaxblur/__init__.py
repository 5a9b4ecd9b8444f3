"""jaxblur: how much is every pixel of one photo out of focus, in pixels.

    import jaxblur

    weights = jaxblur.load_weights()
    result = jaxblur.estimate(image, weights)
    result.radius, result.confidence

Blur is the radius of a disk in pixels of the image that was passed in. Images are (H, W, 3), sRGB-coded; points
(row, col).
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxblur import synthesis
    from jaxblur.architecture import ColumnConfig, NetworkConfig
    from jaxblur.batch import estimate_batch, estimate_stream
    from jaxblur.config import DEFAULT, PRESETS, PUBLISHED, TWO_STAGE, Config, EdgeConfig, PropagationConfig
    from jaxblur.dense import PointProbabilities
    from jaxblur.domain_transform import recursive_filter
    from jaxblur.edges import detect_edges
    from jaxblur.pipeline import (
        BlurEstimate,
        classify_edges,
        estimate,
        estimate_padded,
    )
    from jaxblur.propagation import propagate
    from jaxblur.tiles import size_bucket
    from jaxblur.units import radius_to_sigma, sigma_to_radius
    from jaxblur.weights import Weights, load_weights, save_weights

__version__ = "0.1.0"

__all__ = [
    "DEFAULT",
    "PRESETS",
    "PUBLISHED",
    "TWO_STAGE",
    "BlurEstimate",
    "ColumnConfig",
    "Config",
    "EdgeConfig",
    "NetworkConfig",
    "PointProbabilities",
    "PropagationConfig",
    "Weights",
    "classify_edges",
    "detect_edges",
    "estimate",
    "estimate_batch",
    "estimate_padded",
    "estimate_stream",
    "load_weights",
    "propagate",
    "radius_to_sigma",
    "recursive_filter",
    "save_weights",
    "sigma_to_radius",
    "size_bucket",
    "synthesis",
]

# Loaded on first use, so that `jaxblur --help` does not wait for JAX.
_HOMES = {
    "architecture": ("ColumnConfig", "NetworkConfig"),
    "batch": ("estimate_batch", "estimate_stream"),
    "config": (
        "DEFAULT",
        "PRESETS",
        "PUBLISHED",
        "TWO_STAGE",
        "Config",
        "EdgeConfig",
        "PropagationConfig",
    ),
    "dense": ("PointProbabilities",),
    "domain_transform": ("recursive_filter",),
    "edges": ("detect_edges",),
    "pipeline": (
        "BlurEstimate",
        "classify_edges",
        "estimate",
        "estimate_padded",
    ),
    "propagation": ("propagate",),
    "tiles": ("size_bucket",),
    "units": ("radius_to_sigma", "sigma_to_radius"),
    "weights": ("Weights", "load_weights", "save_weights"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "synthesis":
        return importlib.import_module("jaxblur.synthesis")
    if name not in _HOME:
        raise AttributeError(f"module 'jaxblur' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"jaxblur.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
