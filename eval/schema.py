"""results.jsonl: one line of JSON per run, image, failure and published figure, checked when written and read.

A run line says everything about a method on a data set; image and failure lines refer to it by id. Appending
whole lines makes an evaluation resumable; a last line that was cut off by a crash is dropped. Several hosts
write a file each.
"""

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

PATTERN = "results*.jsonl"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A method on a data set; equal `id` means equal numbers, so that a run can be continued."""

    id: str
    dataset: str
    dataset_version: str
    unit: str  # of the ground truth
    about: dict[str, Any]  # source, citation, licence
    count: int  # samples in the data set
    method: str
    method_unit: str
    settings: dict[str, Any]
    weights: str  # hash of the parameters
    commit: str  # of the code
    versions: dict[str, Any]
    command: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Image:
    """Results of one photo. Undefined numbers are null in the file and NaN here."""

    run: str
    name: str
    height: int
    width: int
    device: str  # where it ran, for instance "cpu x 8"
    seconds: float  # its share of the time its batch took; NaN if the method only reads saved maps
    warm: bool  # whether nothing had to be compiled for it
    metrics: dict[str, Any]
    curves: dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failure:
    """A pair or prediction that could not be scored, and why."""

    run: str
    name: str
    problem: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Published:
    """What somebody else reports of a method on a data set, to stand beside ours; nothing here has run it."""

    dataset: str
    method: str
    citation: str
    metrics: dict[str, Any]


Record = Run | Image | Failure | Published
_KINDS: dict[str, type[Record]] = {"run": Run, "image": Image, "failure": Failure, "published": Published}
_R = TypeVar("_R")


def run_id(**parts: Any) -> str:
    """Hash of whatever decides the numbers of a run."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def to_line(record: Record) -> str:
    """JSON of one record, without line end.

    Raises:
      ValueError: a field has a value of the wrong type.
    """
    _check(record)
    kind = next(kind for kind, cls in _KINDS.items() if isinstance(record, cls))
    return json.dumps({"kind": kind, **_nulled(dataclasses.asdict(record))}, allow_nan=False)


def from_line(line: str) -> Record:
    """Parse and check one line.

    Raises:
      ValueError: not JSON, not a known kind, a field missing, unknown or of the wrong type.
    """
    fields = json.loads(line)
    if not isinstance(fields, dict) or fields.get("kind") not in _KINDS:
        raise ValueError(f"kind must be one of {', '.join(_KINDS)}")
    cls = _KINDS[fields.pop("kind")]
    names = {field.name for field in dataclasses.fields(cls)}
    if fields.keys() != names:
        raise ValueError(f"{cls.__name__} must have exactly the fields {sorted(names)}, got {sorted(fields)}")
    for name in ("seconds", "metrics", "curves"):
        if name in fields:
            fields[name] = _unnulled(fields[name])
    record = cls(**fields)
    _check(record)
    return record


def append(path: Path, records: Iterable[Record]) -> None:
    """Append records as whole lines and make sure they are on disk."""
    text = "".join(to_line(record) + "\n" for record in records)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path) -> list[Record]:
    """All records of all result files in `folder`.

    Raises:
      ValueError: a line does not follow the schema; the message names file and line.
    """
    records: list[Record] = []
    for path in sorted(folder.glob(PATTERN)):
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        for number, line in enumerate(whole.splitlines(), 1):
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


def _check(record: Record) -> None:
    for field in dataclasses.fields(record):
        value: Any = getattr(record, field.name)
        expected: Any = dict if field.type == dict[str, Any] else field.type
        if expected is float and isinstance(value, int) and not isinstance(value, bool):
            continue
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            raise ValueError(
                f"{type(record).__name__}.{field.name} must be {expected.__name__}, got {value!r}"
            )
    if isinstance(record, (Image, Published)):
        for name, value in record.metrics.items():
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                raise ValueError(f"{type(record).__name__}.metrics[{name!r}] must be a number, got {value!r}")
    if isinstance(record, Image):
        for name, values in record.curves.items():
            if not isinstance(values, list) or not all(isinstance(v, (int, float)) for v in values):
                raise ValueError(f"Image.curves[{name!r}] must be a list of numbers, got {values!r}")


def _nulled(value: Any) -> Any:
    """NaN as None, because JSON has no NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _nulled(item) for key, item in value.items()}
    return [_nulled(item) for item in value] if isinstance(value, (list, tuple)) else value


def _unnulled(value: Any) -> Any:
    if value is None:
        return math.nan
    if isinstance(value, dict):
        return {key: _unnulled(item) for key, item in value.items()}
    return [_unnulled(item) for item in value] if isinstance(value, list) else value
