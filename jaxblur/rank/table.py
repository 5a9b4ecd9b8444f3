"""The tables of `jaxblur rank`: rank.jsonl, which grows by a line for every photo, and rank.csv, which is in order.

A run that was interrupted goes on from rank.jsonl. A line counts as long as the photo and the settings are the same.
"""

import contextlib
import csv
import dataclasses
import datetime
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jaxblur.files import output
from jaxblur.files.names import shown
from jaxblur.rank.boxes import Box
from jaxblur.verdict import Sharpness, as_columns

LINES, TABLE, OBJECTS = "rank.jsonl", "rank.csv", "rank_objects.csv"


@dataclasses.dataclass(kw_only=True)
class Row:
    """One photo. Radii are in px of the photo; empty where nothing is known."""

    photo: str
    rank: int | None = None
    verdict: str = ""
    sharpest: float | None = None
    sharpest_at_view: float | None = None
    median: float | None = None
    spread: float | None = None
    fraction_in_focus: float | None = None
    places: int | None = None
    limit: float | None = None
    limit_fraction: float | None = None
    width: int | None = None
    height: int | None = None
    taken: str | None = None
    group: int | None = None
    best: bool | None = None
    seconds: float | None = None
    error: str = ""
    objects: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    hash: str | None = None
    stamp: list[int] | None = None
    settings: str = ""

    def describe(self, photo: Sharpness, boxes: Sequence[tuple[Box, Sharpness]], *, view: float) -> None:
        """Fill in the figures of a photo that went well."""
        for name, value in as_columns(photo).items():
            setattr(self, name, value)
        if self.sharpest is not None and self.width is not None and self.height is not None:
            self.sharpest_at_view = round(photo.sharpest / max(max(self.width, self.height) / view, 1), 4)
        self.objects = [
            {"id": box.number, "category": box.category, "bbox": list(box.box), **as_columns(answer)}
            for box, answer in boxes
        ]


_FIELDS = tuple(field.name for field in dataclasses.fields(Row))
_KEPT = ("objects", "hash", "stamp", "settings")  # in rank.jsonl only
COLUMNS = ("rank", *(name for name in _FIELDS if name not in ("rank", *_KEPT)))
OBJECT_COLUMNS = ("rank", "photo", "id", "category", "left", "top", "width", "height", *Sharpness._fields)


def stamp_of(photo: Path) -> list[int]:
    """What tells whether a file has changed: its bytes and time.

    Raises:
      OSError: there is no such file.
    """
    status = photo.stat()
    return [status.st_size, status.st_mtime_ns]


class Table:
    """What is known of the photos of one folder of results; without a folder it is kept in memory.

    Args:
      folder: of the results, or None.

    Raises:
      OSError: what is there cannot be read.
    """

    def __init__(self, folder: Path | None):
        self._path = None if folder is None else folder / LINES
        self._rows = dict[str, Row]()
        self._read()

    def find(self, photo: str, stamp: list[int], settings: str) -> Row | None:
        """The row of a photo that need not be measured again: it went well, and nothing has changed."""
        row = self._rows.get(photo)
        if row is None or row.error or row.stamp != stamp or row.settings != settings:
            return None
        return row

    def add(self, row: Row) -> None:
        """Keep a row, and append its line.

        Raises:
          OSError: it cannot be written.
        """
        self._rows[row.photo] = row
        if self._path is None:
            return
        try:
            with output.folder_lock(self._path.parent), open(self._path, "ab+") as file:
                if file.tell() and not _ends_line(file):
                    file.write(b"\n")  # a run was killed within a line
                file.write(_line(row))
        except OSError as error:  # the folder is what matters, as for all other results
            raise OSError(error.errno, error.strerror, str(self._path.parent)) from error

    def finish(self, photos: Iterable[str]) -> list[Row]:
        """Put photos in order, sharpest first, group them, and write the tables.

        Args:
          photos: of this run. Others of the folder stay in rank.jsonl.

        Returns:
          Their rows, in order.

        Raises:
          OSError: a table cannot be written.
        """
        rows = arrange([self._rows[photo] for photo in photos])
        if self._path is None:
            return rows
        with output.folder_lock(self._path.parent):
            self._read()  # what other processes have added meanwhile
            known = {row.photo: row for row in rows}
            others = [row for row in self._rows.values() if row.photo not in known]
            lines = b"".join(_line(row) for row in (*rows, *others))
            objects = [line for row in rows for line in _object_lines(row)]
            names = [self._path.with_name(name) for name in (LINES, TABLE, OBJECTS)]
            tables = [lines, _csv(COLUMNS, (dataclasses.asdict(row) for row in rows))]
            if objects:
                tables.append(_csv(OBJECT_COLUMNS, objects))
            with output.atomic_files(names[: len(tables)]) as files:
                for file, data in zip(files, tables, strict=True):
                    file.write(data)
        return rows

    def _read(self) -> None:
        """Take the rows of the file; lines that are none, such as one that was cut off, are passed over."""
        if self._path is None or not self._path.exists():
            return
        for line in self._path.read_bytes().splitlines():
            with contextlib.suppress(ValueError, TypeError):
                row = Row(**json.loads(line))
                self._rows[row.photo] = row


def arrange(rows: Sequence[Row]) -> list[Row]:
    """Rows with rank, group and best: sharpest first, then those of which nothing can be told, then failed ones.

    Sharpness is compared at the size of view. A group that holds one photo has no number. The best of the others is the
    sharpest.
    """
    from jaxblur.rank.groups import find_groups  # loads SciPy, for which `jaxblur --help` need not wait

    ordered = sorted(rows, key=_order)
    for rank, row in enumerate(ordered, start=1):
        row.rank, row.group, row.best = (None if row.error else rank), None, None
    known = [row for row in ordered if row.hash is not None and not row.error]
    times = [None if row.taken is None else datetime.datetime.fromisoformat(row.taken) for row in known]
    members: dict[int, list[Row]] = {}
    for row, label in zip(known, find_groups([row.hash or "" for row in known], times), strict=True):
        members.setdefault(int(label), []).append(row)
    for number, group in enumerate((group for group in members.values() if len(group) > 1), start=1):
        for row in group:
            row.group, row.best = number, row is group[0] and row.sharpest is not None
    return ordered


def _order(row: Row) -> tuple[Any, ...]:
    unknown = row.sharpest_at_view is None
    return bool(row.error), unknown, row.sharpest_at_view or 0.0, row.median or 0.0, row.photo


def _line(row: Row) -> bytes:
    return json.dumps(dataclasses.asdict(row)).encode() + b"\n"


def _ends_line(file: Any) -> bool:
    file.seek(-1, 2)
    return file.read(1) == b"\n"


def _object_lines(row: Row) -> list[dict[str, Any]]:
    lines = []
    for entry in row.objects:
        box = dict(zip(("left", "top", "width", "height"), entry["bbox"], strict=True))
        lines.append({"rank": row.rank, "photo": row.photo, **entry, **box})
    return lines


def _csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(errors="surrogateescape")  # file names need not be UTF-8


def describe_line(row: Row) -> str:
    """The row of a photo that went well, for the eye."""
    radius = "" if row.sharpest is None else f"{row.sharpest:.2f} px"
    mark = "" if row.group is None else f"  (group {row.group}{', best' if row.best else ''})"
    return f"{row.rank:5d}  {row.verdict:8s}  {radius:>9s}  {shown(row.photo)}{mark}"
