"""All measures of one prediction against one ground truth, in float64 on the host whatever the accelerator.

Errors are in px of the original photo, also where a reduced one was evaluated; radii, distances and
tolerances that only sort pixels into groups are in px of the photo that was evaluated.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from eval.datasets import Dataset, Sample
from eval.methods import MapUnit, Prediction
from eval.metrics import calibration, depth_edges, detection, regression
from eval.padding import edges_of
from jaxblur import radius_to_sigma, sigma_to_radius
from jaxblur.multiscale.fuse import is_right
from jaxblur.units import TABLE_RADIUS

Scores = dict[str, float]
Curves = dict[str, list[float]]

RADIUS_EDGES = (0.0, 0.75, 1.5, 2.5, 3.5, 4.5, 6.0, 9.0, 13.0, 18.0, 24.0, np.inf)
DISTANCE_EDGES = (0.0, 2.0, 5.0, 10.0, 20.0, 40.0, np.inf)
_LEAST_PIXELS = 4096
_SHARPEST, _BLURRIEST = TABLE_RADIUS[0], TABLE_RADIUS[-1]


def score(dataset: Dataset, sample: Sample, unit: MapUnit, prediction: Prediction) -> tuple[Scores, Curves]:
    """Measure one prediction.

    Args:
      dataset: whose unit and protocol apply.
      sample: with its ground truth.
      unit: of the prediction's map.
      prediction: of the size of the sample.

    Returns:
      Named numbers, and named lists for curves; NaN where something is undefined.
    """
    edges = None if dataset.unit == "mask" else edges_of(sample.image)  # in float32, like any estimator's
    with jax.enable_x64(True), jax.default_device(jax.local_devices(backend="cpu")[0]):
        if edges is None:
            return _score_detection(sample, unit, prediction)
        return _score_regression(dataset, sample, unit, prediction, edges)


def to_radius(values: np.ndarray, unit: str) -> np.ndarray:
    """Map in px of radius from one in px of radius or sigma."""
    return values if unit == "radius" else np.asarray(sigma_to_radius(jnp.asarray(values)))


def blur_score(values: np.ndarray, unit: MapUnit) -> np.ndarray:
    """Score in [0, 1], higher where more blurred; of a radius, 0 at 0.5 px (sharp) and 1 at 6 px."""
    if unit == "score":
        return values
    return np.clip((to_radius(values, unit) - _SHARPEST) / (_BLURRIEST - _SHARPEST), 0, 1)


def _score_detection(sample: Sample, unit: MapUnit, prediction: Prediction) -> tuple[Scores, Curves]:
    scores = blur_score(prediction.map.astype(np.float64), unit)
    flat = _flatten(np.isfinite(sample.truth), scores, sample.truth)
    measured = _detection(*flat)
    precision, recall = (measured.pop(name) for name in ("precision_curve", "recall_curve"))
    curves = {"precision": _listed(precision, 5), "recall": _listed(recall, 5)}
    return {name: float(value) for name, value in measured.items()}, curves


def _score_regression(
    dataset: Dataset, sample: Sample, unit: MapUnit, prediction: Prediction, edges: np.ndarray
) -> tuple[Scores, Curves]:
    valid = np.isfinite(sample.truth)
    truth = np.where(valid, sample.truth, 1.0).astype(np.float64)
    estimate = prediction.map.astype(np.float64)
    truth_radius = to_radius(truth, dataset.unit)
    truth_sigma = truth if dataset.unit == "sigma" else np.asarray(radius_to_sigma(jnp.asarray(truth)))
    scale = sample.scale

    scores: Scores = {}
    if unit == "score":
        flat = _flatten(valid, estimate, truth * scale)
        scores |= _affine(*flat, prefix=dataset.unit)
        return scores, {}

    radius = to_radius(estimate, unit)
    sigma = estimate if unit == "sigma" else np.asarray(radius_to_sigma(jnp.asarray(estimate)))
    for name, a, b in (("radius", radius, truth_radius), ("sigma", sigma, truth_sigma)):
        flat = _flatten(valid, a * scale, b * scale)
        scores |= {f"{name}_{key}": float(value) for key, value in _errors(*flat).items()}
        scores |= _affine(*flat, prefix=name)
    error = np.abs(radius - truth_radius) * scale

    if dataset.protocol == "dmenet":
        own_sigma = (
            sigma if unit == "sigma" else np.asarray(regression.nearest_table_sigma(jnp.asarray(radius)))
        )
        true_sigma = np.asarray(regression.nearest_table_sigma(jnp.asarray(truth_radius)))
        mse, mae = _dmenet(*_flatten(valid, own_sigma, true_sigma))
        scores |= {"dmenet_mse": float(mse), "dmenet_mae": float(mae)}

    low = valid & (truth_radius <= _BLURRIEST)
    scores["low_mae"] = float(error[low].mean()) if low.any() else np.nan
    scores["edge_mae"] = float(error[edges & valid].mean()) if (edges & valid).any() else np.nan
    curves = _curve("by_radius", *_flatten(valid, error, truth_radius), edges=RADIUS_EDGES)
    if prediction.confidence is not None:
        flat = _flatten(valid, error, prediction.confidence.astype(np.float64))
        risks, area = _risk_coverage(*flat)
        right = np.asarray(is_right(jnp.asarray(radius), jnp.asarray(truth_radius)), np.float64)
        predicted, observed, counts = _reliability(
            *_flatten(valid, right, prediction.confidence.astype(np.float64))
        )
        curves |= {
            "predicted": _listed(predicted),
            "predicted_count": _listed(counts),
            "observed": _listed(observed),
            "observed_count": _listed(counts),
            "risk": _listed(risks),
        }
        scores |= {"risk_area": float(area), "right": float(right[valid].mean())}
    steps = depth_edges.blur_steps(truth_radius) if valid.all() else np.zeros(valid.shape, bool)
    if steps.any():  # where part of the truth is unknown, so are the steps
        distance = depth_edges.distance_to(steps)
        curves |= _curve("by_distance", *_flatten(valid, error, distance), edges=DISTANCE_EDGES)
        if prediction.depth_edges is not None:
            matched = depth_edges.match_edges(prediction.depth_edges, steps)
            scores |= dict(zip(("depth_precision", "depth_recall", "depth_f"), matched, strict=True))
    return scores, curves


def _curve(name: str, error: Any, by: Any, valid: Any, *, edges: tuple[float, ...]) -> Curves:
    means, counts = _binned(error, by, valid, edges=edges)
    return {name: _listed(means), f"{name}_count": _listed(counts)}


def _affine(estimate: Any, truth: Any, valid: Any, *, prefix: str) -> Scores:
    ai1, ai2, correlation = _affine_invariant(estimate, truth, valid)
    return {
        f"{prefix}_ai1": float(ai1),
        f"{prefix}_ai2": float(ai2),
        f"{prefix}_spearman": float(correlation),
        f"{prefix}_rank_error": 1 - abs(float(correlation)),
    }


@jax.jit
def _errors(estimate, truth, valid):
    mse = regression.mean_square_error(estimate, truth, valid)
    return {"mae": regression.mean_absolute_error(estimate, truth, valid), "mse": mse, "rmse": jnp.sqrt(mse)}


@jax.jit
def _affine_invariant(estimate, truth, valid):
    errors = regression.affine_invariant_errors(estimate, truth, valid)
    return (*errors, regression.rank_correlation(estimate, truth, valid))


@jax.jit
def _detection(scores, truth, valid):
    blurred = truth > 0.5
    precision, recall = detection.precision_recall_curve(scores, blurred, valid)
    adaptive = detection.detection_at(scores, blurred, valid, detection.adaptive_threshold(scores, valid))
    relative = detection.detection_at(scores, blurred, valid, detection.relative_threshold(scores, valid))
    return {
        "average_precision": detection.average_precision(scores, blurred, valid),
        "roc_area": detection.roc_area(scores, blurred, valid),
        "f_adaptive": adaptive["f"],
        "accuracy": relative["accuracy"],
        "iou": relative["iou"],
        "score_mae": regression.mean_absolute_error(scores, truth, valid),
        "precision_curve": precision,
        "recall_curve": recall,
    }


_reliability = jax.jit(calibration.reliability)
_risk_coverage = jax.jit(calibration.risk_coverage)
_binned = functools.partial(jax.jit, static_argnames="edges")(regression.binned_mean)
_dmenet = jax.jit(regression.dmenet_errors)


def _flatten(valid: np.ndarray, *planes: np.ndarray) -> list[np.ndarray]:
    """The planes (0 where not valid), then `valid`, flat and padded to one of few lengths."""
    step = max(_LEAST_PIXELS, (1 << valid.size.bit_length()) // 8)  # at most a quarter more than there is
    padding = (0, -valid.size % step)
    flat = [np.pad(np.where(valid, plane, 0).astype(np.float64).ravel(), padding) for plane in planes]
    return [*flat, np.pad(valid.ravel(), padding)]


def _listed(values: Any, digits: int = 6) -> list[float]:
    return [float(f"{value:.{digits}g}") for value in np.asarray(values)]
