"""Flags of the XLA compiler."""

import importlib.util
import mmap
import os
from pathlib import Path

_FAST = {"xla_backend_optimization_level": "0", "xla_cpu_use_fusion_emitters": "false"}
"""What leaves programs for a CPU unoptimised."""


def compile_fast() -> None:
    """Let programs for a CPU compile three times as fast, and run more slowly; to be called before JAX is used.

    Runs that compute next to nothing, such as tests, wait for the compiler alone. Flags that the environment variable
    XLA_FLAGS sets already stay as they are. Flags that the installed XLA does not know are left out, since it would end
    the process over them.
    """
    given = os.environ.get("XLA_FLAGS", "")
    known = _known(tuple(_FAST))
    new = [f"--{name}={value}" for name, value in _FAST.items() if name in known and name not in given]
    os.environ["XLA_FLAGS"] = " ".join([*given.split(), *new])


def _known(flags: tuple[str, ...]) -> set[str]:
    """Those of the flags whose name the XLA library holds."""
    package = importlib.util.find_spec("jaxlib")
    folders = package.submodule_search_locations if package is not None else None
    found: set[str] = set()
    for library in (path for folder in folders or () for path in Path(folder).glob("*jax_common*")):
        with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found |= {flag for flag in flags if content.find(flag.encode()) >= 0}
    return found
