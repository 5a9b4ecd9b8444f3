"""What the benchmarks share: times, the machine's own rates of the same run, and where figures come from."""

import json
import multiprocessing
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jaxblur.files.output import atomic_file
from jaxblur.runtime.provenance import commit


def time_in_turn(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Seconds of all runs of each call. They take turns, so that a load from elsewhere meets all of them."""
    for call in calls.values():
        jax.block_until_ready(call())  # compiles
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            jax.block_until_ready(call())
            times[name].append(time.perf_counter() - start)
    return times


def take_turns(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Least seconds of each call, see `time_in_turn`."""
    return {name: min(times) for name, times in time_in_turn(calls, repeats).items()}


def summary(times: Sequence[float]) -> dict[str, float]:
    """Median and spread of the seconds of some runs."""
    return {
        "median": statistics.median(times),
        "least": min(times),
        "most": max(times),
        "runs": len(times),
    }


def matmul_rate(repeats: int) -> float:
    """Operations per second of a large float32 matrix product."""
    side = 2048 if jax.default_backend() == "cpu" else 8192  # an accelerator is done with a small one at once
    a = jax.random.normal(jax.random.key(0), (side, side))
    product = jax.jit(jnp.matmul)
    return 2 * side**3 / take_turns({"product": lambda: product(a, a)}, repeats)["product"]


def copy_rate(repeats: int, size: int = 2**26) -> float:
    """Bytes per second that a large float32 array is read and written with, counted both ways."""
    rounds = 16  # in place: memory that is fresh from the system costs more than the copy
    array = jnp.zeros(size, jnp.float32)
    add = jax.jit(lambda x: jax.lax.fori_loop(0, rounds, lambda i, x: x + 1, x))
    return 2 * rounds * array.nbytes / take_turns({"copy": lambda: add(array)}, repeats)["copy"]


def origin() -> dict[str, Any]:
    """Device, cores, JAX version, commit, and the command."""
    return {
        "device": f"{jax.devices()[0].device_kind} ({platform.machine()})",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "jax": jax.__version__,
        "commit": commit(),
        "command": command(sys.argv),
    }


def command(words: Sequence[str]) -> str:
    """What was typed to run a script of this folder, without where its figures went and where its files lie."""
    program, *arguments = words
    kept = []
    for before, word in zip([program, *arguments], arguments, strict=False):
        if before != "--json" and not word.startswith("--json"):
            kept.append(Path(word).name if Path(word).is_absolute() else word)
    flags = [f"XLA_FLAGS={shlex.quote(os.environ['XLA_FLAGS'])}"] if os.environ.get("XLA_FLAGS") else []
    return " ".join([*flags, "python -m", f"benchmarks.{Path(program).stem}", shlex.join(kept)]).strip()


def run_alone(function: Callable[..., Any], *arguments: Any, name: str) -> Any:
    """What a function of a module returns in a new process: nothing is warm, and no other holds its memory.

    Raises:
      RuntimeError: "`name` failed", and why: an error in that process, or its end.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        future = pool.submit(function, *arguments)
        error = future.exception()
        if error is not None:
            raise RuntimeError(f"{name} failed: {error!r}") from error
        return future.result()


def write(path: Path | None, figures: dict[str, Any]) -> None:
    """Figures as JSON, if a path is given."""
    if path is not None:
        with atomic_file(path) as file:
            file.write((json.dumps(figures, indent=2) + "\n").encode())
