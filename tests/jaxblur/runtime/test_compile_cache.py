import os
import subprocess
import sys

import pytest

CODE = """
import os, pathlib, platformdirs
platformdirs.user_cache_path = lambda name: pathlib.Path(os.environ["CACHE_OF_THE_TEST"]) / name
from jaxblur.runtime import compile_cache as cache
cache.keep_programs()
import jax
jax.jit(lambda x: x + 1)(1.0)
"""


@pytest.fixture
def environment(tmp_path):
    """A user whose cache folder is tmp_path, with nothing said to JAX."""
    own = ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS")
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return {**kept, "CACHE_OF_THE_TEST": str(tmp_path)}


def run(environment):
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""


def test_programs_are_kept_however_fast_they_compile(environment, tmp_path):
    run(environment)
    assert list((tmp_path / "jaxblur" / "programs").iterdir())


def test_jax_variables_come_first(environment, tmp_path):
    run({**environment, "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "mine")})
    assert not (tmp_path / "jaxblur").exists() and list((tmp_path / "mine").iterdir())
    run({**environment, "JAX_ENABLE_COMPILATION_CACHE": "false"})
    assert list((tmp_path / "jaxblur" / "programs").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_left_alone(environment, tmp_path):
    (tmp_path / "jaxblur").write_text("in the way")
    run(environment)
