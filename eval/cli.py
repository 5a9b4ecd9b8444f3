"""The command line: data sets and methods in; results, table and report out."""

import dataclasses
import io
import logging
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import jax
import rich.console
import rich.progress
import tensorflow_datasets as tfds
import tyro
from orbax.checkpoint import multihost

from eval import datasets, methods, runner, schema
from eval.report import tables
from eval.report.published import read_published
from jaxblur import config
from jaxblur.runtime import parallel, signals

_EXAMPLES = """Compare defocus estimators on data sets with ground truth.

Examples:
  python -m eval pixel4/3 --data DIR --weights PUBLISHED --preset published
  python -m eval rtf=DIR1 cuhk=DIR2 composed=DIR3 --methods jaxblur zhuo-sim
      laplacian constant --output results
  python -m eval rtf=DIR --methods jaxblur theirs=FOLDER_OF_MAPS:sigma
  python -m eval --output results        (only rebuild table and report)

Written to the output folder: results.jsonl (every image, the only source of
all else), table.md, summary.csv, report.html. Run it again to continue.

Exit status: 0; 1 if some pair could not be scored (listed, and in no mean);
2 if a data set is missing or the command makes no sense; 130 after Ctrl-C,
143 after SIGTERM."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Command:
    """Options of `python -m eval`."""

    sets: Annotated[
        tyro.conf.Positional[tuple[str, ...]],
        tyro.conf.arg(
            metavar="NAME[/REDUCE][=FOLDER]",
            help=f"Data sets: {', '.join(datasets.NAMES)}; folder is your photos and maps, composed is made of sharp "
            'photos. "/3" reduces by 3 first; FOLDER is where the files lie.',
        ),
    ] = ()
    data: Path | None = None
    """Folder of a set that names none; with several sets, the folder that holds a folder of each name."""
    methods: tuple[str, ...] = ("jaxblur",)
    """jaxblur, jaxblur=WEIGHTS, jaxblur=WEIGHTS:PRESET; a reading and a propagation, such as zhuo-sim+matting
    or jaxblur+guided; zhuo-sim, hifst, lbp, su-svd, shi-spectrum, shi-gradient, laplacian, constant=RADIUS; or
    NAME=FOLDER:UNIT: maps of another program, one per photo and named like it, in radius, sigma (px) or score
    (0 to 1, high = blurred)."""
    weights: Path | None = None
    """Weights of a plain jaxblur, and of that reading: a .safetensors file or the published model folder; those
    shipped by default."""
    preset: Annotated[str, tyro.conf.arg(metavar="{" + ",".join(config.PRESETS) + "}")] = "default"
    """Settings of jaxblur: its own; the same without the multiscale stage; those of the published system."""
    output: Path = Path("eval-results")
    """Where results go."""
    published: Path | None = None
    """CSV of figures that others published, to stand beside ours, marked: columns dataset, method, citation,
    and measures named as in summary.csv."""
    options: tyro.conf.OmitArgPrefixes[datasets.DatasetOptions] = datasets.DatasetOptions()
    batch: int = 8
    """Photos handed to a method at a time."""
    warm_up: bool = False
    """Run batches with new image sizes twice, so that no time includes compilation."""
    pictures: int = 6
    """Worst cases per data set in the report."""
    prepared: Path | None = None
    """Where TFDS keeps prepared data; its own folder by default."""
    distributed: bool = False
    """Divide the work among the processes of several hosts, as found by JAX or given by the next three."""
    coordinator: str | None = None
    """HOST:PORT of process 0."""
    num_processes: int | None = None
    """Number of processes."""
    process_id: int | None = None
    """Number of this process, from 0."""


def main(args: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (None: the process's own) and return its exit status."""
    args = sys.argv[1:] if args is None else list(args)
    for stream in (sys.stdout, sys.stderr):  # a console may not know all letters of a name
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    command = tyro.cli(Command, args=args, prog="python -m eval", description=_EXAMPLES)
    console = rich.console.Console(stderr=True, highlight=False, markup=False)
    logging.basicConfig(format="eval: %(message)s", level=logging.WARNING)
    logging.getLogger("absl").setLevel(logging.ERROR)  # TFDS and Orbax speak of what is of no use here
    tfds.disable_progress_bar()
    try:
        with signals.stop_in_order():
            return run(command, "python -m eval " + shlex.join(args), console)
    except signals.Stopped as stopped:
        console.print(f"eval: stopped by {stopped}; run it again to continue")
        return stopped.status
    except (OSError, ValueError, datasets.MissingDataset) as error:
        console.print(f"eval: {error}", soft_wrap=True)
        return 2


