"""Where a run's numbers go: a progress bar or log lines, a JSONL curve, TensorBoard."""

import contextlib
import json
import logging
import math
import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from tensorboardX import SummaryWriter

from jaxblur.runtime import parallel

_log = logging.getLogger(__name__)

CONSOLE = Console(stderr=True)
"""Where progress is shown, as a bar on a terminal, else as log lines. The log must use it too: bar and lines of two
consoles print into each other."""

_STEPS_AHEAD = 2  # steps handed to the device before the host waits for an older one


class Curve:
    """A run's curve as JSON lines, one per log or validation, in step order without repetition."""

    def __init__(self, path: Path, *, step: int) -> None:
        """Open a curve to go on from `step`; what the file holds beyond it, or half-written, is dropped."""
        kept = [line for line in read_curve(path) if line["step"] <= step] if path.exists() else []
        part = path.with_name(path.name + ".part")
        part.write_text("".join(json.dumps(line) + "\n" for line in kept))
        os.replace(part, path)
        self._file = path.open("a")

    def write(self, line: dict[str, Any]) -> None:
        """Append one line (a dict with `step`); a number that is not finite becomes null."""
        finite = {
            name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in line.items()
        }
        self._file.write(json.dumps(finite) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_curve(path: str | Path) -> list[dict[str, Any]]:
    """Lines of a curve file; an incomplete last line, as a killed run leaves it, is left out."""
    lines = []
    for text in Path(path).read_text().splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            break
    return lines


class Totals:
    """Running totals of a run, saved with it: samples, seconds, and metric sums since the last log."""

    def __init__(
        self,
        samples: int = 0,
        seconds: float = 0.0,
        window: dict[str, list[float]] | None = None,
        window_start: Sequence[float] = (0, 0.0),
    ) -> None:
        """Totals to go on from, as given by `progress`."""
        self.samples, self.seconds = samples, seconds
        self._window, self._window_start = window or {}, (int(window_start[0]), float(window_start[1]))
        self._pending: deque[tuple[int, Any]] = deque()

    def add(self, step: int, metrics: Any) -> None:
        """Note the metrics of a step while the device still computes them, staying close behind it."""
        self._pending.append((step, metrics))
        if len(self._pending) > _STEPS_AHEAD:
            jax.block_until_ready(self._pending[-1 - _STEPS_AHEAD])

    def fetch(self) -> str | None:
        """Add up what was noted; returns what is wrong with it, if anything."""
        while self._pending:
            step, metrics = self._pending.popleft()
            for name, (total, count) in parallel.unreplicate(metrics).items():
                if not np.isfinite(total):
                    return f"{name} is {total} at step {step}"
                sums = self._window.setdefault(name, [0.0, 0.0])
                sums[0] += float(total)
                sums[1] += float(count)
                if name == "loss":
                    self.samples += int(count)
        return None

    def close_window(self) -> tuple[dict[str, float], float]:
        """Means of the metrics since the last log (those with any count) and samples/s; starts anew."""
        means = {name: total / count for name, (total, count) in self._window.items() if count > 0}
        samples, seconds = self._window_start
        rate = (self.samples - samples) / max(self.seconds - seconds, 1e-9)
        self._window, self._window_start = {}, (self.samples, self.seconds)
        return means, rate

    def progress(self) -> dict[str, Any]:
        """The totals as JSON, arguments of a new object."""
        window = {name: list(sums) for name, sums in self._window.items()}
        start = list(self._window_start)
        return dict(samples=self.samples, seconds=self.seconds, window=window, window_start=start)


class Writers:
    """All writers of one run; made on process 0 only.

    Files: `curve.jsonl` (kind "train" or "validation", step, samples, seconds, the metrics), and the folder
    `tensorboard`. Where they cannot be written, an OSError names the folder.
    """

    def __init__(
        self, folder: Path, *, name: str, step: int, num_steps: int, console: Console = CONSOLE
    ) -> None:
        """Open the writers.

        Args:
          folder: folder of the run.
          name: what is trained, for the eye.
          step: step the run goes on from.
          num_steps: last step.
          console: where progress is shown.
        """
        self._name, self._num_steps, self._validation = name, num_steps, ""
        self._folder = folder
        with _naming(folder):
            self._curve = Curve(folder / "curve.jsonl", step=step)
            self._tensorboard = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
        self._bar = _progress(console) if console.is_terminal else None
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(name, total=num_steps, completed=step, status="")

    def train(self, step: int, means: dict[str, float], *, totals: Totals, rate: float, left: float) -> None:
        """One line of training: means since the last one, `rate` in samples/s, `left` in s."""
        self._write("train", step, {**means, "samples_per_second": rate}, totals)
        status = f"{_format(means)}, {rate:.0f} samples/s"
        if self._bar is not None:
            self._bar.update(
                self._task, completed=step, status=" | ".join(filter(None, [status, self._validation]))
            )
        else:
            _log.info("%s %d/%d: %s, %s left", self._name, step, self._num_steps, status, _duration(left))

    def validation(self, step: int, values: dict[str, float], *, totals: Totals) -> None:
        """One line of validation."""
        self._write("validation", step, values, totals)
        self._validation = f"validation {_format(values)}"
        _log.info("%s %d/%d: %s", self._name, step, self._num_steps, self._validation)

    def _write(self, kind: str, step: int, values: dict[str, float], totals: Totals) -> None:
        spent = {"samples": totals.samples, "seconds": round(totals.seconds, 3)}
        with _naming(self._folder):
            self._curve.write({"kind": kind, "step": step, **spent, **values})
            for name, value in values.items():
                self._tensorboard.add_scalar(f"{kind}/{name}", value, step)
            self._tensorboard.flush()

    def close(self) -> None:
        """Close files and bar."""
        if self._bar is not None:
            self._bar.stop()
        with _naming(self._folder), contextlib.ExitStack() as stack:
            stack.callback(_close_tensorboard, self._tensorboard)
            self._curve.close()

    def __enter__(self) -> "Writers":
        """Nothing but itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close."""
        self.close()


@contextlib.contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """An OSError of the writers, which may not say where, names the folder."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(folder)) from error


def _close_tensorboard(writer: SummaryWriter) -> None:
    """Close its files; where that fails, keep it from trying again at exit, with a traceback on the screen."""
    files: list[Any] = list((writer.all_writers or {}).values())
    try:
        writer.close()
    except OSError:
        for file in files:
            file.event_writer._worker.stop()
            file.event_writer._closed = True
        raise


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}"),
        console=console,
        speed_estimate_period=600,  # updates come once per log, which may be minutes apart
    )


def _format(values: dict[str, float]) -> str:
    return " ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in values.items())


def _duration(seconds: float) -> str:
    minutes = int(seconds) // 60
    return (
        f"{minutes // 60}:{minutes % 60:02d} h" if minutes >= 60 else f"{minutes}:{int(seconds) % 60:02d} min"
    )
