"""`python -m eval`: the command line is in `eval.cli`."""

import sys

try:
    from eval.cli import Command, main
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] in ("eval", "jaxblur"):
        raise
    sys.exit(f'eval: needs the package {error.name}: pip install "jaxblur[eval]"')

__all__ = ["Command", "main"]

if __name__ == "__main__":
    sys.exit(main())