def run(command: Command, text: str, console: rich.console.Console) -> int:
    """Evaluate, write the report (process 0) and print the table.

    Args:
      command: options.
      text: the command as typed, for the results.
      console: for progress and failures.

    Raises:
      OSError, ValueError, MissingDataset: something about the whole run is wrong.
    """
    if (
        not command.distributed
        and (command.coordinator, command.num_processes, command.process_id) != (None,) * 3
    ):
        raise ValueError("--coordinator, --num-processes and --process-id are only for --distributed")
    if command.distributed:
        parallel.initialise_distributed(command.coordinator, command.num_processes, command.process_id)
    first = jax.process_index() == 0
    if command.sets:
        datasets.check_options(command.options, [_split_word(word)[0] for word in command.sets])
        if not first:
            _wait_for_all("data prepared")  # by process 0; who shares its disk finds it ready
        opened = [open_set(name, command) for name in command.sets]
        if first:
            _wait_for_all("data prepared")
        chosen = [
            methods.parse_method(m, weights=command.weights, preset=command.preset) for m in command.methods
        ]
        options = runner.RunnerOptions(
            batch=command.batch,
            warm_up=command.warm_up,
            pictures=command.pictures,
            command=text,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )
        with _progress(console, show=first) as progress:
            runner.evaluate(opened, chosen, command.output, options, progress=progress)
        _wait_for_all("results written")
    if not first:
        return 0
    if command.published is not None:
        _add_published(read_published(command.published), command.output)
    result = tables.write_report(command.output)
    print(result.table)
    print(f"\nresults in {command.output}")
    for line in result.failures:
        console.print(f"eval: not scored: {line}", soft_wrap=True)
    return 1 if result.failures else 0


def open_set(word: str, command: Command) -> datasets.Dataset:
    """Open the data set that a word NAME[/REDUCE][=FOLDER] on the command line stands for.

    Raises:
      ValueError: not such a word, or no folder is known for it.
      MissingDataset: its files are not there.
    """
    name, factor, given = _split_word(word)
    options = command.options
    if factor is not None:
        if not factor.isdecimal():
            raise ValueError(f"data set must be NAME, NAME/REDUCE, or either with =FOLDER, got {word!r}")
        options = dataclasses.replace(options, reduce=int(factor))
    if given:
        folder = Path(given)
    elif command.data is None:
        raise ValueError(f"{name}: say where its files lie, with --data FOLDER or {name}=FOLDER")
    else:
        folder = command.data if len(command.sets) == 1 else command.data / name
    return datasets.load_dataset(name, folder, options, prepared=command.prepared)


def _split_word(word: str) -> tuple[str, str | None, str]:
    """NAME, REDUCE and FOLDER of NAME[/REDUCE][=FOLDER]; None and empty where left out."""
    head, _, folder = word.partition("=")
    name, slash, factor = head.partition("/")
    return name, factor if slash else None, folder


def _add_published(figures: Sequence[schema.Published], output: Path) -> None:
    """Append to the results what they do not have yet."""
    known = schema.of_kind(schema.read(output), schema.Published)
    path = output / "results.jsonl"
    schema.drop_partial_line(path)
    schema.append(path, [figure for figure in figures if figure not in known])


def _wait_for_all(what: str) -> None:
    """Wait until all processes have come here, for a day at most.

    JAX's public barrier is a computation, which gives up after half a minute on CPU; the parts of the processes can
    differ by more. Orbax's is none where it is told the processes.
    """
    processes = set(range(jax.process_count()))
    multihost.sync_global_processes(what, timeout=24 * 3600, processes=processes)


@contextmanager
def _progress(console: rich.console.Console, *, show: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar per method and data set, on a terminal only."""
    with rich.progress.Progress(console=console, disable=not (show and console.is_terminal)) as bars:
        tasks: dict[str, rich.progress.TaskID] = {}

        def update(title: str, done: int, total: int) -> None:
            if title not in tasks:
                tasks[title] = bars.add_task(title, total=total)
            bars.update(tasks[title], completed=done)

        yield update


if __name__ == "__main__":
    sys.exit(main())
