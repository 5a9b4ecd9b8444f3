"""The report as one HTML page that needs no other file: tables, curves, and the worst cases side by side.

What is shown is gathered here; what it looks like is in `templates/`.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from eval.report import figures, worst_cases
from eval.report.labels import LABELS
from eval.report.summary import Summary, is_best, mean_text
from eval.schema import Published

_OVERVIEW = (
    "{unit}_mae",
    "mae_without_floor",
    "{unit}_rmse",
    "{unit}_ai1",
    "{unit}_spearman",
    "stack_spearman",
    "dmenet_mae",
    "average_precision",
    "f_max",
    "score_mae",
    "seconds",
)
_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def build(summaries: Sequence[Summary], folder: Path, published: Sequence[Published] = ()) -> str:
    """The page.

    Args:
      summaries: what to show; the first method of each data set decides which cases are the worst.
      folder: the evaluation's output, for the pictures.
      published: figures of others, shown beside ours on the data sets that were run.

    Returns:
      HTML with style, curves and pictures inside.
    """
    methods = list(dict.fromkeys(s.run.method for s in summaries))
    names = list(dict.fromkeys(s.run.dataset for s in summaries))
    groups = [
        _group(
            [s for s in summaries if s.run.dataset == name],
            [p for p in published if p.dataset == name],
            methods,
            folder,
        )
        for name in names
    ]
    return _templates.get_template("report.html.jinja").render(
        title=f"Defocus blur: {_plural(len(methods), 'method')} on {_plural(len(names), 'data set')}",
        summaries=summaries,
        groups=groups,
        overviews=[
            _overview(title, members)
            for title, members in (
                ("Blur maps", [group for group in groups if group["unit"]]),
                ("Blur detection", [group for group in groups if not group["unit"]]),
            )
            if members
        ],
        citations=list(dict.fromkeys(p.citation for group in groups for p in group["published"])),
        commands=list(dict.fromkeys(s.run.command for s in summaries if s.run.command)),
        labels=LABELS,
        colour=lambda method: figures.legend_colour(method, methods),
        mean_text=mean_text,
        is_best=is_best,
    )


def unit_text(unit: str) -> str:
    """What the numbers of a ground truth are, for instance "px of radius"; empty for a mask."""
    return {"mask": "", "frames": "frames"}.get(unit, f"px of {unit}")


def _group(
    members: Sequence[Summary], published: Sequence[Published], methods: Sequence[str], folder: Path
) -> dict[str, Any]:
    """All that is shown of one data set."""
    run = members[0].run
    found = {
        name for figures in (*(s.means for s in members), *(p.metrics for p in published)) for name in figures
    }
    charts = figures.charts(members)
    return {
        "name": run.dataset,
        "anchor": "set-" + re.sub(r"\W+", "-", run.dataset),
        "unit": unit_text(run.unit),
        "members": members,
        "published": published,
        "measures": [name for name in LABELS if name in found],
        "charts": [figures.draw_chart(chart, methods) for chart in charts],
        "charted": [m for m in methods if any(m in chart.curves for chart in charts)],
        "cases": worst_cases.gather(members, folder),
        "columns": [],
    }


def _overview(title: str, groups: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A table of all methods on some data sets, in the columns that any of them has."""
    kept = [
        name
        for name in _OVERVIEW
        if any(name.format(unit=s.run.unit) in s.means for group in groups for s in group["members"])
    ]
    for group in groups:
        group["columns"] = [name.format(unit=group["members"][0].run.unit) for name in kept]
    columns = [name.format(unit="radius") for name in kept]
    titles = [re.sub(r"( of|,) radius", "", LABELS[name].title) for name in columns]
    return {"title": title, "columns": list(zip(columns, titles, strict=True)), "groups": groups}


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
