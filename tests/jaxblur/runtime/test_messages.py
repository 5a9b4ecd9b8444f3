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
