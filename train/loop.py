"""The loop that trains any stage: it feeds, logs, validates, saves, stops, and goes on where it stopped."""

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from jaxblur.runtime import parallel
from jaxblur.runtime.prefetch import prefetch
from train.checkpoints import Checkpoints
from train.writers import Totals, Writers

_log = logging.getLogger(__name__)


class NonFiniteError(FloatingPointError):
    """A metric or the state is no longer finite; the last good state is on disk."""


@runtime_checkable
class Stage(Protocol):
    """What the loop trains.

    The state is a pytree with an integer field `step`, which counts finished steps; `step` must add 1 to it.
    """

    name: str

    def init(self, key: jax.Array) -> Any:
        """State before the first step."""
        ...

    def step(self, state: Any, batch: Any, key: jax.Array) -> tuple[Any, dict[str, tuple[Any, Any]]]:
        """Pure per-device step, mapped with the axis `parallel.AXIS`.

        Args:
          state: the same on every device, before and (through `parallel.psum_mean`) after the step.
          batch: this device's rows.
          key: () key of this step, the same on every device; see `parallel.sample_keys`.

        Returns:
          The new state, and metrics by name as (sum, count) over all devices (`parallel.psum`), "loss" among
          them; the loop makes means of them. The counts of "loss" are the samples of the curve.
        """
        ...

    def batch(self, step: int) -> dict[str, np.ndarray]:
        """This host's rows of the batch of a step, a pure function of it; called from another thread."""
        ...

    def validate(self, state: Any) -> dict[str, float]:
        """Validation metrics of a state of NumPy arrays on no device; the same on every host."""
        ...


