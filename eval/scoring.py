"""All measures of one prediction against one ground truth, in float64 on the host whatever the accelerator.

Errors are in px of the original photo, also where a reduced one was evaluated; radii, distances and
tolerances that only sort pixels into groups are in px of the photo that was evaluated.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from eval.bucket import edges_of
from eval.datasets import Dataset, Sample
from eval.methods import MapUnit, Prediction
from eval.metrics import calibration, depth_edges, detection, focus_stack, regression
from jaxblur import radius_to_sigma, sigma_to_radius
from jaxblur.multiscale.fuse import is_right
from jaxblur.result import IN_FOCUS_RADIUS
from jaxblur.units import TABLE_RADIUS

Scores = dict[str, float]
Curves = dict[str, list[float]]

RADIUS_EDGES = (0.0, 0.75, 1.5, 2.5, 3.5, 4.5, 6.0, 9.0, 13.0, 18.0, 24.0, np.inf)
DISTANCE_EDGES = (0.0, 2.0, 5.0, 10.0, 20.0, 40.0, np.inf)
_LEAST_LENGTH = 4096
_SHARPEST, _BLURRIEST = TABLE_RADIUS[0], TABLE_RADIUS[-1]


def score(dataset: Dataset, sample: Sample, unit: MapUnit, prediction: Prediction) -> tuple[Scores, Curves]:
    """Measure one prediction.

    Args:
      dataset: whose unit, protocol and floor apply.
      sample: with its ground truth.
      unit: of the prediction's map.
      prediction: of the size of the sample.

    Returns:
      Named numbers, and named lists for curves; NaN where something is undefined.
    """
    if dataset.unit == "mask":
        return _score_detection(sample, unit, prediction)
    if dataset.unit == "frames":
        return {}, _places(sample, prediction)
    if dataset.protocol == "affine" or unit == "score":
        return _score_up_to_affine(dataset, sample, unit, prediction)
    return _score_regression(dataset, sample, unit, prediction)


def to_radius(values: np.ndarray, unit: str) -> np.ndarray:
    """Map in px of radius from one in px of radius or sigma."""
    return values if unit == "radius" else _on_host(sigma_to_radius, values).astype(values.dtype)


def blur_score(values: np.ndarray, unit: MapUnit) -> np.ndarray:
    """Score in [0, 1], higher where more blurred; of a radius, 0 at 0.5 px (sharp) and 1 at 6 px."""
    if unit == "score":
        return values
    return np.clip((to_radius(values, unit) - _SHARPEST) / (_BLURRIEST - _SHARPEST), 0, 1)


def _score_detection(sample: Sample, unit: MapUnit, prediction: Prediction) -> tuple[Scores, Curves]:
    known = np.isfinite(sample.truth)
    scores, truth = blur_score(prediction.map.astype(np.float64), unit)[known], sample.truth[known]
    blurred = truth > 0.5
    precision, recall = detection.precision_recall_curve(scores, blurred)
    at_relative = detection.detection_at(scores, blurred, detection.relative_threshold(scores))
    at_adaptive = detection.detection_at(scores, blurred, detection.adaptive_threshold(scores))
    return {
        "average_precision": detection.average_precision(scores, blurred),
        "roc_area": detection.roc_area(scores, blurred),
        "f_adaptive": at_adaptive["f"],
        "accuracy": at_relative["accuracy"],
        "iou": at_relative["iou"],
        "score_mae": regression.mean_absolute_error(scores, truth.astype(np.float64)),
    }, {"precision": _listed(precision, 5), "recall": _listed(recall, 5)}


def _score_up_to_affine(
    dataset: Dataset, sample: Sample, unit: MapUnit, prediction: Prediction
) -> tuple[Scores, Curves]:
    """What no affine map of the estimate changes, in the unit of the truth."""
    known = np.isfinite(sample.truth)
    estimate = prediction.map.astype(np.float64)
    if unit != "score" and unit != dataset.unit:
        estimate = _on_host(sigma_to_radius if dataset.unit == "radius" else radius_to_sigma, estimate)
    truth = sample.truth.astype(np.float64) * sample.scale
    scores = _affine(estimate[known] * sample.scale, truth[known], prefix=dataset.unit)
    if dataset.protocol != "affine":
        true_radius, _ = _both_units(sample.truth[known].astype(np.float64), dataset.unit)
        scores["roc_area"] = _detection(estimate[known], true_radius)
    return scores, {}


def _score_regression(
    dataset: Dataset, sample: Sample, unit: MapUnit, prediction: Prediction
) -> tuple[Scores, Curves]:
    known, scale = np.isfinite(sample.truth), sample.scale
    truth = np.where(known, sample.truth, 1.0).astype(np.float64)
    estimate = prediction.map.astype(np.float64)
    true_radius, true_sigma = _both_units(truth, dataset.unit)
    radius, sigma = _both_units(estimate, unit)

    scores: Scores = {}
    if dataset.protocol == "dmenet":
        own_sigma = (
            sigma if unit == "sigma" else regression.nearest_table_sigma(radius.ravel()).reshape(sigma.shape)
        )
        mse, mae = regression.dmenet_errors(
            own_sigma[known], regression.nearest_table_sigma(true_radius[known])
        )
        scores |= {"dmenet_mse": mse, "dmenet_mae": mae}
    if dataset.floor:
        scores["mae_without_floor"] = regression.mean(np.abs(radius - true_radius)[known] * scale)
        radius = np.maximum(radius, dataset.floor / scale)
        sigma = _both_units(radius, "radius")[1]
    for name, a, b in (("radius", radius, true_radius), ("sigma", sigma, true_sigma)):
        a, b = a[known] * scale, b[known] * scale
        mse = regression.mean_square_error(a, b)
        scores |= {
            f"{name}_mae": regression.mean_absolute_error(a, b),
            f"{name}_mse": mse,
            f"{name}_rmse": mse**0.5,
            **_affine(a, b, prefix=name),
        }
    error = np.abs(radius - true_radius) * scale
    scores["roc_area"] = _detection(radius[known], true_radius[known])
    scores["low_mae"] = regression.mean(error[known & (true_radius <= _BLURRIEST)])
    scores["edge_mae"] = regression.mean(error[known & edges_of(sample.image)])
    curves = _curve("by_radius", error[known], true_radius[known], edges=RADIUS_EDGES)
    if prediction.confidence is not None:
        right = _on_host(is_right, radius, true_radius).astype(np.float64)[known]
        more_scores, more_curves = _confidence(error[known], right, prediction.confidence[known])
        scores |= more_scores
        curves |= more_curves
    steps = depth_edges.blur_steps(true_radius) if known.all() else np.zeros(known.shape, bool)
    if steps.any():  # where part of the truth is unknown, so are the steps
        distance = depth_edges.distance_to(steps)
        curves |= _curve("by_distance", error.ravel(), distance.ravel(), edges=DISTANCE_EDGES)
        if prediction.depth_edges is not None:
            matched = depth_edges.match_edges(prediction.depth_edges, steps)
            scores |= dict(zip(("depth_precision", "depth_recall", "depth_f"), matched, strict=True))
    return scores, curves


def _detection(estimate: np.ndarray, true_radius: np.ndarray) -> float:
    """ROC area of telling what is out of focus, that is more than 1 px, from the rest."""
    return detection.roc_area(estimate, true_radius > IN_FOCUS_RADIUS)


def _places(sample: Sample, prediction: Prediction) -> Curves:
    """Blur and distance to the sharpest frame of every place: `focus_stack.stack_rank` needs those of all frames."""
    blur = focus_stack.place_means(prediction.map.astype(np.float64))
    distance = focus_stack.place_means(sample.truth)
    return {"blur_by_place": _listed(blur.ravel()), "frames_by_place": _listed(distance.ravel())}


def _confidence(error: np.ndarray, right: np.ndarray, confidence: np.ndarray) -> tuple[Scores, Curves]:
    confidence = confidence.astype(np.float64)
    risks, area = calibration.risk_coverage(error, confidence)
    predicted, observed, counts = calibration.reliability(right, confidence)
    curves = {
        "predicted": predicted,
        "predicted_count": counts,
        "observed": observed,
        "observed_count": counts,
        "risk": risks,
    }
    return {"risk_area": area, "right": regression.mean(right)}, {
        name: _listed(values) for name, values in curves.items()
    }


def _affine(estimate: np.ndarray, truth: np.ndarray, *, prefix: str) -> Scores:
    ai1, ai2 = regression.affine_invariant_errors(estimate, truth)
    correlation = regression.rank_correlation(estimate, truth)
    return {
        f"{prefix}_ai1": ai1,
        f"{prefix}_ai2": ai2,
        f"{prefix}_spearman": correlation,
        f"{prefix}_rank_error": 1 - abs(correlation),
    }


def _both_units(values: np.ndarray, unit: str) -> tuple[np.ndarray, np.ndarray]:
    """Radius and sigma of a map in either."""
    if unit == "radius":
        return values, _on_host(radius_to_sigma, values)
    return _on_host(sigma_to_radius, values), values


def _on_host(function: Callable[..., Any], *values: np.ndarray) -> np.ndarray:
    """A function of JAX, element by element in float64 on the CPU; padded to few lengths, to compile little."""
    size = values[0].size
    step = max(_LEAST_LENGTH, (1 << size.bit_length()) // 8)  # at most a quarter more than there is
    flat = [np.pad(plane.astype(np.float64).ravel(), (0, -size % step)) for plane in values]
    with jax.enable_x64(True), jax.default_device(jax.local_devices(backend="cpu")[0]):
        result = np.asarray(function(*map(jnp.asarray, flat)))
    return result[:size].reshape(values[0].shape)


def _curve(name: str, error: np.ndarray, by: np.ndarray, *, edges: tuple[float, ...]) -> Curves:
    means, counts = regression.binned_mean(error, by, edges=edges)
    return {name: _listed(means), f"{name}_count": _listed(counts)}


def _listed(values: np.ndarray, digits: int = 6) -> list[float]:
    return [float(f"{value:.{digits}g}") for value in values]
