"""The notebooks run, with tiny weights and on a corner of the photos, and hold no outputs."""

import importlib
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.tiny_weights import read_corners, use_tiny_weights

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def _cells(name: str) -> list[dict]:
    cells = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def _run(name: str) -> dict:
    names: dict = {}
    for number, cell in enumerate(_cells(name)):
        exec(compile("".join(cell["source"]), f"{name}, cell {number}", "exec"), names)
    return names


@pytest.fixture
def _tiny(monkeypatch):
    use_tiny_weights(monkeypatch)
    read_corners(monkeypatch)
    monkeypatch.chdir(FOLDER)
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_outputs_are_kept(name):
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in _cells(name))


@pytest.mark.usefixtures("_tiny")
def test_first_map():
    plots = importlib.import_module("matplotlib")
    plots.use("agg")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
        names = _run("first_map")
    assert names["mask"].shape == names["result"].radius.shape


@pytest.mark.usefixtures("_tiny")
def test_functional_variant():
    """A gradient reaches the lens; what it is with untrained networks does not matter."""
    names = _run("functional_variant")
    assert np.isfinite(names["slope"]) and names["slope"] != 0
    assert sum(len(cell["source"]) for cell in _cells("functional_variant")) <= 60


@pytest.mark.usefixtures("_tiny")
def test_evaluate_data_set():
    names = _run("evaluate_data_set")
    assert names["status"] == 0 and len(names["rows"]) == 2
    constant = next(row for row in names["rows"] if "constant" in row["method"])
    assert float(constant["radius_mae"]) == pytest.approx(0.75)  # |1.5 - 2| and |3 - 2|, in the mean


@pytest.mark.slow
def test_train_small():
    """In a process of its own, with one device: two photos cannot be shared out among the eight of the tests."""
    code = "import json; from tests.test_notebooks import _run; names = _run('train_small'); "
    code += "print(json.dumps([names['weights'].multiscale is None, *names['result'].radius.shape]))"
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parents[1]), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=FOLDER,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [True, 100, 100]
