"""The report as one HTML page that needs no other file: tables, curves, and the worst cases side by side."""

import html
import re
from collections.abc import Sequence
from pathlib import Path

from eval import cases
from eval.labels import LABELS
from eval.report import figures
from eval.report.markup import plural, swatch
from eval.report.summary import Summary, format_mean
from eval.schema import Published

STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")

_EMPTY = '<td class="none">–</td>'
_OVERVIEW = (
    "{unit}_mae",
    "{unit}_rmse",
    "{unit}_ai1",
    "{unit}_rank_error",
    "dmenet_mae",
    "average_precision",
    "f_max",
    "score_mae",
    "seconds",
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
    sets = list(dict.fromkeys(s.run.dataset for s in summaries))
    title = f"Defocus blur: {plural(len(methods), 'method')} on {plural(len(sets), 'data set')}"
    body = [
        f"<header><h1>{title}</h1>",
        _introduction(),
        _overview(summaries, published, methods),
        "</header>",
    ]
    for name in sets:
        members = [s for s in summaries if s.run.dataset == name]
        others = [p for p in published if p.dataset == name]
        body += [_section(members, others, methods, folder)]
    body += [_provenance(summaries)]
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body>{''.join(body)}</body></html>\n"
    )


def _introduction() -> str:
    return (
        "<p>Each method estimates how much every pixel of a photo is out of focus. Errors are in pixels of "
        "the original photo, averaged over the pixels whose truth is known, then over images. The best of "
        "each data set is bold; arrows say which way is better.</p>"
    )


def _overview(summaries: Sequence[Summary], published: Sequence[Published], methods: Sequence[str]) -> str:
    """A table of all methods on the data sets with maps, one on those with masks, and citations."""
    shown = [p for p in published if any(p.dataset == s.run.dataset for s in summaries)]
    citations = list(dict.fromkeys(p.citation for p in shown))
    tables = []
    for title, is_mask in (("Blur maps", False), ("Blur detection", True)):
        if members := [s for s in summaries if (s.run.unit == "mask") == is_mask]:
            tables.append(f"<h3>{title}</h3>{_overview_table(members, shown, methods, citations)}")
    notes = "".join(
        f'<p class="note">[{i}] As published, not run here: {html.escape(text)}</p>'
        for i, text in enumerate(citations, 1)
    )
    return "".join(tables) + notes


def _overview_table(
    summaries: Sequence[Summary],
    published: Sequence[Published],
    methods: Sequence[str],
    citations: Sequence[str],
) -> str:
    columns = [c for c in _OVERVIEW if any(c.format(unit=s.run.unit) in s.means for s in summaries)]
    titles = [re.sub(r"( of|,) radius", "", _heading(c.format(unit="radius"))) for c in columns]
    rows = []
    for name in dict.fromkeys(s.run.dataset for s in summaries):
        members = [s for s in summaries if s.run.dataset == name]
        others = [p for p in published if p.dataset == name]
        unit = members[0].run.unit
        measures = [c.format(unit=unit) for c in columns]
        lines = [
            f"{_method_cell(s, methods)}<td>{len(s.images)}</td>"
            + "".join(_number(s, m, members) for m in measures)
            for s in members
        ]
        lines += [
            f'<td class="name"><i>{html.escape(p.method)}</i> <span class="note">as published '
            f"[{citations.index(p.citation) + 1}]</span></td>{_EMPTY}"
            + "".join(_published_number(p, m) for m in measures)
            for p in others
        ]
        note = "" if unit == "mask" else f'<div class="note">in px of {unit}</div>'
        link = f'<a href="#{_anchor(name)}">{html.escape(name)}</a>'
        lines[0] = f'<td rowspan="{len(lines)}">{link}{note}</td>{lines[0]}'
        rows += [f'<tr class="first">{lines[0]}</tr>', *(f"<tr>{line}</tr>" for line in lines[1:])]
    head = "".join(f"<th>{t}</th>" for t in ("Data set", "Method", "Images", *titles))
    table = f'<table class="overview"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return f'<div class="wide">{table}</div>'


def _section(
    members: Sequence[Summary], others: Sequence[Published], methods: Sequence[str], folder: Path
) -> str:
    run = members[0].run
    about = [html.escape(run.about.get("citation", "")), html.escape(run.about.get("licence", ""))]
    parts = [
        f'<section id="{_anchor(run.dataset)}"><h2>{html.escape(run.dataset)}</h2>',
        f'<p class="note">{" ".join(text + ("" if text.endswith(".") else ".") for text in about if text)} '
        f"Source: {_link(run.about.get('source', ''))}. {plural(run.count, 'image')}, ground truth in "
        f"{'px of ' + run.unit if run.unit != 'mask' else 'two classes'}, "
        f"version {html.escape(run.dataset_version)}.</p>",
        _measures(members, others, methods),
        _charts(members, methods),
        cases.draw(members, methods, folder),
        _failures(members),
    ]
    return "".join([*parts, "</section>"])


