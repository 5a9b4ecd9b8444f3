"""The `jaxblur` command: photos in; blur maps, previews and one table out.

JAX is imported only once there is a photo to work on, so that help and mistyped commands answer at once.
"""

import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import rich.console
import rich.progress
import tyro

import jaxblur
from jaxblur import config
from jaxblur.files import images, output, preview
from jaxblur.files.table import IN_FOCUS_RADIUS, Row, write_summary
from jaxblur.runtime import compile_cache, memory

_ARRAYS = ("radius", "confidence", "edges", "depth_edges", "sparse_radius")

_PHOTO_ERRORS = (OSError, ValueError, TypeError, MemoryError, RuntimeError)  # the last: JAX is out of memory

_DESCRIPTION = """How much is every pixel of a photo out of focus, in pixels?

Examples:
  jaxblur estimate photo.jpg --output results
  jaxblur estimate holiday/ cat.png --output results --overlay
  jaxblur estimate photo.jpg --output results --weights my_weights.safetensors
  jaxblur import-weights published_model/ published.safetensors
  jaxblur export estimator.stablehlo --size 1024 768
  jaxblur estimate --help
  jaxblur --version"""

_SHORT = "Estimate how much every pixel of each photo is out of focus."
_LONG = f"""{_SHORT}

The answer, blur radius:
  the radius, in pixels of the photo, of the disk into which the lens spread
  each point: below 0.5 is sharp, 48 the most that can be told.

Written to the output folder for a photo NAME.jpg:
  NAME_preview.png  the photo beside its blur map in colour, to look at
  NAME_radius.tiff  the blur map, float32, px
  NAME.npz          NumPy arrays radius, confidence, edges, depth_edges,
                    sparse_radius

Written for all photos together, summary.csv:
  size, percentiles of the radius, share in focus (radius at most {IN_FOCUS_RADIUS:g} px),
  both over the pixels with any confidence; edge counts, mean confidence,
  seconds, and what was wrong with a photo that failed.

Examples:
  jaxblur estimate photo.jpg --output results
  jaxblur estimate holiday/ cat.png --output results --overlay

Exit status:
  0 if all went well; 2 if any photo failed (the others are still done);
  130 after Ctrl-C (what was done is kept)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Estimate:
    """Options of `jaxblur estimate`."""

    photos: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(metavar="PHOTO_OR_FOLDER...", help_behavior_hint="(required)"),
    ]
    """Photos (JPEG, PNG, TIFF, WebP, BMP) and folders of photos; subfolders are not searched."""
    output: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]
    """Where the results go; made if it does not exist."""
    weights: Annotated[
        Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="(default: those shipped)")
    ] = None
    """Network weights: a .safetensors file, or the model folder of the published release."""
    edges: Annotated[Path | None, tyro.conf.arg(metavar="PNG", help_behavior_hint="(default: found)")] = None
    """Your own edge map, for one photo of the same size: 0 off edges, one other value on them."""
    preset: Literal["default", "two-stage", "published"] = "default"
    """Settings: this project's own; the same without its third stage; those of the published system."""
    precision: config.Precision = "float32"
    """Of the factors in the networks' products: less is faster where the processor multiplies it."""
    max_memory: Annotated[
        str | None, tyro.conf.arg(metavar="SIZE", help_behavior_hint="(default: half of the machine's)")
    ] = None
    """Memory the program may take, such as 4GB or 800MB; larger photos are done in parts, with the same result."""
    overlay: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Also write NAME_overlay.png: the edges on the photo, coloured by blur; depth edges in red."""


@dataclasses.dataclass(frozen=True)
class ImportWeights:
    """Turn weights, such as your copy of the published release's model folder, into one .safetensors file."""

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SRC")]
    """Model folder of the published release (with blur/ and edge/), or a .safetensors file."""
    target: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DST")]
    """The .safetensors file to write."""


