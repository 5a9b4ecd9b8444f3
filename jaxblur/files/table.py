"""The table of a run of `jaxblur estimate`: one row per photo."""

import csv
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxblur.files import output

IN_FOCUS_RADIUS = 1.0
"""A pixel counts as in focus up to this blur radius, in px."""

_PERCENTILES = (5, 25, 50, 75, 95)


@dataclasses.dataclass(kw_only=True)
class Row:
    """One line of summary.csv: radii in px, over pixels with any confidence; empty where nothing is known."""

    photo: str
    name: str = ""
    width: int | None = None
    height: int | None = None
    radius_p05: float | None = None
    radius_p25: float | None = None
    radius_p50: float | None = None
    radius_p75: float | None = None
    radius_p95: float | None = None
    share_in_focus: float | None = None
    edge_count: int | None = None
    depth_edge_count: int | None = None
    mean_confidence: float | None = None
    seconds: float | None = None
    error: str = ""

    def describe(self, arrays: dict[str, np.ndarray]) -> None:
        """Fill in the figures of a photo that went well, from the arrays of its estimate."""
        supported = arrays["radius"][arrays["confidence"] > 0]
        if supported.size:
            for percent, value in zip(_PERCENTILES, np.percentile(supported, _PERCENTILES), strict=True):
                setattr(self, f"radius_p{percent:02d}", round(float(value), 4))
            self.share_in_focus = round(float((supported <= IN_FOCUS_RADIUS).mean()), 4)
        self.edge_count = int(arrays["edges"].sum())
        self.depth_edge_count = int(arrays["depth_edges"].sum())
        self.mean_confidence = round(float(arrays["confidence"].mean(dtype=np.float64)), 4)


def write_summary(path: Path, rows: Sequence[Row]) -> None:
    """Write all rows as CSV."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in dataclasses.fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(dataclasses.asdict(row) for row in rows)
    with output.atomic_file(path) as file:
        file.write(text.getvalue().encode(errors="surrogateescape"))  # file names need not be UTF-8
