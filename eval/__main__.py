"""`python -m eval`: the command line is in `eval.cli`."""

import sys

from jaxblur.runtime import compile_cache, messages

if __name__ == "__main__":  # before JAX is imported
    compile_cache.keep_programs()
    messages.hide_compiler_messages()
try:
    from eval.cli import Command, main
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] in ("eval", "jaxblur"):
        raise
    sys.exit(f'eval: needs the package {error.name}: pip install "jaxblur[eval]"')

__all__ = ["Command", "main"]

if __name__ == "__main__":
    sys.exit(main())