def _measures(members: Sequence[Summary], others: Sequence[Published], methods: Sequence[str]) -> str:
    """All measures of one data set, a column per method."""
    found = {
        name for figures in (*(s.means for s in members), *(p.metrics for p in others)) for name in figures
    }
    names = [name for name in LABELS if name in found]
    head = "".join(f"<th>{swatch(s.run.method, methods)}{html.escape(s.run.method)}</th>" for s in members)
    head += "".join(f"<th>{html.escape(p.method)}<div class='note'>as published</div></th>" for p in others)
    rows = "".join(
        f'<tr><th scope="row">{_heading(name)}'
        f'<div class="note">{html.escape(LABELS[name].meaning)}</div></th>'
        + "".join(_number(s, name, members) for s in members)
        + "".join(_published_number(p, name) for p in others)
        + "</tr>"
        for name in names
    )
    return (
        '<details><summary>All measures</summary><div class="wide"><table class="measures">'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )


def _charts(members: Sequence[Summary], methods: Sequence[str]) -> str:
    charts = figures.charts(members)
    if not charts:
        return ""
    drawn = "".join(f"<figure>{figures.draw_chart(chart, methods)}</figure>" for chart in charts)
    shown = [m for m in methods if any(m in chart.curves for chart in charts)]
    legend = "".join(f"<span>{swatch(m, methods)}{html.escape(m)}</span>" for m in shown)
    return f'<p class="legend">{legend}</p><div class="charts">{drawn}</div>'


def _failures(members: Sequence[Summary]) -> str:
    lines = "".join(
        f"<li>{html.escape(s.run.method)}: {html.escape(f.problem)}</li>" for s in members for f in s.failures
    )
    return f"<h3>Not scored, and in no mean</h3><ul>{lines}</ul>" if lines else ""


def _provenance(summaries: Sequence[Summary]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(s.run.dataset)}</td><td>{html.escape(s.run.method)}</td><td>{s.run.id}</td>"
        f"<td>{s.run.weights or '–'}</td><td>{html.escape(s.run.commit)}</td>"
        f"<td>{html.escape(', '.join(sorted({r.device for r in s.images})))}</td>"
        f"<td>{html.escape(', '.join(f'{k} {v}' for k, v in s.run.versions.items()))}</td></tr>"
        for s in summaries
    )
    head = "".join(
        f"<th>{t}</th>" for t in ("Data set", "Method", "Run", "Weights", "Code", "Device", "Versions")
    )
    commands = "\n".join(dict.fromkeys(s.run.command for s in summaries if s.run.command))
    return (
        f"<section><h2>How these numbers were made</h2><pre>{html.escape(commands)}</pre>"
        f'<div class="wide"><table class="runs"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _heading(measure: str) -> str:
    label = LABELS[measure]
    unit = f", {label.unit}" if label.unit else ""
    return (
        f"{html.escape(label.title)}{unit} <span class='arrow'>{'↓' if label.better == 'low' else '↑'}</span>"
    )


def _number(summary: Summary, measure: str, rivals: Sequence[Summary]) -> str:
    if measure not in summary.means:
        return _EMPTY
    text = format_mean(summary, measure, rivals).replace("-", "−")
    return "<td>" + re.sub(r"^[*]{2}(.*)[*]{2}$", r"<b>\1</b>", text) + "</td>"


def _method_cell(summary: Summary, methods: Sequence[str]) -> str:
    failed = f'<div class="note">{len(summary.failures)} not scored</div>' if summary.failures else ""
    name = swatch(summary.run.method, methods) + html.escape(summary.run.method)
    return f'<td class="name">{name}{failed}</td>'


def _published_number(figures: Published, measure: str) -> str:
    return f"<td>{figures.metrics[measure]:g}</td>" if measure in figures.metrics else _EMPTY


def _anchor(name: str) -> str:
    return "set-" + re.sub(r"\W+", "-", name)


def _link(source: str) -> str:
    address = source.split(" ")[0]
    if not address.startswith("http"):
        return html.escape(source)
    return f'<a href="{html.escape(address)}">{html.escape(address)}</a>{html.escape(source[len(address) :])}'
