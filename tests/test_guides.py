"""The guides stay true: their Python runs with tiny weights, their commands have the options they use."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

import jaxblur
from jaxblur import export
from jaxblur.files import table
from jaxblur.network.config import NetworkConfig
from tests import commands
from tests.jaxblur.tiny import make_weights
from tests.tiny_weights import read_corners, use_tiny_weights

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    path.stem: path.read_text(encoding="utf-8")
    for folder in ("guides", "start")
    for path in sorted((ROOT / "docs" / folder).glob("*.md"))
}
COMMANDS = sorted(set(commands.find_commands(PAGES.values())))


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_have_the_options_they_use(command):
    commands.check(command)


@pytest.fixture
def _files(monkeypatch, tmp_path):
    """The files that the pages name."""
    monkeypatch.chdir(tmp_path)
    photo = ROOT / "examples" / "vase.jpg"
    shutil.copy(photo, "photo.jpg")
    for name in ("photos", "results"):
        Path(name).mkdir()
    for name in ("one.jpg", "two.jpg"):
        shutil.copy(photo, Path("photos", name))
    with open("results/summary.csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, table.COLUMNS)
        rows.writeheader()
        rows.writerow({"photo": "two.jpg", "fraction_in_focus": 0.25})
        rows.writerow({"photo": "three.jpg", "error": "damaged"})
    np.savez("results/photo.npz", radius=np.ones((4, 4)), confidence=np.ones((4, 4)))


def _run(page: str) -> dict[str, object]:
    names: dict[str, object] = {}
    for code in commands.blocks(PAGES[page], "python"):
        exec(compile(code, page, "exec"), names)
    return names


@pytest.mark.parametrize(
    "page",
    [page for page, text in PAGES.items() if commands.blocks(text, "python") and page != "export"],
)
@pytest.mark.usefixtures("_files")
def test_python_runs(page, monkeypatch):
    use_tiny_weights(monkeypatch)
    read_corners(monkeypatch)
    _run(page)


@pytest.mark.usefixtures("_files")
def test_exported_programs_run_as_the_guide_says(monkeypatch):
    weights = use_tiny_weights(monkeypatch)
    paper_like = make_weights(NetworkConfig(width=4, hidden=(4, 4)))
    Path("networks.onnx").write_bytes(export.export_networks(paper_like))
    names = _run("export")
    expected = jaxblur.estimate(names["photo"], weights)
    np.testing.assert_allclose(names["radius"], expected.radius, atol=1e-4)
    assert names["radius_at_edges"].shape == (5,)
