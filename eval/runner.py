"""The loop: methods x data sets, image by image into results.jsonl, resumable, each host its own part.

Whenever a run ends, also by a kill, running it again gives the results of a run that was not interrupted: a batch's
pictures are written before its lines in results.jsonl, each picture appears whole, and lines are only appended.

Photos are decoded in one thread and handed to the method in another, so that the device works while results are scored
and written. Times therefore are those of a busy machine: on CPU, decoding and scoring take part of it.
"""

import contextlib
import dataclasses
import functools
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import filelock
import grain
import jax
import numpy as np

import jaxblur
from eval import schema, scoring
from eval.datasets import Dataset, Sample
from eval.methods import Method, Prediction, check_prediction
from eval.report import pictures
from jaxblur.runtime.prefetch import prefetch
from jaxblur.runtime.provenance import commit

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunnerOptions:
    """How to run, none of which changes a number."""

    batch: int = 8  # photos handed to a method at a time
    warm_up: bool = False  # run each batch of new sizes once before it is timed
    pictures: int = 6  # worst cases per data set to keep for the report
    command: str = ""
    process_index: int = 0
    process_count: int = 1

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"batch must be at least 1, got {self.batch}")
        if self.pictures < 0:
            raise ValueError(f"pictures must not be negative, got {self.pictures}")


