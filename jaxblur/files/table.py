"""The table of an output folder, summary.csv: one row per photo, also of earlier runs into the folder."""

import contextlib
import csv
import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxblur import result
from jaxblur.files import output
from jaxblur.files.names import same_file_key, shown

NAME = "summary.csv"
_PERCENTILES = (5, 25, 50, 75, 95)


@dataclasses.dataclass(kw_only=True)
class Row:
    """One line of summary.csv: radii in px, over the sure pixels; empty where nothing is known."""

    photo: str
    name: str = ""
    width: int | None = None
    height: int | None = None
    radius_p05: float | None = None
    radius_p25: float | None = None
    radius_p50: float | None = None
    radius_p75: float | None = None
    radius_p95: float | None = None
    fraction_in_focus: float | None = None
    fraction_sure: float | None = None
    edge_count: int | None = None
    depth_edge_count: int | None = None
    mean_confidence: float | None = None
    seconds: float | None = None
    warning: str = ""
    error: str = ""

    def describe(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Fill in the figures of a photo that went well, from the arrays of its estimate."""
        sure = result.is_sure(arrays["confidence"])
        radii = arrays["radius"][sure]
        if radii.size:
            for percent, value in zip(_PERCENTILES, np.percentile(radii, _PERCENTILES), strict=True):
                setattr(self, f"radius_p{percent:02d}", round(float(value), 4))
            fraction = result.fraction_in_focus(arrays["radius"], arrays["confidence"])
            self.fraction_in_focus = round(fraction, 4)
        self.fraction_sure = round(float(sure.mean()), 4)
        self.edge_count = int(arrays["edges"].sum())
        self.depth_edge_count = int(arrays["depth_edges"].sum())
        self.mean_confidence = round(float(arrays["confidence"].mean(dtype=np.float64)), 4)


COLUMNS = tuple(field.name for field in dataclasses.fields(Row))


class Summary:
    """summary.csv of a folder.

    Rows of this run replace those of the same photos; all others stay, also those that another process writes
    meanwhile.
    """

    def __init__(self, folder: Path):
        """Read what is there.

        Raises:
          OSError: it cannot be read.
          ValueError: it is not such a table.
        """
        self._path = folder / NAME
        self._others: dict[str, dict[str, Any]] = {}
        self._own: dict[str, dict[str, Any]] = {}
        self._seen: tuple[int, ...] | None = None
        self._written = True
        self._refresh()

    def check_free(self, name: str, photo: str) -> None:
        """Raise ValueError if the results called `name` in this folder are those of another photo than `photo`."""
        self._refresh()
        key = same_file_key(name)
        for row in (self._others | self._own).values():
            other = row["name"]
            if other and row["photo"] != photo and same_file_key(other) == key:
                results = self._path.with_name(f"{other}.npz")
                if results.exists():
                    raise ValueError(
                        f"{shown(results)} holds the results of {shown(row['photo'])}; name another --output"
                    )

    def keep(self, row: Row, *, locked: bool = False) -> None:
        """Keep a row and write the table, which may fail: then it is written with the next row, or by `finish`.

        Args:
          row: of this run.
          locked: whether the caller holds the folder's lock.
        """
        self._own[row.photo] = dataclasses.asdict(row)
        with contextlib.suppress(OSError, ValueError):
            self._write(locked)

    def finish(self) -> None:
        """Write the table if the last row could not be.

        Raises:
          OSError: it cannot be written.
          ValueError: what is there now is not such a table.
        """
        if not self._written:
            self._write(locked=False)

    def _write(self, locked: bool) -> None:
        self._written = False
        with contextlib.nullcontext() if locked else output.folder_lock(self._path.parent):
            self._refresh()
            text = io.StringIO(newline="")
            writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")  # then names with either are quoted
            writer.writeheader()
            writer.writerows((self._others | self._own).values())
            with output.atomic_file(self._path) as file:
                file.write(text.getvalue().encode(errors="surrogateescape"))  # file names need not be UTF-8
            self._seen = self._signature()
        self._written = True

    def _signature(self) -> tuple[int, ...] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    def _refresh(self) -> None:
        """Read the rows again if another process has written the table."""
        seen = self._signature()
        if seen is None or seen == self._seen:
            return
        text = self._path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
        try:
            reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise ValueError(
                    f"{shown(self._path)}: this table has other columns than those of this version; "
                    "move it or name another --output"
                )
            self._others = {row["photo"]: row for row in reader if None not in row}
        except csv.Error as error:
            raise ValueError(f"{shown(self._path)}: this is not a table ({error})") from error
        self._seen = seen
