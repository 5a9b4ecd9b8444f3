"""Averages over images: the numbers of every table and curve, computed from result records only."""

import dataclasses
import math
import statistics
from collections.abc import Iterable, Sequence

import numpy as np

from eval import schema
from eval.metrics.detection import f_measure
from eval.metrics.focus_stack import stack_rank
from eval.report.labels import LABELS

_TIMES = ("seconds", "megapixels_per_second")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Summary:
    """One method on one data set.

    Attributes:
      run: what ran.
      images: results, by name.
      failures: what could not be scored, by name.
      means: measure -> mean over the images where it is defined; missing where there is none.
      counts: measure -> number of those images.
      cold: whether every time includes compilation, so that timings say little.
    """

    run: schema.Run
    images: Sequence[schema.Image]
    failures: Sequence[schema.Failure]
    means: dict[str, float]
    counts: dict[str, int]
    cold: bool


def summarise(records: Iterable[schema.Record]) -> list[Summary]:
    """Averages of all runs, in the order in which data sets and methods first appeared.

    Of several runs of the same method on the same data set (other code, weights or data) only the last
    counts.
    """
    records = list(records)
    latest: dict[tuple[str, str], schema.Run] = {}
    for record in records:
        if isinstance(record, schema.Run):
            latest[record.dataset, record.method] = record
    datasets = list(dict.fromkeys(dataset for dataset, _ in latest))
    images, failures = schema.of_kind(records, schema.Image), schema.of_kind(records, schema.Failure)
    return [
        _summarise_one(
            run,
            sorted((r for r in images if r.run == run.id), key=lambda r: r.name),
            sorted((r for r in failures if r.run == run.id), key=lambda r: r.name),
        )
        for dataset in datasets
        for (name, _), run in latest.items()
        if name == dataset
    ]


def mean_curve(images: Sequence[schema.Image], name: str) -> list[float]:
    """A curve averaged over images: weighted by its counts where it has some ("NAME_count"), else plainly."""
    curves = np.array([r.curves[name] for r in images if name in r.curves], float)
    if curves.size == 0:
        return []
    weights = np.array([r.curves[f"{name}_count"] for r in images if f"{name}_count" in r.curves], float)
    if weights.size == 0:
        weights = np.ones_like(curves)
    weights = np.where(np.isnan(curves), 0, weights)
    total = weights.sum(0)
    sums = np.where(weights > 0, curves * weights, 0).sum(0)
    return [float(s / t) if t else math.nan for s, t in zip(sums, total, strict=True)]


def mean_text(summary: Summary, measure: str) -> str:
    """A mean for the reader; in brackets if a time that includes compilation."""
    value = summary.means[measure]
    if measure not in _TIMES:
        return f"{value:.3f}" if abs(value) < 100 else f"{value:.1f}"
    text = f"{value:.3g}" if value < 1000 else f"{value:.0f}"
    text = "< 0.001" if value < 0.001 else text
    return f"({text})" if summary.cold else text


def is_best(summary: Summary, measure: str, rivals: Sequence[Summary]) -> bool:
    """Whether no other method on the data set has a better mean; False without rivals, and for times."""
    if measure in _TIMES:
        return False
    others = [s.means[measure] for s in rivals if measure in s.means and s is not summary]
    sign = 1 if LABELS[measure].better == "low" else -1
    return bool(others) and all(sign * summary.means[measure] <= sign * other for other in others)


def _summarise_one(
    run: schema.Run, images: Sequence[schema.Image], failures: Sequence[schema.Failure]
) -> Summary:
    done = {r.name for r in images}
    values: dict[str, list[float]] = {}
    for record in images:
        for name, value in record.metrics.items():
            if math.isfinite(value):
                values.setdefault(name, []).append(value)
    means = {name: math.fsum(found) / len(found) for name, found in values.items()}
    counts = {name: len(found) for name, found in values.items()}
    if precision := mean_curve(images, "precision"):
        f = f_measure(np.array(precision), np.array(mean_curve(images, "recall")))
        if np.isfinite(f).any():
            means["f_max"], counts["f_max"] = float(np.nanmax(f)), len(images)
    places = [
        (r.curves["blur_by_place"], r.curves["frames_by_place"])
        for r in images
        if "blur_by_place" in r.curves
    ]
    if places:
        rank = stack_rank(*(np.array(plane, float) for plane in zip(*places, strict=True)))
        if math.isfinite(rank):
            means["stack_spearman"], counts["stack_spearman"] = rank, len(images)
    if observed := mean_curve(images, "observed"):
        means["calibration_error"] = _calibration_error(mean_curve(images, "predicted"), observed, images)
        counts["calibration_error"] = len(images)
    timed = [r for r in images if math.isfinite(r.seconds)]
    warm = [r for r in timed if r.warm]
    timed = warm or timed
    if timed:
        means["seconds"] = statistics.median(r.seconds for r in timed)
        means["megapixels_per_second"] = statistics.median(
            r.height * r.width / 1e6 / max(r.seconds, 1e-9) for r in timed
        )
    return Summary(
        run=run,
        images=images,
        failures=[f for f in failures if f.name not in done],
        means=means,
        counts=counts,
        cold=not warm,
    )


def _calibration_error(
    predicted: Sequence[float], observed: Sequence[float], images: Sequence[schema.Image]
) -> float:
    """Mean over all pixels of |predicted - observed| of their bin of confidence (Guo et al. 2017)."""
    pixels = np.sum([r.curves["observed_count"] for r in images if "observed_count" in r.curves], axis=0)
    gaps = np.abs(np.subtract(predicted, observed))
    return float(np.sum(np.where(pixels > 0, gaps * pixels, 0)) / np.sum(pixels))
