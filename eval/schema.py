"""results.jsonl: one line of JSON per run, image, failure and published figure, checked when written and read.

A run line says everything about a method on a data set; image and failure lines refer to it by id. Appending
whole lines makes an evaluation resumable; a last line that was cut off by a crash is dropped. Several hosts
write a file each.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

PATTERN = "results*.jsonl"
if TYPE_CHECKING:
    Number = float
else:
    Number = float | None  # None only ever in the file


class _Struct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """Numbers that are undefined are null in the file, as JSON has no NaN, and NaN in Python."""

    def __post_init__(self) -> None:
        for name in ("seconds", "metrics", "curves"):
            if hasattr(self, name):
                msgspec.structs.force_setattr(self, name, _null_to_nan(getattr(self, name)))


class Run(_Struct, frozen=True, tag="run"):
    """A method on a data set; equal `id` means equal numbers, so that a run can be continued."""

    id: str
    dataset: str
    dataset_version: str
    unit: str  # of the ground truth
    about: dict[str, Any]  # source, citation, licence, scoring
    count: int  # samples in the data set
    method: str
    method_unit: str
    settings: dict[str, Any]
    weights: str  # hash of the parameters
    commit: str  # of the code
    versions: dict[str, Any]
    command: str


class Image(_Struct, frozen=True, tag="image"):
    """Results of one photo."""

    run: str
    name: str
    height: int
    width: int
    device: str  # where it ran, for instance "cpu x 8"
    seconds: Number  # the time of its batch / photos in it; NaN if the method only reads saved maps
    warm: bool  # whether nothing had to be compiled for it
    metrics: dict[str, Number]
    curves: dict[str, list[Number]]


class Failure(_Struct, frozen=True, tag="failure"):
    """A pair or prediction that could not be scored, and why."""

    run: str
    name: str
    problem: str


class Published(_Struct, frozen=True, tag="published"):
    """What somebody else reports of a method on a data set, to stand beside ours; nothing here has run it."""

    dataset: str
    method: str
    citation: str
    metrics: dict[str, Number]


Record = Run | Image | Failure | Published
_decoder = msgspec.json.Decoder(Record)
_R = TypeVar("_R")


def run_id(**parts: Any) -> str:
    """Hash of whatever decides the numbers of a run."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def to_line(record: Record) -> bytes:
    """JSON of one record, without line end.

    Raises:
      ValueError: a field has a value of the wrong type.
      TypeError: a value is no plain Python object.
    """
    line = msgspec.json.encode(record)
    _decoder.decode(line)
    return line


def from_line(line: bytes) -> Record:
    """Parse and check one line.

    Raises:
      ValueError: not JSON, not a known kind, a field missing, unknown or of the wrong type.
    """
    return _decoder.decode(line)


def append(path: Path, records: Iterable[Record]) -> None:
    """Append records as whole lines and make sure they are on disk.

    Raises:
      OSError: the file, which the error names, cannot be written; the next run drops what there is of a line.
    """
    lines = b"".join(to_line(record) + b"\n" for record in records)
    try:
        with path.open("ab") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def read(folder: Path) -> list[Record]:
    """All records of all result files in `folder`.

    Raises:
      ValueError: a line does not follow the schema; the message names file and line.
    """
    records: list[Record] = []
    for path in sorted(folder.glob(PATTERN)):
        data = path.read_bytes()
        for number, line in enumerate(data[: data.rfind(b"\n") + 1].split(b"\n")[:-1], 1):
            try:
                records.append(from_line(line))
            except ValueError as error:
                raise ValueError(f"{path}:{number}: {error}") from None
    return records


def drop_partial_line(path: Path) -> None:
    """Cut off what a crash left of an unfinished last line, so that the next one starts afresh."""
    if path.exists():
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(path, whole)


def of_kind(records: Iterable[Record], kind: type[_R]) -> list[_R]:
    """The records of one kind, in order; of several with the same key the last counts."""
    found: dict[tuple[str, ...], _R] = {}
    for record in records:
        if isinstance(record, kind):
            found[_key(record)] = record
    return list(found.values())


def _key(record: Any) -> tuple[str, ...]:
    if isinstance(record, Run):
        return (record.id,)
    return (record.dataset, record.method) if isinstance(record, Published) else (record.run, record.name)


def _null_to_nan(value: Any) -> Any:
    if value is None:
        return math.nan
    if isinstance(value, dict):
        return {key: _null_to_nan(item) for key, item in value.items()}
    return [_null_to_nan(item) for item in value] if isinstance(value, list) else value
