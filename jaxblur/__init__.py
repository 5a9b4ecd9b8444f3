"""jaxblur: how much is every pixel of one photo out of focus, in pixels.

    import jaxblur

    weights = jaxblur.load_weights()
    result = jaxblur.estimate(image, weights)
    result.radius, result.confidence

Blur is the radius of a disk in pixels of the image that was passed in. Images are (H, W, 3), sRGB-encoded; points
(row, col).
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxblur import synthesis
    from jaxblur.batch import estimate_batch, estimate_stream
    from jaxblur.config import (
        DEFAULT,
        PRESETS,
        PUBLISHED,
        TWO_STAGE,
        Config,
        EdgeConfig,
        GuideConfig,
        MultiScale,
        PropagationConfig,
        SingleScale,
    )
    from jaxblur.edges.canny import detect_edges
    from jaxblur.estimator import classify_edges, estimate, estimate_padded
    from jaxblur.image.size import size_bucket
    from jaxblur.network.config import ColumnConfig, NetworkConfig
    from jaxblur.network.pointwise import PointProbabilities
    from jaxblur.network.weights import Weights
    from jaxblur.propagation.domain_transform import recursive_filter
    from jaxblur.propagation.single_scale import propagate
    from jaxblur.result import BlurEstimate
    from jaxblur.units import radius_to_sigma, sigma_to_radius
    from jaxblur.weights import load_weights, save_weights

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
    "GuideConfig",
    "MultiScale",
    "NetworkConfig",
    "PointProbabilities",
    "PropagationConfig",
    "SingleScale",
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
    "batch": ("estimate_batch", "estimate_stream"),
    "config": (
        "DEFAULT",
        "PRESETS",
        "PUBLISHED",
        "TWO_STAGE",
        "Config",
        "EdgeConfig",
        "GuideConfig",
        "MultiScale",
        "PropagationConfig",
        "SingleScale",
    ),
    "edges.canny": ("detect_edges",),
    "estimator": ("classify_edges", "estimate", "estimate_padded"),
    "image.size": ("size_bucket",),
    "network.config": ("ColumnConfig", "NetworkConfig"),
    "network.pointwise": ("PointProbabilities",),
    "network.weights": ("Weights",),
    "propagation.domain_transform": ("recursive_filter",),
    "propagation.single_scale": ("propagate",),
    "result": ("BlurEstimate",),
    "units": ("radius_to_sigma", "sigma_to_radius"),
    "weights.file": ("load_weights", "save_weights"),
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
