"""The methods that can be compared: jaxblur, the baselines, and any other program's saved maps."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from eval.methods import baselines
from eval.methods.estimator import estimator
from eval.methods.saved_maps import saved_maps
from eval.methods.structs import MapUnit, Method, Prediction, check_prediction

__all__ = ["FORMS", "MapUnit", "Method", "Prediction", "check_prediction", "parse_method"]

_UNITS: tuple[MapUnit, ...] = get_args(MapUnit)
FORMS = "jaxblur[=WEIGHTS[:PRESET]], zhuo-sim, laplacian, constant[=RADIUS] or NAME=FOLDER:UNIT"
"""What `parse_method` takes."""


def parse_method(spec: str, *, weights: Path | None, preset: str) -> Method:
    """Make the method that a word on the command line stands for.

    Args:
      spec: "jaxblur", "jaxblur=WEIGHTS", "jaxblur=WEIGHTS:PRESET", "zhuo-sim", "laplacian", "constant",
        "constant=RADIUS", or "NAME=FOLDER:UNIT" for maps saved by another program.
      weights: of a plain "jaxblur"; None: those shipped.
      preset: of "jaxblur" where `spec` names none.

    Raises:
      ValueError: not such a word.
      OSError: weights or folder cannot be read.
    """
    name, _, value = spec.partition("=")
    if name == "jaxblur":
        path, own_preset = _split_last(value)
        return estimator(Path(path) if path else weights, own_preset or preset)
    if name == "zhuo-sim" and not value:
        return _per_image(name, "sigma", baselines.zhuo_sim, {}, compiles=True)
    if name == "laplacian" and not value:
        return _per_image(name, "score", baselines.laplacian, {})
    if name == "constant":
        radius = _parse_radius(value or "1")
        function = functools.partial(baselines.constant, radius=radius)
        return _per_image(f"constant {radius:g} px", "radius", function, {"radius": radius})
    folder, unit = _split_last(value)
    if not folder or unit not in _UNITS:
        raise ValueError(f"method must be {FORMS}, with unit {', '.join(_UNITS)}, got {spec!r}")
    return saved_maps(name, Path(folder), unit)


def _split_last(value: str) -> tuple[str, str]:
    """PATH and WORD of PATH:WORD; the colon of a Windows drive belongs to the path."""
    path, colon, word = value.rpartition(":")
    return (path, word) if colon and not {"/", "\\"} & set(word) else (value, "")


def _parse_radius(text: str) -> float:
    try:
        radius = float(text)
    except ValueError:
        radius = math.nan
    if not 0 <= radius < math.inf:
        raise ValueError(f"constant must have a radius in px, as in constant=2.5, got {text!r}")
    return radius


def _per_image(
    name: str,
    unit: MapUnit,
    function: Callable[[np.ndarray], tuple],
    settings: Mapping[str, Any],
    *,
    compiles: bool = False,
) -> Method:
    def predict(names: Sequence[str], images: Sequence[np.ndarray]) -> list[Prediction | str]:
        del names
        return [Prediction(*function(image)) for image in images]

    return Method(name=name, unit=unit, predict=predict, settings=settings, compiles=compiles)
