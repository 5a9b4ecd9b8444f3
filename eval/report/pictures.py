"""Small maps of the worst images, kept for the report as OUTPUT/pictures/RUN/NAME.npz."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from eval import scoring
from eval.datasets import Dataset, Sample
from eval.methods import Method, Prediction
from jaxblur.files import output

_SIDE = 480  # px, at most, of the longer side
_MAIN = ("average_precision", "radius_mae", "radius_ai1", "sigma_ai1")


def folder_of(output: Path, run: str) -> Path:
    """Where the pictures of a run lie."""
    return output / "pictures" / run


def main_measure(metrics: Mapping[str, float]) -> str:
    """The one measure by which images are ranked from worst to best; empty if there is none, as in a focus stack."""
    return next((name for name in _MAIN if name in metrics), "")


def main_error(metrics: Mapping[str, float]) -> float:
    """The value of the main measure, larger is worse; NaN if there is none."""
    name = main_measure(metrics)
    value = metrics.get(name, np.nan)
    return 1 - value if name == "average_precision" else value


def worst(errors: Mapping[str, float], count: int) -> set[str]:
    """The names with the largest defined errors, at most `count`."""
    defined = [name for name in errors if np.isfinite(errors[name])]
    return set(sorted(defined, key=lambda name: (-errors[name], name))[:count])


def save(path: Path, dataset: Dataset, method: Method, sample: Sample, prediction: Prediction) -> None:
    """Write photo, confidence, and truth and estimate in px of radius (or as scores), all small."""
    path.parent.mkdir(parents=True, exist_ok=True)
    truth, estimate = sample.truth, prediction.map
    if dataset.unit == "mask":
        estimate = scoring.blur_score(estimate, method.unit)
    else:
        truth = scoring.to_radius(truth, dataset.unit) * sample.scale
        if method.unit != "score":
            estimate = scoring.to_radius(estimate, method.unit) * sample.scale
    step = -(-max(truth.shape) // _SIDE)
    planes = {"truth": truth, "estimate": estimate}
    if prediction.confidence is not None:
        planes["confidence"] = prediction.confidence
    small = {
        name: plane[step // 2 :: step, step // 2 :: step].astype(np.float16) for name, plane in planes.items()
    }
    output.write_arrays(path, image=sample.image[step // 2 :: step, step // 2 :: step], **small)
