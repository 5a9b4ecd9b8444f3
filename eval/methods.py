"""The methods that can be compared: our estimator, the baselines, and any other program's saved maps."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

import jaxblur
from eval import baselines
from eval.datasets import reading
from jaxblur import config
from jaxblur.network.weights import hash_weights

MapUnit = Literal["radius", "sigma", "score"]
"""Of a method's maps: disk radius or Gaussian sigma, px; or a score in [0, 1], high where blurred."""

_UNITS = ("radius", "sigma", "score")


class Prediction(NamedTuple):
    """What a method says about one photo; `confidence` and `depth_edges` are None where it says nothing.

    Attributes:
      map: (H, W) float32 in the method's unit, finite.
      confidence: (H, W) float32 in [0, 1].
      depth_edges: (H, W) bool.
    """

    map: np.ndarray
    confidence: np.ndarray | None = None
    depth_edges: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method:
    """An estimator under test.

    Attributes:
      name: in tables, unique in a run.
      unit: of its maps.
      predict: names and (H, W, 3) uint8 photos of a batch -> one `Prediction`, or the reason why there is
        none, each.
      settings: everything that changes its results, JSON-ready.
      weights: hash of the network's parameters; empty if it has none.
      compiles: whether the first photo of a size takes longer than the next.
      timed: whether the time that `predict` takes says anything about the method.
    """

    name: str
    unit: MapUnit
    predict: Callable[[Sequence[str], Sequence[np.ndarray]], list[Prediction | str]]
    settings: Mapping[str, Any]
    weights: str = ""
    compiles: bool = True
    timed: bool = True


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
        path, _, own_preset = value.partition(":")
        return _estimator(Path(path) if path else weights, own_preset or preset)
    if name == "zhuo-sim" and not value:
        return _per_image(name, "sigma", baselines.zhuo_sim, {}, compiles=True)
    if name == "laplacian" and not value:
        return _per_image(name, "score", baselines.laplacian, {})
    if name == "constant":
        radius = float(value or 1)
        function = functools.partial(baselines.constant, radius=radius)
        return _per_image(f"constant {radius:g} px", "radius", function, {"radius": radius})
    folder, _, unit = value.rpartition(":")
    if not folder or unit not in _UNITS:
        raise ValueError(
            f"method must be jaxblur[=WEIGHTS[:PRESET]], zhuo-sim, laplacian, constant[=RADIUS] or "
            f"NAME=FOLDER:UNIT with unit {', '.join(_UNITS)}, got {spec!r}"
        )
    return _saved_maps(name, Path(folder), unit)


def _estimator(path: Path | None, preset: str) -> Method:
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


def _saved_maps(name: str, folder: Path, unit: MapUnit) -> Method:
    """Maps that another program saved, one per photo, under the photo's name; 8- or 16-bit scores are scaled
    to 1."""
    if not folder.is_dir():
        raise ValueError(f"{name}: {folder} is not a folder of maps")
    paths = {p.stem: p for p in sorted(folder.iterdir()) if p.suffix.lower() in reading.MAP_SUFFIXES}

    def load(photo: str, image: np.ndarray) -> Prediction | str:
        if photo not in paths:
            return f"{photo}: {name} has no map of that name"
        try:
            values = reading.read_map(paths[photo], as_score=unit == "score")
        except (OSError, ValueError) as error:
            return str(error)
        if values.shape != image.shape[:2]:
            return f"{paths[photo].name}: has shape {values.shape}, but the photo {image.shape[:2]}"
        if not np.isfinite(values).all() or values.min() < 0 or (unit == "score" and values.max() > 1):
            return f"{paths[photo].name}: holds values that are no {unit}"
        return Prediction(values)

    return Method(
        name=name,
        unit=unit,
        predict=lambda names, images: [load(*pair) for pair in zip(names, images, strict=True)],
        settings={"folder": folder.name, "unit": unit},
        timed=False,
    )
