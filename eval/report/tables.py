"""From results.jsonl to a Markdown table, a CSV and the HTML page. Reads files and runs nothing."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from eval import schema
from eval.metrics.calibration import NUM_BINS
from eval.report import page
from eval.report.labels import LABELS
from eval.report.summary import Summary, is_best, mean_curve, mean_text, summarise
from jaxblur.files import output

# Column title -> measure; px errors are in the unit of the ground truth. Plain ASCII, as consoles may know no more.
_COLUMNS = {
    "MAE": "{unit}_mae",
    "MAE without floor": "mae_without_floor",
    "RMSE": "{unit}_rmse",
    "MAE to 6 px": "low_mae",
    "MAE after fit": "{unit}_ai1",
    "Spearman": "{unit}_spearman",
    "Stack rank": "stack_spearman",
    "Right": "right",
    "Calibration": "calibration_error",
    "DMENet MSE": "dmenet_mse",
    "DMENet MAE": "dmenet_mae",
    "AP": "average_precision",
    "F max": "f_max",
    "MAE of score": "score_mae",
    "s/image": "seconds",
}


class Report(NamedTuple):
    """The Markdown tables, and a line for everything that could not be scored."""

    table: str
    failures: list[str]


def write_report(folder: Path) -> Report:
    """Write table.md, summary.csv and report.html from the results in `folder`.

    Raises:
      ValueError: no results there, or lines that do not follow the schema.
    """
    records = schema.read(folder)
    summaries = summarise(records)
    if not summaries:
        raise ValueError(f"{folder}: holds no results ({schema.PATTERN})")
    published = schema.of_kind(records, schema.Published)
    table = "\n\n".join(filter(None, (markdown_table(summaries, published), reliability_table(summaries))))
    for name, text in (
        ("table.md", table + "\n\n" + markdown_notes(summaries, published)),
        ("summary.csv", csv_table(summaries, published)),
        ("report.html", page.build(summaries, folder, published)),
    ):
        with output.atomic_file(folder / name) as file:
            file.write(text.encode())
    return Report(table, failure_lines(summaries))


def markdown_table(summaries: Sequence[Summary], published: Sequence[schema.Published] = ()) -> str:
    """One row per data set and method, the best of each data set in bold, then what others published."""
    groups = [
        (name, [s for s in summaries if s.run.dataset == name], [p for p in published if p.dataset == name])
        for name in dict.fromkeys(s.run.dataset for s in summaries)
    ]
    found = {
        _column(name, members[0].run.unit)
        for _, members, others in groups
        for figures in (*(s.means for s in members), *(p.metrics for p in others))
        for name in figures
    }
    titles = [title for title in _COLUMNS if title in found]
    rows = [["Data set", "Method", "Images", *titles]]
    for name, members, others in groups:
        unit = members[0].run.unit
        measures = [_COLUMNS[title].format(unit=unit) for title in titles]
        lead = name if unit == "mask" else f"{name} ({unit})"
        for s in members:
            cells = [_cell(s, m, members) for m in measures]
            rows.append([lead, s.run.method, _count(s), *cells])
        for p in others:
            cells = [f"{p.metrics[m]:g}" if m in p.metrics else "" for m in measures]
            rows.append([lead, f"{p.method} (as published)", "", *cells])
    return _align(rows)


def reliability_table(summaries: Sequence[Summary]) -> str:
    """Predicted against observed: the fraction of pixels that is right, by confidence; empty if no method has any."""
    bins = [f"{i / NUM_BINS:.1f} to {(i + 1) / NUM_BINS:.1f}" for i in range(NUM_BINS)]
    rows = [["Right where confidence is", "Method", *bins]]
    for s in summaries:
        if observed := mean_curve(s.images, "observed"):
            fractions = ["" if math.isnan(fraction) else f"{fraction:.2f}" for fraction in observed]
            rows.append([s.run.dataset, s.run.method, *fractions])
    return _align(rows) if len(rows) > 1 else ""


def markdown_notes(summaries: Sequence[Summary], published: Sequence[schema.Published] = ()) -> str:
    """Where the numbers come from: a line per run, the commands, citations, and what could not be scored."""
    lines = ["Errors in px of the original photo, means over images. Runs:", ""]
    for s in summaries:
        weights = f", weights {s.run.weights}" if s.run.weights else ""
        devices = " and ".join(sorted({r.device for r in s.images})) or "nothing done"
        lines.append(
            f"- {s.run.method} on {s.run.dataset}: data {s.run.dataset_version}{weights}, "
            f"code {s.run.commit}, {devices}"
        )
    lines += [
        "",
        *(f"    {command}" for command in dict.fromkeys(s.run.command for s in summaries) if command),
    ]
    scoring = {s.run.dataset: s.run.about["scoring"] for s in summaries if s.run.about.get("scoring")}
    lines += ["", *(f"{name}: {text}" for name, text in scoring.items())] if scoring else []
    sets = {s.run.dataset for s in summaries}
    if others := [f"- {p.method} on {p.dataset}: {p.citation}" for p in published if p.dataset in sets]:
        lines += ["", "As published, not run here:", "", *others]
    if failures := failure_lines(summaries):
        lines += ["", "Not scored, and not in any mean:", "", *(f"- {line}" for line in failures)]
    return "\n".join([*lines, ""])


def failure_lines(summaries: Sequence[Summary]) -> list[str]:
    """What could not be scored and why, one line each."""
    return [f"{s.run.method} on {s.run.dataset}: {f.problem}" for s in summaries for f in s.failures]


def csv_table(summaries: Sequence[Summary], published: Sequence[schema.Published] = ()) -> str:
    """One row per data set and method with every mean; empty where a measure does not apply.

    Figures of others have their citation in the column `as_published`, which is empty for ours.
    """
    others = [p for p in published if any(p.dataset == s.run.dataset for s in summaries)]
    found = {
        name for figures in (*(s.means for s in summaries), *(p.metrics for p in others)) for name in figures
    }
    measures = [name for name in LABELS if name in found]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    facts = ("dataset", "dataset_version", "method", "weights", "commit")
    writer.writerow([*facts, "images", "failures", "as_published", *measures])
    for s in summaries:
        means = [f"{s.means[m]:.6g}" if m in s.means else "" for m in measures]
        writer.writerow([*(getattr(s.run, f) for f in facts), len(s.images), len(s.failures), "", *means])
    for p in others:
        figures = [f"{p.metrics[m]:g}" if m in p.metrics else "" for m in measures]
        writer.writerow([p.dataset, "", p.method, "", "", "", "", p.citation, *figures])
    return text.getvalue()


def _align(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table that is also one to the eye: two columns of text, then numbers."""
    sides = ["left", "left", *["right"] * (len(rows[0]) - 2)]
    return tabulate(rows[1:], headers=rows[0], tablefmt="pipe", colalign=sides, disable_numparse=True)


def _cell(summary: Summary, measure: str, rivals: Sequence[Summary]) -> str:
    if measure not in summary.means:
        return ""
    text = mean_text(summary, measure)
    return f"**{text}**" if is_best(summary, measure, rivals) else text


def _column(measure: str, unit: str) -> str:
    """The title of a measure's column in the table; empty if it has none."""
    return next((title for title, name in _COLUMNS.items() if name.format(unit=unit) == measure), "")


def _count(summary: Summary) -> str:
    failed = f" ({len(summary.failures)} failed)" if summary.failures else ""
    return f"{len(summary.images)}{failed}"
