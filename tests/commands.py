"""Commands and code that documents show, and whether the commands have the options they use."""

import re
import shlex
from collections.abc import Iterable
from typing import Any

import tyro

import eval.__main__
import eval.tools.fit_park
import eval.tools.half_size
import eval.tools.rivals
import train.__main__
from jaxblur import cli
from train.tools import compare, scene_files, sheet

PARSERS: dict[str, Any] = {
    "jaxblur estimate": cli.Estimate,
    "jaxblur rank": cli.Rank,
    "jaxblur import-weights": cli.ImportWeights,
    "jaxblur export": cli.Export,
    "python -m train": train.__main__.Arguments,
    "python -m train.tools.compare": compare.Arguments,
    "python -m train.tools.scene_files": scene_files.Arguments,
    "python -m train.tools.sheet": sheet.Arguments,
    "python -m eval": eval.__main__.Command,
    "python -m eval.tools.fit_park": eval.tools.fit_park.Arguments,
    "python -m eval.tools.half_size": eval.tools.half_size.Arguments,
    "python -m eval.tools.rivals": eval.tools.rivals.Arguments,
}
_PROGRAM = re.compile(rf"(?:{'|'.join(map(re.escape, PARSERS))})(?= )")


def blocks(text: str, language: str) -> list[str]:
    """The blocks of code of a page in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def find_commands(texts: Iterable[str]) -> list[str]:
    """Every command of the shell blocks, and those quoted in the text."""
    lines = [line for text in texts for block in blocks(text, "bash") for line in block.splitlines()]
    parts = [part.removeprefix(".venv/bin/") for line in lines for part in line.split(" && ")]
    quoted = [part for text in texts for part in re.findall(r"`([^`\n]+)`", text)]
    return [part for part in [*parts, *quoted] if _PROGRAM.match(part)]


def program(command: str) -> str:
    """Which of `PARSERS` a command calls."""
    found = _PROGRAM.match(command)
    assert found is not None
    return found[0]


def check(command: str) -> None:
    """Fail unless the program takes these arguments."""
    name = program(command)
    arguments = shlex.split(command.removeprefix(name))
    options = tyro.cli(PARSERS[name], args=arguments, prog=name)
    for word in vars(options).get("methods", ()):
        assert re.fullmatch(
            r"jaxblur(=.+)?|[\w-]+\+[\w-]+|zhuo-sim|hifst|lbp|su-svd|shi-spectrum|shi-gradient|laplacian"
            r"|constant(=.+)?|\w+=.+:(radius|sigma|score)",
            word,
        )
