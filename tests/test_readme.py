"""The README stays true: its Python runs, its commands have the options they use, its links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest
import tyro

import eval.__main__
import jaxblur
import train.__main__
from jaxblur import cli
from jaxblur.files import images

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PARSERS = {
    "jaxblur estimate": cli.Estimate,
    "jaxblur import-weights": cli.ImportWeights,
    "jaxblur export": cli.Export,
    "python -m train": train.__main__.Arguments,
    "python -m eval": eval.__main__.Command,
}


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def _commands() -> list[str]:
    """Every command of the shell blocks, and those quoted in the text."""
    parts = [part for block in _blocks("bash") for line in block.splitlines() for part in line.split(" && ")]
    quoted = re.findall(rf"`((?:{'|'.join(PARSERS)}) [^`]+)`", TEXT)
    return [part.removeprefix(".venv/bin/") for part in [*parts, *quoted]]


COMMANDS = [command for command in _commands() if command.startswith(tuple(PARSERS))]


def test_all_programs_are_shown():
    assert all(any(command.startswith(program) for command in COMMANDS) for program in PARSERS)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_have_the_options_they_use(command):
    (program,) = [name for name in PARSERS if command.startswith(name)]
    arguments = shlex.split(command.removeprefix(program))
    options = tyro.cli(PARSERS[program], args=arguments, prog=program)
    for word in vars(options).get("methods", ()):
        assert re.fullmatch(
            r"jaxblur(=.+)?|zhuo-sim|laplacian|constant(=.+)?|\w+=.+:(radius|sigma|score)", word
        )


def test_links_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in link]
    assert len(links) >= 5
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_python_runs(monkeypatch, capsys):
    """On a corner of the photo."""
    (code,) = _blocks("python")
    read_image = images.read_image
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(images, "read_image", lambda path: read_image(path)[120:180, 240:310])
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["result"].radius.shape == names["sigma"].shape == (60, 70)
    assert len(names["results"]) == 2
    assert re.fullmatch(r"in focus: [01]\.\d+\n", capsys.readouterr().out)
    assert isinstance(names["weights"], jaxblur.Weights)
