"""What the command says, one line at a time, in any encoding."""

import sys

import rich.console

from jaxblur.files.names import shown


def say(text: str) -> None:
    """Print a line of results; what the terminal cannot show is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    print(shown(text).encode(encoding, "backslashreplace").decode(encoding))


def complain(console: rich.console.Console, reason: str) -> None:
    """Print a line of trouble to stderr."""
    console.print(f"jaxblur: {shown(reason)}", soft_wrap=True)


def reason_of(error: BaseException) -> str:
    """What went wrong, on one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{shown(error.filename)}: {error.strerror}"
    if isinstance(error, MemoryError) and not str(error):
        return "there is not enough memory"
    return (str(error).splitlines() or [type(error).__name__])[0]
