"""`jaxblur rank`: photos in order of sharpness, without maps."""

import contextlib
import functools
import hashlib
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import rich.console
import rich.progress

import jaxblur
from jaxblur.cli.options import Rank
from jaxblur.cli.photos import PHOTO_ERRORS, check_output, list_photos
from jaxblur.cli.report import complain, reason_of, say
from jaxblur.files import images
from jaxblur.files.capture import capture_time
from jaxblur.files.names import shown
from jaxblur.rank.boxes import NO_BOXES, Boxes, read_boxes
from jaxblur.rank.table import Row, Table, describe_line, stamp_of
from jaxblur.runtime import compile_cache, signals
from jaxblur.runtime.prefetch import prefetch
from jaxblur.verdict import check_view

_LEAST_POINTS = 16


class _Photo(NamedTuple):
    """A photo on its way: its row, and what is measured, or None where the row has an error."""

    row: Row
    prepared: Any
    boxes: Boxes
    seconds: float


def rank_photos(command: Rank, console: rich.console.Console) -> int:
    """Measure all photos and put them in order; raise what is wrong with the whole run.

    Returns:
      The exit status.
    """
    photos, missing = list_photos(command.photos)
    for failed in missing:
        complain(console, failed.error)
    if missing and not photos:
        return 2
    boxes = _check_command(command)
    table = Table(command.output)
    for failed in missing:
        table.add(Row(photo=failed.photo, error=failed.error))
    kept = _measure_photos(command, photos, boxes, table, console)
    rows = table.finish([*(str(photo.resolve()) for photo in photos), *(failed.photo for failed in missing)])
    for row in rows:
        if not row.error:
            say(describe_line(row))
    done = sum(not row.error for row in rows)
    notes = [f"{kept} of them by an earlier run"] if kept else []
    notes += [f"tables in {command.output}"] if command.output is not None else []
    say(", ".join([f"{done} of {len(rows)} done", *notes]))
    return 0 if done == len(rows) else 2


def _check_command(command: Rank) -> dict[str, Boxes]:
    """The boxes, once the command makes sense; its output folder is made here."""
    if not command.photos:
        raise ValueError("name at least one photo or folder of photos; see jaxblur rank --help")
    check_view(command.view)
    if command.points < _LEAST_POINTS:
        raise ValueError(f"--points must be at least {_LEAST_POINTS}, got {command.points}")
    boxes = {} if command.boxes is None else read_boxes(command.boxes)
    if command.output is not None:
        check_output(command.output, command.photos)
    return boxes


def _measure_photos(
    command: Rank,
    photos: Sequence[Path],
    boxes: dict[str, Boxes],
    table: Table,
    console: rich.console.Console,
) -> int:
    """Measure what the table does not know yet; returns how many photos it knew."""
    todo = [photo for photo in photos if not _is_known(photo, command, boxes, table)]
    if not todo:
        return len(photos)
    compile_cache.keep_programs()
    from jaxblur.rank import measure
    from jaxblur.runtime import parallel

    weights = jaxblur.load_weights(command.weights)

    def prepare(photo: Path) -> _Photo:
        return _prepare(photo, command, boxes, functools.partial(measure.prepare, weights=weights))

    bar = rich.progress.Progress(console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("photos", total=len(todo))
    with (
        bar,
        ThreadPoolExecutor(parallel.count_cores()) as pool,
        contextlib.closing(prefetch(prepare, todo, depth=1)) as prepared,
    ):
        for photo in prepared:
            row, start = photo.row, time.perf_counter()
            if photo.prepared is not None:
                try:
                    whole, parts = measure.measure(
                        photo.prepared, weights, view=command.view, precision=command.precision, run=pool.map
                    )
                    row.describe(whole, list(zip(photo.boxes.boxes, parts, strict=True)), view=command.view)
                except PHOTO_ERRORS as error:
                    row.error = _error_line(row.photo, error)
            row.seconds = round(photo.seconds + time.perf_counter() - start, 2)
            if row.error:
                complain(console, row.error)
            with signals.finish_first():
                table.add(row)
            bar.advance(task)
    return len(photos) - len(todo)


def _prepare(photo: Path, command: Rank, boxes: dict[str, Boxes], prepare: Any) -> _Photo:
    """Read a photo, and keep what its measure needs; runs ahead, in a thread."""
    from jaxblur.rank.groups import perceptual_hash

    start = time.perf_counter()
    row = Row(photo=str(photo.resolve()), settings=_settings(photo, command, boxes))
    own = boxes.get(photo.name, NO_BOXES)
    try:
        row.stamp = stamp_of(photo)
        image = images.read_image(photo, max_pixels=command.max_pixels)
        row.height, row.width = image.shape[:2]
        if own.size not in (None, (row.width, row.height)):
            raise ValueError(
                f"its boxes are for a photo of {own.size[0]}x{own.size[1]} px, and upright it is "
                f"{row.width}x{row.height} px"
            )
        taken = capture_time(photo)
        row.taken = None if taken is None else taken.isoformat()
        row.hash = perceptual_hash(image)
        prepared = prepare(image, boxes=[box.box for box in own.boxes], budget=command.points)
    except PHOTO_ERRORS as error:
        row.error = _error_line(photo, error)
        prepared = None
    return _Photo(row, prepared, own, time.perf_counter() - start)


def _is_known(photo: Path, command: Rank, boxes: dict[str, Boxes], table: Table) -> bool:
    try:
        stamp = stamp_of(photo)
    except OSError:
        return False
    return table.find(str(photo.resolve()), stamp, _settings(photo, command, boxes)) is not None


def _settings(photo: Path, command: Rank, boxes: dict[str, Boxes]) -> str:
    """What a row depends on beside the photo."""
    weights = (
        None if command.weights is None else [str(command.weights.resolve()), *stamp_of(command.weights)]
    )
    told = [command.view, command.points, command.precision, weights, boxes.get(photo.name)]
    digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
    return f"{jaxblur.__version__} {digest}"


def _error_line(photo: str | Path, error: BaseException) -> str:
    reason = reason_of(error)
    return reason if reason.startswith(f"{shown(photo)}: ") else f"{shown(photo)}: {reason}"