@dataclasses.dataclass(frozen=True)
class Export:
    """Write the estimator, or the networks, as a program that runs without jaxblur.

    NAME.stablehlo: the whole estimate for photos of a size, for jax.export. NAME.onnx: both networks, on patches
    around edge points (needs the extra onnx).
    """

    target: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DST")]
    """The .stablehlo or .onnx file to write."""
    size: Annotated[
        tuple[int, int] | None, tyro.conf.arg(metavar="WIDTH HEIGHT", help_behavior_hint="(for .stablehlo)")
    ] = None
    """Size of the photos, px; the program takes all photos of the same size bucket."""
    weights: Annotated[
        Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="(default: those shipped)")
    ] = None
    """Network weights, as for estimate."""
    preset: Literal["default", "two-stage", "published"] = "default"
    """Settings, as for estimate."""


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
      args: the arguments after the program's name; those of the process if None.

    Returns:
      The exit status: 0, 2 if anything failed, 130 after an interrupt.

    Raises:
      SystemExit: after --help (0) and on wrong usage (2).
    """
    args = sys.argv[1:] if args is None else list(args)
    if args == ["--version"]:
        print(f"jaxblur {jaxblur.__version__}")
        return 0
    long = args[:1] == ["estimate"]  # the list of commands has no room for more than a line on each
    commands = (
        Annotated[Estimate, tyro.conf.subcommand("estimate", description=_LONG if long else _SHORT)]
        | Annotated[ImportWeights, tyro.conf.subcommand("import-weights")]
        | Annotated[Export, tyro.conf.subcommand("export")]
    )
    command = tyro.cli(
        commands, args=args, prog="jaxblur", description=_DESCRIPTION, config=(tyro.conf.FlagCreatePairsOff,)
    )
    console = rich.console.Console(stderr=True, highlight=False, markup=False)
    try:
        match command:
            case Estimate():
                return _estimate(command, console)
            case ImportWeights():
                return _import_weights(command)
            case Export():
                return _export(command)
    except KeyboardInterrupt:
        _complain(console, "interrupted")
        return 130
    except (OSError, ValueError, TypeError, ModuleNotFoundError) as error:
        _complain(console, _reason(error))
        return 2


def _import_weights(command: ImportWeights) -> int:
    if command.target.suffix != ".safetensors":
        raise ValueError(f"{command.target}: the file to write must end in .safetensors")
    jaxblur.save_weights(command.target, jaxblur.load_weights(command.source))
    print(f"wrote {command.target}")
    return 0


def _export(command: Export) -> int:
    if command.target.suffix not in (".stablehlo", ".onnx"):
        raise ValueError(f"{command.target}: the file to write must end in .stablehlo or .onnx")
    if (command.target.suffix == ".stablehlo") != (command.size is not None):
        raise ValueError(
            "--size WIDTH HEIGHT belongs to .stablehlo, a program for one size of photos, and to it only"
        )
    from jaxblur import export

    weights = jaxblur.load_weights(command.weights)
    if command.size is None:
        data = export.export_networks(weights)
    else:
        width, height = command.size
        settings = config.PRESETS[command.preset]
        data = export.export_estimator(weights, height=height, width=width, config=settings)
    with output.atomic_file(command.target) as file:
        file.write(data)
    print(f"wrote {command.target}")
    return 0


def _estimate(command: Estimate, console: rich.console.Console) -> int:
    """Process all photos; raise what is wrong with the whole run, report what is wrong with one photo."""
    photos, rows = _list_photos(command.photos)
    for row in rows:
        _complain(console, row.error)
    if rows and not photos:
        return 2
    _check_command(command, photos)
    compile_cache.keep_programs()
    weights = jaxblur.load_weights(command.weights)
    names = output.unique_names(photos)
    bar = rich.progress.Progress(console=console, transient=True, disable=not console.is_terminal)
    task, missing = bar.add_task("photos", total=len(photos)), len(rows)

    def show(share: float) -> None:  # a large photo moves the bar, and its time estimate, bit by bit
        bar.update(task, completed=len(rows) - missing + share)

    try:
        with bar:
            for photo, name in zip(photos, names, strict=True):
                rows.append(_process(photo, name, weights, command, show))
                show(0.0)
                if rows[-1].error:
                    _complain(console, rows[-1].error)
    finally:  # an interrupt keeps what is done
        write_summary(command.output / "summary.csv", rows)
    done = sum(not row.error for row in rows)
    print(f"{done} of {len(rows)} done, results in {command.output}")
    return 0 if done == len(rows) else 2


def _list_photos(given: Sequence[Path]) -> tuple[list[Path], list[Row]]:
    """The photos to process, each once, with folders opened; and a failed row for whatever is not there."""
    photos, failed = dict[Path, Path](), []
    for path in given:
        try:
            if not path.exists():
                raise ValueError(f"{path}: there is no such file or folder")
            for photo in images.find_photos(path) if path.is_dir() else [path]:
                photos.setdefault(photo.resolve(), photo)
        except (OSError, ValueError) as error:
            failed.append(Row(photo=str(path), error=_reason(error)))
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
    if command.output.resolve() in [path.resolve() for path in command.photos]:
        raise ValueError(
            f"--output {command.output}: is also an input; results there would be read as photos next time"
        )
    try:
        command.output.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=command.output).close()
    except OSError as error:
        raise OSError(
            f"--output {command.output}: cannot write there ({error.strerror}); name another folder"
        ) from error


def _process(
    photo: Path, name: str, weights: Any, command: Estimate, progress: Callable[[float], None]
) -> Row:
    """Estimate one photo and write its results; the row says how it went."""
    start = time.perf_counter()
    row = Row(photo=str(photo), name=name)
    try:
        image = images.read_image(photo)
        row.height, row.width = image.shape[:2]
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
        _write_results(command.output / name, image, arrays, overlay=command.overlay, title=photo.name)
        row.describe(arrays)
        row.seconds = round(time.perf_counter() - start, 2)
    except _PHOTO_ERRORS as error:
        reason = _reason(error)
        row.error = reason if reason.startswith(f"{photo}: ") else f"{photo}: {reason}"
    return row


def _write_results(
    base: Path, image: np.ndarray, arrays: dict[str, np.ndarray], *, overlay: bool, title: str
) -> None:
    def beside(ending: str) -> Path:
        return base.with_name(base.name + ending)

    output.write_arrays(beside(".npz"), **arrays)
    output.write_image(beside("_radius.tiff"), arrays["radius"])
    output.write_image(
        beside("_preview.png"),
        preview.draw_preview(image, arrays["radius"], arrays["confidence"], title=title),
    )
    if overlay:
        drawn = (arrays["edges"], arrays["depth_edges"], arrays["sparse_radius"])
        output.write_image(beside("_overlay.png"), preview.draw_overlay(image, *drawn, title=title))


def _reason(error: BaseException) -> str:
    """What went wrong, on one line."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return (str(error).splitlines() or [type(error).__name__])[0]


def _complain(console: rich.console.Console, reason: str) -> None:
    console.print(f"jaxblur: {reason}", soft_wrap=True)
