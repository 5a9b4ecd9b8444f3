"""Figures that others published, from a CSV file: they stand beside ours, cited and marked."""

import csv
import math
from pathlib import Path

from eval.report.labels import LABELS
from eval.schema import Published

_COLUMNS = ("dataset", "method", "citation")


def read_published(path: Path) -> list[Published]:
    """Read figures, one row per method and data set.

    Args:
      path: CSV with columns `dataset` (as on the command line, such as rtf or pixel4/3), `method`, `citation`
        (where the figures are printed), and measures named as in summary.csv; an empty cell means none.

    Raises:
      OSError: the file cannot be read.
      ValueError: a column is missing or unknown, a citation is missing, or a figure is no number.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        names = rows.fieldnames or []
        if missing := [name for name in _COLUMNS if name not in names]:
            raise ValueError(f"{path.name}: has no column {', '.join(missing)}")
        if unknown := [name for name in names if name not in (*_COLUMNS, *LABELS)]:
            raise ValueError(
                f"{path.name}: has columns that are no measures: {', '.join(map(repr, unknown))}"
            )
        return [_parse(f"{path.name}:{rows.line_num}", row) for row in rows]


def _parse(where: str, row: dict[str, str]) -> Published:
    texts = {name: (row[name] or "").strip() for name in row if name is not None}
    if None in row or not all(texts[name] for name in _COLUMNS):
        raise ValueError(
            f"{where}: must name data set, method and citation, and have no more cells than columns"
        )
    try:
        metrics = {name: float(texts[name]) for name in texts if name not in _COLUMNS and texts[name]}
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    if bad := [name for name, value in metrics.items() if not math.isfinite(value)]:
        raise ValueError(f"{where}: {', '.join(bad)} must be finite")
    return Published(
        dataset=texts["dataset"], method=texts["method"], citation=texts["citation"], metrics=metrics
    )
