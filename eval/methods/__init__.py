"""The methods that can be compared: jaxblur, rivals written from their papers, baselines, and saved maps of any other.

Most rivals have two stages, a reading (`eval.methods.readings`) and a propagation (`eval.methods.propagations`), and
any of one goes with any of the other. Those of the detection field (`eval.methods.maps`) score every pixel at once.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from eval.methods import baselines
from eval.methods.estimator import estimator
from eval.methods.maps import MAPS
from eval.methods.propagations import PROPAGATIONS, matting
from eval.methods.readings import READINGS
from eval.methods.readings.networks import reading_of
from eval.methods.saved_maps import saved_maps
from eval.methods.stages import Propagation, Reading, Readings, combine
from eval.methods.structs import MapUnit, Method, Prediction, check_prediction

__all__ = [
    "FORMS",
    "MAPS",
    "PROPAGATIONS",
    "READINGS",
    "MapUnit",
    "Method",
    "Prediction",
    "Propagation",
    "Reading",
    "Readings",
    "check_prediction",
    "combine",
    "parse_method",
]

_UNITS: tuple[MapUnit, ...] = get_args(MapUnit)
FORMS = (
    "jaxblur[=WEIGHTS[:PRESET]], READING+PROPAGATION, zhuo-sim, "
    f"{', '.join(MAPS)}, laplacian, constant[=RADIUS] or NAME=FOLDER:UNIT"
)
"""What `parse_method` takes."""


def parse_method(spec: str, *, weights: Path | None, preset: str) -> Method:
    """Make the method that a word on the command line stands for.

    Args:
      spec: "jaxblur", "jaxblur=WEIGHTS", "jaxblur=WEIGHTS:PRESET", a reading and a propagation as in
        "zhuo-sim+matting" or "jaxblur+guided", "zhuo-sim", a name in `MAPS`, "laplacian", "constant",
        "constant=RADIUS", or "NAME=FOLDER:UNIT" for maps saved by another program.
      weights: of a plain "jaxblur", and of that reading; None: those shipped.
      preset: of "jaxblur" where `spec` names none.

    Raises:
      ValueError: not such a word.
      OSError: weights or folder cannot be read.
    """
    name, _, value = spec.partition("=")
    if name == "jaxblur":
        path, own_preset = _split_last(value)
        return estimator(Path(path) if path else weights, own_preset or preset)
    if "+" in spec and "=" not in spec:
        return _two_stages(*spec.split("+", 1), weights=weights)
    if name in MAPS and not value:
        score = MAPS[name]
        return _per_image(name, "score", lambda image: (score(image), None), {}, compiles=True)
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


def _two_stages(reading: str, propagation: str, *, weights: Path | None) -> Method:
    """The method of a reading and a propagation by name.

    Raises:
      ValueError: no such reading or propagation, or it needs a package that is not installed.
      OSError: weights cannot be read.
    """
    for kind, names, got in (
        ("reading", ("jaxblur", *READINGS), reading),
        ("propagation", tuple(PROPAGATIONS), propagation),
    ):
        if got not in names:
            raise ValueError(f"{kind} must be one of {', '.join(names)}, got {got!r}")
    if propagation == "matting":
        matting.find_library()  # to be told now, and not for every photo
    read, digest = reading_of(weights) if reading == "jaxblur" else (READINGS[reading], "")
    return combine(
        f"{reading}+{propagation}",
        read,
        PROPAGATIONS[propagation],
        settings={"reading": reading, "propagation": propagation},
        weights=digest,
    )


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
