"""The worst cases of a data set, all methods side by side."""

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eval.report import figures, pictures
from eval.report.markup import plural, swatch
from eval.report.summary import Summary


def draw(members: Sequence[Summary], methods: Sequence[str], folder: Path) -> str:
    """HTML of the first method's worst images: photo, truth; estimate, error, confidence of each method."""
    first = members[0]
    errors = {r.name: pictures.main_error(r.metrics) for r in first.images}
    kept = [p.stem for p in (pictures.folder_of(folder, first.run.id)).glob("*.npz") if p.stem in errors]
    names = sorted(kept, key=lambda name: (-errors[name], name))
    if not names:
        return ""
    planes = {
        (s.run.method, name): _load(pictures.folder_of(folder, s.run.id) / f"{name}.npz")
        for s in members
        for name in names
    }
    is_mask = first.run.unit == "mask"
    top, error_top = (1.0, 1.0) if is_mask else _scales(members, planes)
    blocks = []
    for name in names:
        shared = planes[first.run.method, name]
        truth = figures.picture(shared["truth"], colours=figures.BLUR_MAP, top=top)
        lead = _panel(figures.photo(shared["image"]), "photo") + _panel(truth, "ground truth")
        rows = []
        for s in members:
            if found := planes[s.run.method, name]:
                rows.append(_method_row(s, name, found, methods, top, error_top))
        blocks.append(
            f'<article><h4>{html.escape(name)}</h4><div class="case"><div class="lead">{lead}</div>'
            f'<div class="rows">{"".join(rows)}</div></div></article>'
        )
    unit = "score" if is_mask else "px of radius"
    bars = (
        _bar(figures.BLUR_MAP, f"{top:g}", f"blur, {unit}")
        + _bar(figures.ERROR_MAP, f"{error_top:g}" if is_mask else f"{error_top:g}+", f"error, {unit}")
        + _bar(figures.CONFIDENCE_MAP, "1", "confidence")
    )
    if any(np.isnan(found["truth"]).any() for found in planes.values() if found):
        bars += '<span class="unknown"></span><span>truth unknown</span>'
    ranked = "mean absolute error"
    if is_mask:
        ranked = "average precision"
    elif first.run.method_unit == "score":
        ranked = "AI(1)"
    return (
        f"<h3>Worst cases</h3><p class='note'>The {plural(len(names), 'image')} with the worst {ranked} of "
        f"{html.escape(first.run.method)}, worst first; all on the same colour scales.</p>"
        f'<div class="bars">{bars}</div>{"".join(blocks)}'
    )


def _method_row(
    s: Summary, name: str, planes: dict[str, np.ndarray], methods: Sequence[str], top: float, error_top: float
) -> str:
    is_mask = s.run.unit == "mask"
    value = next((pictures.main_error(r.metrics) for r in s.images if r.name == name), np.nan)
    comparable = is_mask or s.run.method_unit != "score"
    measure = (
        f"AP {1 - value:.3f}"
        if is_mask
        else f"MAE {value:.2f} px of radius"
        if comparable
        else f"AI(1) {value:.2f} px"
    )
    estimate = planes["estimate"].astype(np.float32)
    panels = _panel(
        figures.picture(estimate, colours=figures.BLUR_MAP, top=top if comparable else 1.0), "estimate"
    )
    if comparable:
        error = np.abs(estimate - planes["truth"].astype(np.float32))
        panels += _panel(figures.picture(error, colours=figures.ERROR_MAP, top=error_top), "error")
    if "confidence" in planes:
        panels += _panel(
            figures.picture(planes["confidence"], colours=figures.CONFIDENCE_MAP, top=1.0), "confidence"
        )
    label = f"{swatch(s.run.method, methods)}{html.escape(s.run.method)} <b>{measure}</b>"
    note = "" if comparable else ' <span class="note">(a score without unit, 0 to 1)</span>'
    return f'<div class="method"><h5>{label}{note}</h5><div class="panels">{panels}</div></div>'


def _scales(
    members: Sequence[Summary], planes: dict[tuple[str, str], dict[str, np.ndarray]]
) -> tuple[float, float]:
    """Ends of the scales of blur and of error, in px, common to all pictures of a data set.

    The one of blur holds all of the truth. Errors beyond theirs, of a poor method on a hard image, saturate,
    so that the others still show.
    """
    in_px = {s.run.method for s in members if s.run.method_unit != "score"}
    blur, error = [1.0], []
    for (method, _), found in planes.items():
        if found:
            truth = found["truth"].astype(np.float32)
            blur.append(float(np.nanmax(truth)))
            if method in in_px:
                error.append(float(np.nanpercentile(np.abs(found["estimate"] - truth), 98)))
    return figures.round_up(max(blur)), figures.round_up(max(0.5, float(np.median(error or [0.5]))))


def _load(path: Path) -> dict[str, np.ndarray]:
    if not path.exists():
        return {}
    with np.load(path) as arrays:
        return dict(arrays)


def _panel(source: str, caption: str) -> str:
    return f'<figure><img src="{source}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'


def _bar(colours: str, end: str, title: str) -> str:
    bar = f'<span class="bar" style="background:{figures.gradient(colours)}"></span>'
    return f'<span class="scale"><b>{title}</b><span>0</span>{bar}<span>{end}</span></span>'
