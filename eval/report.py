"""From results.jsonl to a Markdown table, a CSV and the HTML page. Reads files and runs nothing."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from eval import page, schema
from eval.labels import LABELS
from eval.summary import Summary, format_mean, summarise
from jaxblur import files

# Column title -> measure; px errors are in the unit of the ground truth.
_COLUMNS = {
    "MAE": "{unit}_mae",
    "RMSE": "{unit}_rmse",
    "AI(1)": "{unit}_ai1",
    "1 − abs(ρ)": "{unit}_rank_error",
    "AP": "average_precision",
    "F max": "f_max",
    "s/image": "seconds",
}


class Report(NamedTuple):
    """The Markdown table, and a line for everything that could not be scored."""

    table: str
    failures: list[str]


def write_report(folder: Path) -> Report:
    """Write table.md, summary.csv and report.html from the results in `folder`.

    Raises:
      ValueError: no results there, or lines that do not follow the schema.
    """
    summaries = summarise(schema.read(folder))
    if not summaries:
        raise ValueError(f"{folder}: holds no results ({schema.PATTERN})")
    table = markdown_table(summaries)
    for name, text in (
        ("table.md", table + "\n\n" + markdown_notes(summaries)),
        ("summary.csv", csv_table(summaries)),
        ("report.html", page.build(summaries, folder)),
    ):
        with files.atomic_file(folder / name) as file:
            file.write(text.encode())
    return Report(table, failure_lines(summaries))


def markdown_table(summaries: Sequence[Summary]) -> str:
    """One row per data set and method; the best of each data set in bold."""
    titles = [title for title in _COLUMNS if any(_cell_measure(s, title) for s in summaries)]
    rows = [["Data set", "Method", "Images", *titles], ["---", "---", *["---:"] * (len(titles) + 1)]]
    for summary in summaries:
        rivals = [s for s in summaries if s.run.dataset == summary.run.dataset]
        cells = []
        for title in titles:
            measure = _cell_measure(summary, title)
            cells.append(format_mean(summary, measure, rivals) if measure else "")
        unit = {"mask": ""}.get(summary.run.unit, f" ({summary.run.unit})")
        rows.append([summary.run.dataset + unit, summary.run.method, _count(summary), *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def markdown_notes(summaries: Sequence[Summary]) -> str:
    """Where the numbers come from: a line per run, the commands, and what could not be scored."""
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
    if failures := failure_lines(summaries):
        lines += ["", "Not scored, and not in any mean:", "", *(f"- {line}" for line in failures)]
    return "\n".join([*lines, ""])


def failure_lines(summaries: Sequence[Summary]) -> list[str]:
    """What could not be scored and why, one line each."""
    return [f"{s.run.method} on {s.run.dataset}: {f.problem}" for s in summaries for f in s.failures]


def csv_table(summaries: Sequence[Summary]) -> str:
    """One row per data set and method with every mean; empty where a measure does not apply."""
    measures = [name for name in LABELS if any(name in s.means for s in summaries)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["dataset", "dataset_version", "method", "weights", "commit", "images", "failures", *measures]
    )
    for s in summaries:
        means = [f"{s.means[m]:.6g}" if m in s.means else "" for m in measures]
        run = s.run
        writer.writerow(
            [
                run.dataset,
                run.dataset_version,
                run.method,
                run.weights,
                run.commit,
                len(s.images),
                len(s.failures),
                *means,
            ]
        )
    return text.getvalue()


def _cell_measure(summary: Summary, title: str) -> str | None:
    measure = _COLUMNS[title].format(unit=summary.run.unit)
    return measure if measure in summary.means else None


def _count(summary: Summary) -> str:
    failed = f" ({len(summary.failures)} failed)" if summary.failures else ""
    return f"{len(summary.images)}{failed}"
