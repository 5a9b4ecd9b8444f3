import os
import subprocess
import sys

import pytest

CODE = """
from jaxblur.runtime import messages
messages.hide_compiler_messages()
import warnings
warnings.warn("Error writing persistent compilation cache entry for 'jit_f': disk full")
warnings.warn("another")
import os
print(os.environ["TF_CPP_MIN_LOG_LEVEL"])
"""


@pytest.mark.parametrize("level", [None, "0"])
def test_the_compiler_is_silent_unless_asked(level):
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    environment |= {} if level is None else {"TF_CPP_MIN_LOG_LEVEL": level}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{level or '3'}\n"
    assert "another" in done.stderr and "compilation cache" not in done.stderr


LOGGED = """
import socket
from jaxblur.runtime import messages
messages.hide_compiler_messages()
import jax
print("started", flush=True)
with socket.create_server(("127.0.0.1", 0)) as taken:  # some versions of JAX crash after they have told of it
    jax.distributed.initialize(f"127.0.0.1:{taken.getsockname()[1]}", 1, 0)
"""
RAISED = """
from jaxblur.runtime import messages
messages.hide_compiler_messages()
import jax
jax.jit(lambda x: x).lower(1.0).compile(compiler_options={"xla_no_such": "1"})
"""


@pytest.mark.parametrize("level", [None, "2"])
def test_what_xla_logs_as_an_error_is_hidden_and_what_it_raises_is_not(level):
    """The first is the level of "Very slow compile?", which takes two minutes to see."""
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    environment |= {} if level is None else {"TF_CPP_MIN_LOG_LEVEL": level}
    logged, raised = (
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        for code in (LOGGED, RAISED)
    )
    assert logged.stdout == "started\n" and logged.returncode != 0
    assert ("Failed to add port to server" in logged.stderr) == (level == "2")
    assert "No such compile option: 'xla_no_such'" in raised.stderr
