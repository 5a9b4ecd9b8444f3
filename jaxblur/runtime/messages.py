"""Messages of JAX and its compiler that are not for users of the command."""

import os
import warnings


def hide_compiler_messages() -> None:
    """Keep XLA from asking for bug reports where compiling takes minutes; to be called before JAX is imported.

    It does so at the level of errors, so those are hidden. Errors proper reach Python as exceptions, and fatal ones,
    such as an unknown flag in XLA_FLAGS, are still shown. TF_CPP_MIN_LOG_LEVEL, where it is set, says otherwise. A
    cache of programs that is full, torn or read-only costs only time, so JAX need not warn.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", message=".*persistent compilation cache")