def evaluate(
    datasets: Sequence[Dataset],
    methods: Sequence[Method],
    output: Path,
    options: RunnerOptions,
    *,
    progress: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> None:
    """Run every method on this process's part of every data set and append the results to `output`.

    Images that `output` already has results for are left out, failures are tried again. The worst images of
    the first method, and the same ones of the others, are kept as pictures.

    Args:
      datasets: what to run on.
      methods: what to run; names must differ.
      output: folder for results; made if there is none.
      options: see there.
      progress: called with "method on data set", images done and images in all (of this process).

    Raises:
      ValueError: two methods or two data sets have the same name, `output` has lines that are no results, or another
        run is writing to it.
    """
    for kind, items in (("methods", methods), ("data sets", datasets)):
        names = [item.name for item in items]
        if len(set(names)) < len(names):
            raise ValueError(f"{kind} must have different names, got {', '.join(names)}")
    output.mkdir(parents=True, exist_ok=True)
    part = f"-{options.process_index}-of-{options.process_count}" if options.process_count > 1 else ""
    path = output / f"results{part}.jsonl"
    with _lock(path):
        schema.drop_partial_line(path)
        known, code = schema.read(output), commit()
        for dataset in datasets:
            wanted: set[str] | None = None
            for method in methods:
                run = _describe(dataset, method, code, options.command)
                schema.append(path, [run])
                wanted = _evaluate_one(dataset, method, run, path, known, wanted, options, progress)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Keep other runs from writing to this file; the system lifts the lock of a process that dies."""
    lock = filelock.FileLock(path.with_name(f".{path.name}.lock"), blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise ValueError(
            f"{path}: another run is writing to it; wait for it, or take another --output"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _evaluate_one(
    dataset: Dataset,
    method: Method,
    run: schema.Run,
    path: Path,
    known: Sequence[schema.Record],
    wanted: set[str] | None,
    options: RunnerOptions,
    progress: Callable[[str, int, int], None],
) -> set[str]:
    """Run one method on one data set; returns the names whose pictures are kept, `wanted` if given."""
    errors = {
        r.name: pictures.main_error(r.metrics) for r in schema.of_kind(known, schema.Image) if r.run == run.id
    }
    own = range(options.process_index, len(dataset.names), options.process_count)
    todo = [i for i in own if dataset.names[i] not in errors]
    done = len(own) - len(todo)
    folder = pictures.folder_of(path.parent, run.id)
    keep = pictures.worst(errors, options.pictures) if wanted is None else wanted
    predict = functools.partial(_predict_batch, method, set(), options)
    read = functools.partial(_read, dataset)
    parts = [todo[start : start + options.batch] for start in range(0, len(todo), options.batch)]
    progress(f"{method.name} on {dataset.name}", done, len(own))
    decoded = prefetch(read, parts, depth=1)  # closed by the thread that reads it
    with contextlib.closing(prefetch(predict, decoded, depth=1)) as predicted:
        for batch in predicted:
            records, scored = _score_batch(dataset, method, run.id, batch)
            errors |= {r.name: pictures.main_error(r.metrics) for r in records if isinstance(r, schema.Image)}
            if wanted is None:
                keep = pictures.worst(errors, options.pictures)
            for sample, prediction in scored:
                if sample.name in keep:
                    pictures.save(folder / f"{sample.name}.npz", dataset, method, sample, prediction)
            schema.append(path, records)
            done += len(batch.samples)
            progress(f"{method.name} on {dataset.name}", done, len(own))
    for name in {dataset.names[i] for i in own} - keep:  # cases that were among the worst for a while only
        (folder / f"{name}.npz").unlink(missing_ok=True)
    return keep


def _read(dataset: Dataset, indices: Sequence[int]) -> list[Sample]:
    """Decode samples, some at a time in threads."""
    return list(
        grain.MapDataset.source(indices).map(dataset.read).to_iter_dataset(grain.ReadOptions(num_threads=4))
    )


class _Batch(NamedTuple):
    """Samples with their predictions, `Prediction` or what went wrong; None for a sample that cannot be used."""

    samples: Sequence[Sample]
    predictions: Sequence[Prediction | str | None]
    seconds: float  # per photo
    warm: bool  # whether the seconds are free of compilation


def _predict_batch(
    method: Method, sizes_seen: set[tuple[int, ...]], options: RunnerOptions, samples: Sequence[Sample]
) -> _Batch:
    """Predict a batch; adds to `sizes_seen`."""
    usable = [sample for sample in samples if not sample.problem]
    sizes = {sample.image.shape[:2] for sample in usable}
    if options.warm_up and method.compiles and sizes - sizes_seen:
        _predict(method, usable)
        sizes_seen |= sizes
    start = time.perf_counter()
    predictions = iter(_predict(method, usable))
    seconds = (time.perf_counter() - start) / max(len(usable), 1) if method.timed else math.nan
    warm = sizes <= sizes_seen or not method.compiles
    sizes_seen |= sizes
    return _Batch(samples, [None if s.problem else next(predictions) for s in samples], seconds, warm)


def _score_batch(
    dataset: Dataset, method: Method, run: str, batch: _Batch
) -> tuple[list[schema.Record], list[tuple[Sample, Prediction]]]:
    """One record per sample, and the predictions that could be scored."""
    records: list[schema.Record] = []
    scored = []
    for sample, prediction in zip(batch.samples, batch.predictions, strict=True):
        if not isinstance(prediction, Prediction):
            records.append(schema.Failure(run=run, name=sample.name, problem=prediction or sample.problem))
            continue
        metrics, curves = scoring.score(dataset, sample, method.unit, prediction)
        scored.append((sample, prediction))
        records.append(
            schema.Image(
                run=run,
                name=sample.name,
                height=sample.image.shape[0],
                width=sample.image.shape[1],
                device=f"{jax.default_backend()} x {jax.local_device_count()}",
                seconds=round(batch.seconds, 5),
                warm=batch.warm,
                metrics=metrics,
                curves=curves,
            )
        )
    return records, scored


def _predict(method: Method, samples: Sequence[Sample]) -> list[Prediction | str]:
    """The method's predictions; a batch that fails is tried photo by photo, to blame the right one."""
    try:
        results = method.predict([s.name for s in samples], [s.image for s in samples])
    except (ValueError, RuntimeError, MemoryError) as error:  # RuntimeError: the device is out of memory
        if len(samples) == 1:
            return [f"{samples[0].name}: {method.name} failed: {str(error).splitlines()[0]}"]
        logger.warning("%s failed on a batch of %d, trying one by one", method.name, len(samples))
        return [result for sample in samples for result in _predict(method, [sample])]
    for i, (sample, result) in enumerate(zip(samples, results, strict=True)):
        problem = check_prediction(result, sample.truth.shape) if isinstance(result, Prediction) else ""
        if problem:
            results[i] = f"{sample.name}: {method.name} {problem}"
    return results


def _describe(dataset: Dataset, method: Method, commit: str, command: str) -> schema.Run:
    settings = dict(method.settings)
    identity = schema.run_id(
        dataset=[dataset.name, dataset.version, dataset.unit],
        method=[method.name, method.unit, settings, method.weights],
        commit=commit,
    )
    return schema.Run(
        id=identity,
        dataset=dataset.name,
        dataset_version=dataset.version,
        unit=dataset.unit,
        about=dict(dataset.about),
        count=len(dataset.names),
        method=method.name,
        method_unit=method.unit,
        settings=settings,
        weights=method.weights,
        commit=commit,
        versions={"jaxblur": jaxblur.__version__, "jax": jax.__version__, "numpy": np.__version__},
        command=command,
    )
