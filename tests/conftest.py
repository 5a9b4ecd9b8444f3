"""Strict numerics for every test: no silent promotion or broadcast, eight CPU devices, real float32 products."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Nearly all the time of the tests is compilation: unoptimised code halves it, and runs fast enough; programs that
# several processes need are compiled once.
os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(
    prefix="jaxblur-tests-", dir=os.environ.get("JAXBLUR_TESTS_CACHE")
)
# Workers of `pytest -n` have a folder each, in that of the process that starts and outlives them.
os.environ.setdefault("JAXBLUR_TESTS_CACHE", os.environ["JAX_COMPILATION_CACHE_DIR"])
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"

import jax
import numpy as np
import pytest

atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
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
