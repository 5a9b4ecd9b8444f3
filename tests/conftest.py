"""Strict numerics for every test: no silent promotion or broadcast, eight CPU devices, real float32 products.

Nearly all the time of the tests is compilation. So code is not optimised, which halves it and runs fast enough, and
compiled programs are kept: all workers share one folder, and so do later runs.
"""

# ruff: noqa: E402 - JAX reads its settings when it is imported
import os
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import platformdirs

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"


def _programs() -> Path:
    """Folder of compiled programs: one for each set of versions and flags that they depend on."""
    root = os.environ.get("JAXBLUR_TESTS_CACHE")
    folder = Path(root) if root else platformdirs.user_cache_path("jaxblur") / "tests"
    python = "python{}.{}".format(*sys.version_info[:2])
    return folder / "-".join((python, *(f"{name}{version(name)}" for name in ("jax", "jaxlib", "flax"))))


# Every program is kept, however short its compilation. JAX locks the folder only where its size is limited.
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(_programs())
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
os.environ["JAX_COMPILATION_CACHE_MAX_SIZE"] = str(2 * 10**9)

import jax
import numpy as np
import pytest

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "highest")

SHARED = Path(__file__).resolve().parents[2] / "shared"


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
def rng() -> np.random.Generator:
    return np.random.default_rng(20221122)


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(20221122)
