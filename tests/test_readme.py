"""The README and the pages it leads to stay true: Python runs, commands have their options, links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest
import tyro

import eval.__main__
import eval.tools.half_size
import jaxblur
import train.__main__
from jaxblur import cli, inputs
from train.tools import compare, scene_files, sheet

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ("docs/training.md", "docs/evaluation.md", "docs/accuracy.md", "jaxblur/weights/README.md")
TEXTS = [README, *((ROOT / page).read_text(encoding="utf-8") for page in PAGES)]
PARSERS = {
    "jaxblur estimate": cli.Estimate,
    "jaxblur import-weights": cli.ImportWeights,
    "jaxblur export": cli.Export,
    "python -m train": train.__main__.Arguments,
    "python -m train.tools.compare": compare.Arguments,
    "python -m train.tools.scene_files": scene_files.Arguments,
    "python -m train.tools.sheet": sheet.Arguments,
    "python -m eval": eval.__main__.Command,
    "python -m eval.tools.half_size": eval.tools.half_size.Arguments,
}
PROGRAM = re.compile(rf"(?:{'|'.join(map(re.escape, PARSERS))})(?= )")


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _commands() -> list[str]:
    """Every command of the shell blocks, and those quoted in the text."""
    lines = [line for text in TEXTS for block in _blocks(text, "bash") for line in block.splitlines()]
    parts = [part.removeprefix(".venv/bin/") for line in lines for part in line.split(" && ")]
    quoted = [part for text in TEXTS for part in re.findall(r"`([^`\n]+)`", text)]
    return [part for part in [*parts, *quoted] if PROGRAM.match(part)]


COMMANDS = _commands()


def _program(command: str) -> str:
    found = PROGRAM.match(command)
    assert found is not None
    return found[0]


def test_all_programs_are_shown():
    assert {_program(command) for command in COMMANDS} == set(PARSERS)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_have_the_options_they_use(command):
    program = _program(command)
    arguments = shlex.split(command.removeprefix(program))
    options = tyro.cli(PARSERS[program], args=arguments, prog=program)
    for word in vars(options).get("methods", ()):
        assert re.fullmatch(
            r"jaxblur(=.+)?|zhuo-sim|laplacian|constant(=.+)?|\w+=.+:(radius|sigma|score)", word
        )


@pytest.mark.parametrize("page", ["README.md", *PAGES, "CONTRIBUTING.md", "SECURITY.md"])
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert links
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def test_python_runs(monkeypatch, capsys):
    """On a corner of the photo."""
    read_image = inputs.read_image
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(inputs, "read_image", lambda path: read_image(path)[120:180, 240:310])
    names = {}
    exec(compile("\n".join(_blocks(README, "python")), "README.md", "exec"), names)
    shapes = {names[name].shape for name in ("mask", "sigma")} | {names["paper"].radius.shape}
    assert shapes == {(60, 70)}
    assert names["mask"].dtype == bool
    assert isinstance(names["weights"], jaxblur.Weights)
    assert re.fullmatch(r"in focus: [01]\.\d+\n\(60, 70\)\n", capsys.readouterr().out)


def test_the_line_of_the_gate_is_there():
    """`.ci/run` looks for it."""
    (line,) = re.findall(r"^python -m venv \.venv && .* && \.venv/bin/pytest.*$", README, re.MULTILINE)
    assert '".[test]"' in line
