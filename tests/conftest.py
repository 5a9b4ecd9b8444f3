"""Strict numerics and types for every test: no silent promotion or broadcast, eight CPU devices, real float32 products.

What the packages' functions take and return is checked against their annotations, shapes and dtypes too.

Nearly all the time of the tests is compilation. So code is not optimised, which halves it and runs fast enough, and
compiled programs are kept: all workers share one folder, and so do later runs.
"""

# ruff: noqa: E402 - JAX reads its settings when it is imported
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import platformdirs

from jaxblur.runtime.compiler import compile_fast

os.environ.setdefault("JAX_PLATFORMS", "cpu")

# A shell starts what runs in the background with Ctrl-C ignored. The commands that tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

compile_fast()


def _programs() -> Path:
    """Folder of compiled programs: one for each set of versions and flags that they depend on."""
    root = os.environ.get("JAXBLUR_TESTS_CACHE")
    folder = Path(root) if root else platformdirs.user_cache_path("jaxblur") / "test_programs"
    python = "python{}.{}".format(*sys.version_info[:2])
    return folder / "-".join((python, *(f"{name}{version(name)}" for name in ("jax", "jaxlib", "flax"))))


# Every program is kept, however short its compilation. JAX is given no limit of size: with one, it lists the whole
# folder whenever it adds a program, 0.1 s for every thousand that are there. The folder is emptied here instead.
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(_programs())
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
_MOST_BYTES = 10**9

import jaxtyping

# As type checkers have it, an int is a float too.
_CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
jaxtyping.install_import_hook(["jaxblur", "train", "eval"], _CHECKER)

import jax
import numpy as np
import pytest

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "highest")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_sessionstart(session: pytest.Session) -> None:
    """The process that starts the workers empties the folder of programs where it has grown too large."""
    folder = _programs()
    if "PYTEST_XDIST_WORKER" in os.environ or not folder.is_dir():
        return
    if sum(file.stat().st_size for file in folder.iterdir()) > _MOST_BYTES:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def _free_programs() -> Iterator[None]:
    """A process may map only so much compiled code: with that of all tests, the compiler crashes."""
    yield
    jax.clear_caches()


@pytest.fixture
def shared() -> Path:
    """Folder of reference data that is not part of the repository; the test is skipped where it is absent."""
    if not (SHARED / "design.md").exists():
        pytest.skip(f"needs the reference data folder {SHARED.name}/ beside the repository")
    return SHARED


@pytest.fixture
def unchecked() -> Iterator[None]:
    """For calls with what the annotations rule out: users have no checker, they get the errors of the functions."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20221122)


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(20221122)
