"""The worst cases of a data set, all methods side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.report import figures, pictures
from eval.report.labels import LABELS
from eval.report.summary import Summary

_Planes = dict[str, np.ndarray]


def gather(members: Sequence[Summary], folder: Path) -> dict[str, Any] | None:
    """The first method's worst images: photo, truth; estimate, error, confidence of each method, as data addresses.

    Args:
      members: the methods on one data set.
      folder: the evaluation's output, where the pictures lie.

    Returns:
      What the template shows; None if there are no pictures.
    """
    first = members[0]
    errors = {r.name: pictures.main_error(r.metrics) for r in first.images}
    kept = [p.stem for p in pictures.folder_of(folder, first.run.id).glob("*.npz") if p.stem in errors]
    names = sorted(kept, key=lambda name: (-errors[name], name))
    if not names:
        return None
    planes = {
        (s.run.method, name): _load(pictures.folder_of(folder, s.run.id) / f"{name}.npz")
        for s in members
        for name in names
    }
    is_mask = first.run.unit == "mask"
    top, error_top = (1.0, 1.0) if is_mask else _scales(members, planes)
    unit = "score" if is_mask else "px of radius"
    worst = max((r for r in first.images if r.name in names), key=lambda r: errors[r.name])
    return {
        "method": first.run.method,
        "ranked_by": LABELS[pictures.main_measure(worst.metrics)].title,
        "bars": [
            _bar(figures.BLUR_MAP, f"{top:g}", f"blur, {unit}"),
            _bar(figures.ERROR_MAP, f"{error_top:g}" if is_mask else f"{error_top:g}+", f"error, {unit}"),
            _bar(figures.CONFIDENCE_MAP, "1", "confidence"),
        ],
        "has_unknown": any(np.isnan(found["truth"]).any() for found in planes.values() if found),
        "images": [
            {
                "name": name,
                "photo": figures.photo(planes[first.run.method, name]["image"]),
                "truth": figures.picture(
                    planes[first.run.method, name]["truth"], colours=figures.BLUR_MAP, top=top
                ),
                "rows": [
                    _row(s, name, found, top, error_top)
                    for s in members
                    if (found := planes[s.run.method, name])
                ],
            }
            for name in names
        ],
    }


def _row(s: Summary, name: str, planes: _Planes, top: float, error_top: float) -> dict[str, Any]:
    """What one method says about one image."""
    metrics = next((r.metrics for r in s.images if r.name == name), {})
    measure = pictures.main_measure(metrics)
    without_unit = s.run.unit != "mask" and s.run.method_unit == "score"
    estimate = planes["estimate"].astype(np.float32)
    panels = {
        "estimate": figures.picture(estimate, colours=figures.BLUR_MAP, top=1.0 if without_unit else top)
    }
    if measure in ("average_precision", "radius_mae"):  # else only an affine map of the estimate is judged
        error = np.abs(estimate - planes["truth"].astype(np.float32))
        panels["error"] = figures.picture(error, colours=figures.ERROR_MAP, top=error_top)
    if "confidence" in planes:
        panels["confidence"] = figures.picture(planes["confidence"], colours=figures.CONFIDENCE_MAP, top=1.0)
    label = LABELS.get(measure)
    text = f"{label.title} {metrics[measure]:.3f} {label.unit}" if label else "not scored"
    return {"method": s.run.method, "measure": text, "without_unit": without_unit, "panels": panels}


def _scales(members: Sequence[Summary], planes: dict[tuple[str, str], _Planes]) -> tuple[float, float]:
    """Ends of the scales of blur and of error, in px, common to all pictures of a data set.

    The one of blur holds all of the truth. Errors beyond theirs, of a poor method on a hard image, saturate,
    so that the others still show.
    """
    in_px = {s.run.method for s in members if s.run.method_unit != "score"}
    blur, error = [1.0], []
    for (method, _), found in planes.items():
        known = np.isfinite(found["truth"]) if found else np.zeros(1, bool)
        if known.any():  # the small copy of a map may have lost all pixels that are known
            truth = found["truth"][known].astype(np.float32)
            blur.append(float(truth.max()))
            if method in in_px:
                error.append(float(np.percentile(np.abs(found["estimate"][known] - truth), 98)))
    return figures.round_up(max(blur)), figures.round_up(max(0.5, float(np.median(error or [0.5]))))


def _load(path: Path) -> _Planes:
    if not path.exists():
        return {}
    with np.load(path) as arrays:
        return dict(arrays)


def _bar(colours: str, end: str, title: str) -> dict[str, str]:
    return {"title": title, "end": end, "gradient": figures.gradient(colours)}
