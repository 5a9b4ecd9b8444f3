"""jaxblur's own estimator as a method: any weights, any preset."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

import jaxblur
from eval.methods.structs import Method, Prediction
from jaxblur import config
from jaxblur.network.weights import hash_weights


def estimator(path: Path | None, preset: str) -> Method:
    """`jaxblur.estimate_batch` with these weights and the settings of this preset.

    Args:
      path: weights; None: those shipped.
      preset: name in `jaxblur.config.PRESETS`.

    Raises:
      ValueError: no such preset, or the file holds no weights.
      OSError: the weights cannot be read.
    """
    if preset not in config.PRESETS:
        raise ValueError(f"preset must be one of {', '.join(config.PRESETS)}, got {preset!r}")
    weights, settings = jaxblur.load_weights(path), config.PRESETS[preset]

    def predict(names: Sequence[str], images: Sequence[np.ndarray]) -> list[Prediction | str]:
        del names
        results = jaxblur.estimate_batch(images, weights, config=settings)
        return [Prediction(r.radius, r.confidence, r.depth_edges) for r in results]

    label = "jaxblur" + (f", {path.name.removesuffix('.safetensors')} weights" if path else "")
    return Method(
        name=label + (f", {preset} preset" if preset != "default" else ""),
        unit="radius",
        predict=predict,
        settings={"preset": preset, **config.to_dict(settings)},
        weights=hash_weights(weights),
    )
