"""The README and the pages it leads to stay true: Python runs, commands have their options, links lead somewhere."""

import re
from pathlib import Path

import pytest

import jaxblur
from jaxblur import inputs
from tests import commands

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ("docs/training.md", "docs/evaluation.md", "docs/accuracy.md", "jaxblur/weights/README.md")
TEXTS = [README, *((ROOT / page).read_text(encoding="utf-8") for page in PAGES)]
COMMANDS = commands.find_commands(TEXTS)


def test_all_programs_are_shown():
    assert {commands.program(command) for command in COMMANDS} == set(commands.PARSERS)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_have_the_options_they_use(command):
    commands.check(command)


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
    exec(compile("\n".join(commands.blocks(README, "python")), "README.md", "exec"), names)
    shapes = {names[name].shape for name in ("mask", "sigma")} | {names["paper"].radius.shape}
    assert shapes == {(60, 70)}
    assert names["mask"].dtype == bool
    assert isinstance(names["weights"], jaxblur.Weights)
    assert re.fullmatch(r"in focus: [01]\.\d+\n\(60, 70\)\n", capsys.readouterr().out)


def test_the_line_of_the_gate_is_there():
    """`.ci/run` looks for it."""
    (line,) = re.findall(r"^python -m venv \.venv && .* && \.venv/bin/pytest.*$", README, re.MULTILINE)
    assert '".[test]"' in line
