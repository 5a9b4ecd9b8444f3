"""Pictures as text that goes straight into HTML: curves as SVG, maps and photos as data addresses."""

import base64
import dataclasses
import io
import math
from collections.abc import Sequence

import cv2
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from eval.metrics.calibration import NUM_BINS, NUM_COVERAGES
from eval.report.summary import Summary, mean_curve
from eval.scoring import DISTANCE_EDGES, RADIUS_EDGES

# Okabe and Ito's palette: told apart by colour-blind readers too.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_UNKNOWN = np.array((222, 222, 222), np.uint8)

BLUR_MAP, ERROR_MAP, CONFIDENCE_MAP = "viridis", "magma", "cividis"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chart:
    """A set of curves, one per method; `x` and each curve have the same length, `ideal` too if there is one."""

    title: str
    x_label: str
    y_label: str
    x: Sequence[float]
    ticks: Sequence[str] = ()
    curves: dict[str, Sequence[float]]
    unit_box: bool = False
    ideal: Sequence[float] = ()


def charts(summaries: Sequence[Summary]) -> list[Chart]:
    """The charts that the results of one data set allow."""

    def collect(name: str) -> dict[str, Sequence[float]]:
        found = {s.run.method: mean_curve(s.images, name) for s in summaries}
        return {method: curve for method, curve in found.items() if np.isfinite(curve).any()}

    made = []
    precision, recall = collect("precision"), collect("recall")
    grid = np.linspace(0.01, 1, 100)
    for method in precision:  # each method has recalls of its own, so it is read off at common ones
        precision[method] = _precision_at(grid, np.array(precision[method]), np.array(recall[method]))
    if precision:
        made.append(
            Chart(
                title="Precision and recall", x_label="recall", y_label="precision", x=grid.tolist(), curves=precision,
                unit_box=True,
            )
        )  # fmt: skip
    error = "mean absolute error, px of radius"
    for name, title, x_label, ticks in (
        ("by_radius", "Error by true blur", "true radius, px of the evaluated image", _ranges(RADIUS_EDGES)),
        (
            "by_distance",
            "Error near steps of blur",
            "distance to the nearest step, px",
            _ranges(DISTANCE_EDGES),
        ),
    ):
        if curves := collect(name):
            x = [float(i) for i in range(len(ticks))]
            made.append(Chart(title=title, x_label=x_label, y_label=error, x=x, ticks=ticks, curves=curves))
    if curves := collect("observed"):
        x = [(i + 0.5) / NUM_BINS for i in range(NUM_BINS)]
        title, y_label = "Is the confidence right?", "fraction of pixels that is right"
        made.append(
            Chart(
                title=title, x_label="confidence", y_label=y_label, x=x, curves=curves, unit_box=True, ideal=x
            )
        )
    if curves := collect("risk"):
        x = [100 * (i + 1) / NUM_COVERAGES for i in range(NUM_COVERAGES)]
        title, x_label = "Risk and coverage", "pixels kept, most confident first, %"
        made.append(Chart(title=title, x_label=x_label, y_label=error, x=x, curves=curves))
    return made


def draw_chart(chart: Chart, methods: Sequence[str]) -> str:
    """SVG element; every method of the report has the same colour and marker in all charts."""
    with matplotlib.rc_context({"svg.fonttype": "none", "font.family": "sans-serif", "svg.hashsalt": "eval"}):
        figure = Figure(figsize=(4.6, 3.1), layout="constrained")
        axes = figure.add_subplot()
        for method, curve in chart.curves.items():
            index = methods.index(method)
            colour, marker = _COLOURS[index % len(_COLOURS)], _MARKERS[index % len(_MARKERS)]
            few = len(curve) <= 25
            axes.plot(
                chart.x, curve, color=colour, marker=marker if few else None, markersize=4.5, linewidth=1.7
            )
        if chart.ideal:
            axes.plot(chart.x, chart.ideal, color="#999999", linestyle="--", linewidth=1, zorder=1)
        axes.set_title(chart.title, fontsize=11, loc="left", fontweight="bold")
        axes.set_xlabel(chart.x_label, fontsize=9)
        axes.set_ylabel(chart.y_label, fontsize=9)
        if chart.ticks:
            axes.set_xticks(chart.x, chart.ticks)
        if chart.unit_box:
            axes.set_xlim(0, 1)
        axes.set_ylim(bottom=0, top=1.02 if chart.unit_box else None)
        axes.tick_params(labelsize=8, length=3, color="#999999")
        axes.grid(axis="y", color="#e4e4e4", linewidth=0.8)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set_color("#999999")
        text = io.StringIO()
        figure.savefig(
            text,
            format="svg",
            transparent=True,
            metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")),
        )
    svg = text.getvalue()
    return svg[svg.index("<svg") :]


def legend_colour(method: str, methods: Sequence[str]) -> str:
    """The colour that `draw_chart` gives a method, for CSS."""
    return _COLOURS[methods.index(method) % len(_COLOURS)]


def picture(values: np.ndarray, *, colours: str, top: float) -> str:
    """Data address of a map in colours from 0 to `top`; what is NaN is light grey."""
    scaled = np.clip(np.nan_to_num(values.astype(np.float32)) / top, 0, 1)
    rgb = _table(colours)[np.round(scaled * 255).astype(np.uint8)]
    rgb[~np.isfinite(values)] = _UNKNOWN
    return _data(".png", rgb, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def photo(image: np.ndarray) -> str:
    """Data address of a photo, (H, W, 3) uint8."""
    return _data(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 88])


def gradient(colours: str) -> str:
    """CSS of a colour bar, low values left."""
    stops = _table(colours)[np.linspace(0, 255, 17).astype(int)]
    return f"linear-gradient(to right, {', '.join('#{:02x}{:02x}{:02x}'.format(*stop) for stop in stops)})"


def round_up(value: float) -> float:
    """The end of a colour scale: the next of 1, 2, 3, 4, 5, 6, 8, 10 times a power of ten."""
    if not value > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * (1 - 1e-9))


def _precision_at(wanted: np.ndarray, precision: np.ndarray, recall: np.ndarray) -> list[float]:
    """Precision where recall first reaches each of `wanted`; NaN beyond the largest.

    A line between two thresholds would promise what no threshold reaches.
    """
    order = np.lexsort((-precision, recall))
    index = np.searchsorted(recall[order], wanted - 1e-9)
    return np.append(precision[order], np.nan)[index].tolist()


def _table(colours: str) -> np.ndarray:
    return (matplotlib.colormaps[colours](np.arange(256))[:, :3] * 255).round().astype(np.uint8)


def _data(suffix: str, rgb: np.ndarray, options: list[int]) -> str:
    kind = {".png": "png", ".jpg": "jpeg"}[suffix]
    encoded = cv2.imencode(suffix, np.ascontiguousarray(rgb[..., ::-1]), options)[1]
    return f"data:image/{kind};base64,{base64.b64encode(encoded.tobytes()).decode()}"


def _ranges(edges: Sequence[float]) -> list[str]:
    """Names of bins, such as "2–5" and "40+"."""
    return [
        f"{a:g}+" if math.isinf(b) else f"{a:g}–{b:g}".replace("0.", ".")
        for a, b in zip(edges[:-1], edges[1:], strict=True)
    ]