def run(
    stage: Stage,
    *,
    workdir: str | Path,
    config_dict: dict[str, Any],
    num_steps: int,
    seed: int = 0,
    log_every: int = 50,
    validate_every: int = 1000,
    save_every: int = 1000,
    allow_config_change: bool = False,
    max_seconds: float | None = None,
    devices: parallel.Devices = None,
) -> Any:
    """Train a stage up to `num_steps`, going on from the newest checkpoint in `workdir` if there is one.

    A run that is stopped, or killed at any moment, and started again gives the very parameters of an
    uninterrupted one on the same machine. SIGTERM and SIGINT (the first) save and stop,
    as does `max_seconds`. With several hosts these are heeded at the next log.

    Args:
      stage: what to train.
      workdir: folder of the run: `checkpoints`, `curve.jsonl`, `tensorboard`.
      config_dict: everything that decides the result, JSON; it must not change when a run goes on.
      num_steps: last step.
      seed: of the initial state and of the keys of the steps; part of the configuration.
      log_every: steps between two lines of the curve.
      validate_every: steps between validations; each one saves as well, and so does the last step.
      save_every: steps between checkpoints.
      allow_config_change: go on although `config_dict` differs from that of the checkpoint.
      max_seconds: stop after this time, counted from the first step.
      devices: as in `parallel.map_devices`.

    Returns:
      The state as NumPy arrays, at `num_steps`, or earlier if the run was told to stop: look at its `step`.

    Raises:
      ValueError: a count below 1.
      NonFiniteError: a metric or the state became infinite or NaN.
      settings.ConfigChangedError, checkpoints.CheckpointError: see there.
    """
    counts = dict(
        num_steps=num_steps, log_every=log_every, validate_every=validate_every, save_every=save_every
    )
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    folder, config = Path(workdir), {**config_dict, "seed": seed}
    init_key, key = jax.random.split(jax.random.key(seed))
    state, step, totals = stage.init(init_key), 0, Totals()
    checkpoints = Checkpoints(folder / "checkpoints")
    with contextlib.ExitStack() as stack:
        stack.callback(checkpoints.close)
        stop = stack.enter_context(_stop_signals())
        found = checkpoints.restore_latest(state, config=config, allow_config_change=allow_config_change)
        if found is not None:
            state, step, key, totals = found.state, found.step, found.key, Totals(**found.progress)
            _log.info("%s goes on from step %d of %d", stage.name, step, num_steps)
        if step >= num_steps:
            return state
        writers = None
        if jax.process_index() == 0:
            writers = stack.enter_context(Writers(folder, name=stage.name, step=step, num_steps=num_steps))

        mapped = parallel.map_devices(_with_step_key(stage.step), donate_argnums=(0,), devices=devices)
        live, keys = (parallel.replicate(tree, devices=devices) for tree in (state, key))
        batches = prefetch(lambda i: parallel.shard(stage.batch(i), devices=devices), range(step, num_steps))
        stack.enter_context(contextlib.closing(batches))
        _log.info("%s: the program of a step is compiled first, which may take minutes", stage.name)
        seconds_before, start, first = totals.seconds, time.monotonic(), step
        for batch in batches:
            live, metrics = mapped(live, batch, keys)
            step += 1
            if step == first + 1:
                _log.info("%s: compiled in %.0f s", stage.name, time.monotonic() - start)
            totals.add(step, metrics)
            elapsed = time.monotonic() - start

            log_due = step % log_every == 0 or step == num_steps
            validate_due = step % validate_every == 0 or step == num_steps
            stopping = bool(stop) or (max_seconds is not None and elapsed >= max_seconds)
            if jax.process_count() > 1:  # the hosts stop together
                stopping = log_due and parallel.any_process(stopping)
            save_due = step % save_every == 0 or validate_due or stopping
            if not (log_due or save_due):
                continue

            _stop_if(totals.fetch(), stage.name, checkpoints)
            elapsed = time.monotonic() - start
            totals.seconds = seconds_before + elapsed
            if log_due:
                means, rate = totals.close_window()
                left = elapsed / (step - first) * (num_steps - step)
                if writers is not None:
                    writers.train(step, means, totals=totals, rate=rate, left=left)
            if not save_due:
                continue

            state = parallel.unreplicate(live)
            _stop_if(_fault(state, step), stage.name, checkpoints)
            if validate_due:
                values = {name: float(value) for name, value in stage.validate(state).items()}
                if writers is not None:
                    writers.validation(step, values, totals=totals)
            checkpoints.save(step, state, key=key, config=config, progress=totals.progress())
            if stopping and step < num_steps:
                checkpoints.wait()
                _log.info(
                    "%s saved and stopped at step %d of %d; the same command goes on",
                    stage.name,
                    step,
                    num_steps,
                )
                break
    if stop and step == num_steps:  # came too late to stop this run; it is meant for what comes after
        signal.raise_signal(stop[0])
    return state


def _with_step_key(step: Callable[..., Any]) -> Callable[..., Any]:
    def keyed(state: Any, batch: Any, key: jax.Array) -> Any:
        return step(state, batch, jax.random.fold_in(key, state.step))

    return keyed


@contextlib.contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect the first SIGTERM or SIGINT in the list given; a second one acts as usual."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def note(number: int, frame: Any) -> None:
        received.append(number)
        restore()

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        yield received
    finally:
        restore()


def _fault(state: Any, step: int) -> str | None:
    """What is wrong with a state about to be saved, if anything."""
    if int(state.step) != step:
        raise ValueError(f"stage.step must add 1 to state.step, got {int(state.step)} after step {step}")
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        if jnp.issubdtype(leaf.dtype, jnp.inexact) and not np.all(np.isfinite(leaf)):
            return f"state{jax.tree_util.keystr(path)} is not finite at step {step}"
    return None


def _stop_if(fault: str | None, name: str, checkpoints: Checkpoints) -> None:
    if fault is None:
        return
    checkpoints.wait()
    good = f"checkpoint {checkpoints.steps[-1]}" if checkpoints.steps else "the initial one, not saved"
    raise NonFiniteError(f"{name}: {fault}; the last good state is {good} in {checkpoints.directory}")
