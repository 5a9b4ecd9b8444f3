"""`jaxblur estimate`: every photo through the estimator, its results and its row of the table written."""

import dataclasses
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rich.console
import rich.progress

import jaxblur
from jaxblur import config, result
from jaxblur.cli.options import Estimate
from jaxblur.cli.report import complain, reason_of, say
from jaxblur.files import images, levels, output, preview
from jaxblur.files.names import result_name, shown
from jaxblur.files.table import Row, Summary
from jaxblur.runtime import compile_cache, memory, signals

_ARRAYS = ("radius", "confidence", "edges", "depth_edges", "sparse_radius")

PHOTO_ERRORS = (OSError, ValueError, TypeError, MemoryError, RuntimeError)
"""What may be wrong with one photo; the last: JAX is out of memory."""


def estimate_photos(command: Estimate, console: rich.console.Console) -> int:
    """Process all photos; raise what is wrong with the whole run, report what is wrong with one photo.

    Returns:
      The exit status.
    """
    photos, failed = list_photos(command.photos)
    for row in failed:
        complain(console, row.error)
    if failed and not photos:
        return 2
    _check_command(command, photos)
    summary = Summary(command.output)
    compile_cache.keep_programs()
    weights = jaxblur.load_weights(command.weights)
    bar = rich.progress.Progress(console=console, transient=True, disable=not console.is_terminal)
    task, done, ended = bar.add_task("photos", total=len(photos)), 0, 0

    def show(fraction: float) -> None:  # a large photo moves the bar, and its time estimate, bit by bit
        bar.update(task, completed=ended + fraction)

    for row in failed:
        summary.keep(row)
    with bar:
        for photo in photos:
            row = _process(photo, weights, command, summary, show)
            for trouble in (row.error, row.warning and f"{shown(photo)}: {row.warning}"):
                if trouble:
                    complain(console, trouble)
            done, ended = done + (not row.error), ended + 1
            show(0.0)
    summary.finish()
    total = len(photos) + len(failed)
    say(f"{done} of {total} done, results in {command.output}")
    return 0 if done == total else 2


def list_photos(given: Sequence[Path]) -> tuple[list[Path], list[Row]]:
    """The photos to process, each once, with folders opened; and a failed row for whatever is not there."""
    photos, failed = dict[Path, Path](), []
    for path in given:
        try:
            if not path.exists():
                raise ValueError(f"{shown(path)}: there is no such file or folder")
            for photo in images.find_photos(path) if path.is_dir() else [path]:
                photos.setdefault(photo.resolve(), photo)
        except (OSError, ValueError) as error:
            failed.append(Row(photo=str(path.resolve()), error=reason_of(error)))
    return list(photos.values()), failed


def _check_command(command: Estimate, photos: Sequence[Path]) -> None:
    """Raise unless the command makes sense and its output folder, made here, can be written."""
    if not command.photos:
        raise ValueError("name at least one photo or folder of photos; see jaxblur estimate --help")
    if command.edges is not None and len(photos) > 1:
        raise ValueError(
            f"--edges {command.edges}: an edge map belongs to one photo, but {len(photos)} were given"
        )
    if command.max_memory is not None:
        memory.parse_size(command.max_memory)
    if command.levels not in (None, "auto"):
        levels.check_levels(command.levels)
    check_output(command.output, command.photos)


def check_output(folder: Path, inputs: Sequence[Path]) -> None:
    """Raise unless the output folder, made here, is none of the inputs and can be written."""
    if folder.resolve() in [path.resolve() for path in inputs]:
        raise ValueError(
            f"--output {folder}: is also an input; results there would be read as photos next time"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OSError(
            f"--output {folder}: cannot write there ({error.strerror}); name another folder"
        ) from error


def _process(
    photo: Path, weights: Any, command: Estimate, summary: Summary, progress: Callable[[float], None]
) -> Row:
    """Estimate one photo, write its results and its row; the row says how it went."""
    start = time.perf_counter()
    row, name = Row(photo=str(photo.resolve())), result_name(photo)
    try:
        summary.check_free(name, row.photo)
        image = images.read_image(photo, max_pixels=command.max_pixels)
        row.height, row.width = image.shape[:2]
        image, warnings = _with_levels(image, command.levels)
        edges = None if command.edges is None else images.read_edges(command.edges, image.shape[:2])
        estimate = jaxblur.estimate(
            image,
            weights,
            edges=edges,
            config=dataclasses.replace(config.PRESETS[command.preset], precision=command.precision),
            max_memory=None if command.max_memory is None else memory.parse_size(command.max_memory),
            progress=progress,
        )
        arrays = {field: np.asarray(getattr(estimate, field)) for field in _ARRAYS}
        if result.has_little_evidence(arrays["confidence"]):
            warnings.append(
                f"next to no evidence: hardly a pixel has a confidence above {result.SURE_CONFIDENCE:g}"
            )
        results = _draw_results(image, arrays, title=shown(photo.name), overlay=command.overlay)
        with output.folder_lock(command.output), signals.finish_first():
            summary.check_free(name, row.photo)
            _write_results(command.output / name, arrays, results)
            row.describe(arrays)
            row.name, row.warning = name, "; ".join(warnings)
            row.seconds = round(time.perf_counter() - start, 2)
            summary.keep(row, locked=True)
    except PHOTO_ERRORS as error:
        reason = reason_of(error)
        row.error = reason if reason.startswith(f"{shown(photo)}: ") else f"{shown(photo)}: {reason}"
        summary.keep(row)
    return row


def _with_levels(image: np.ndarray, wanted: levels.Levels | None) -> tuple[np.ndarray, list[str]]:
    """The picture as it is estimated, and a warning where it uses a small part of its range."""
    if wanted is not None:
        return levels.stretch(image, wanted), []
    low, high = levels.used_range(image)
    if not levels.is_narrow(image):
        return image, []
    white = levels.full_range(image)
    return image, [
        f"its values, {low:g} to {high:g}, fill little of 0 to {white:g}, so few edges are found; "
        "--levels auto stretches them"
    ]


def _draw_results(
    image: np.ndarray, arrays: dict[str, np.ndarray], *, title: str, overlay: bool
) -> dict[str, bytes]:
    """Ending and content of every result but the arrays."""
    drawn = preview.draw_preview(image, arrays["radius"], arrays["confidence"], title=title)
    results = {
        "_radius.tiff": output.encode_image(".tiff", arrays["radius"]),
        "_preview.png": output.encode_image(".png", drawn),
    }
    if overlay:
        edges = (arrays["edges"], arrays["depth_edges"], arrays["sparse_radius"])
        results["_overlay.png"] = output.encode_image(
            ".png", preview.draw_overlay(image, *edges, title=title)
        )
    return results


def _write_results(base: Path, arrays: dict[str, np.ndarray], results: dict[str, bytes]) -> None:
    """Write all results of a photo, or none."""
    paths = [base.with_name(f"{base.name}{ending}") for ending in (".npz", *results)]
    with output.atomic_files(paths) as (archive, *files):
        output.save_arrays(archive, arrays)
        for file, data in zip(files, results.values(), strict=True):
            file.write(data)
