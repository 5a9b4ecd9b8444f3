import os
import subprocess
import sys

import pytest

from jaxblur.runtime import compiler


@pytest.fixture
def flags(monkeypatch):
    """What `compile_fast` makes of XLA_FLAGS."""

    def result(given: str | None) -> list[str]:
        if given is None:
            monkeypatch.delenv("XLA_FLAGS", raising=False)
        else:
            monkeypatch.setenv("XLA_FLAGS", given)
        compiler.compile_fast()
        return os.environ["XLA_FLAGS"].split()

    return result


def test_flags_are_added_to_those_of_the_user(flags):
    own = "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=3"
    assert flags(own) == [*own.split(), "--xla_cpu_use_fusion_emitters=false"]
    assert flags(" ".join(flags(None))) == flags(None) == [f"--{n}={v}" for n, v in compiler._FAST.items()]


def test_a_flag_that_xla_does_not_know_is_left_out(flags, monkeypatch):
    monkeypatch.setattr(
        compiler, "_FAST", {"xla_no_such_flag_" + "at_all": "1", "xla_backend_optimization_level": "0"}
    )
    assert flags(None) == ["--xla_backend_optimization_level=0"]


def test_jax_starts_with_them(flags):
    environment = {**os.environ, "XLA_FLAGS": " ".join(flags(None)), "JAX_PLATFORMS": "cpu"}
    code = "import jax; print(jax.jit(lambda x: x + 1)(1))"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout == "2\n"
