"""What the benchmarks share: times, the machine's own rates of the same run, and where figures come from."""

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jaxblur.files import atomic_file
from jaxblur.provenance import commit


def seconds(function: Callable[..., Any], *arguments: Any, repeats: int) -> float:
    """Least of some runs after one that compiles."""
    jax.block_until_ready(function(*arguments))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - start)
    return min(times)


def matmul_rate(repeats: int, side: int = 2048) -> float:
    """Operations per second of a large float32 matrix product."""
    a = jax.random.normal(jax.random.key(0), (side, side))
    return 2 * side**3 / seconds(jax.jit(jnp.matmul), a, a, repeats=repeats)


def origin() -> dict[str, str]:
    """Device, JAX version and commit."""
    return {
        "device": f"{jax.devices()[0].device_kind} ({platform.machine()})",
        "jax": jax.__version__,
        "commit": commit(),
    }


def write(path: Path | None, figures: dict[str, Any]) -> None:
    """Figures as JSON, if a path is given."""
    if path is not None:
        with atomic_file(path) as file:
            file.write((json.dumps(figures, indent=2) + "\n").encode())
