"""`python -m train`: options, one line for bad input, and the log."""

import inspect
import io
import logging
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
import tyro
from rich.console import Console
from rich.logging import RichHandler

from tests.train.tiny import write_photos
from train import __main__ as command
from train.config import STAGES
from train.writers import CONSOLE, Totals, Writers

ROOT = Path(__file__).resolve().parents[2]


def options(*args):
    return tyro.cli(command.Arguments, args=["--output", "out", "--photos", "photos", *args])


def test_options_change_the_preset():
    config = command._config(
        options(
            *("--blur-steps", "3", "--edge-steps", "4", "--multiscale-steps", "5", "--joint-steps", "6"),
            *("--network-scenes", "7", "--multiscale-scenes", "8", "--contents", "9", "--rate", "0.5"),
            *("--multiscale", "weights.safetensors", "--initial", "start.safetensors", "--seed", "2"),
        )
    )
    steps = [getattr(config, name).steps for name in STAGES]
    assert (
        steps == [3, 4, 5, 6] and config.network_scene_count == 7 and config.multiscale.training_scenes == 8
    )
    assert config.blur.contents == config.edges.contents == 9 and config.blur.optimiser.rate == 5e-3
    assert config.multiscale_from == Path("weights.safetensors") and config.seed == 2


@pytest.mark.parametrize(
    ("args", "stages"),
    [
        ((), ("blur", "edges", "multiscale")),
        (("--preset", "paper"), ("blur", "edges")),
        (("--multiscale", "weights.safetensors"), ("blur", "edges")),
        (("--stages", "none"), ()),
        (("--stages", "edges,joint"), ("edges", "joint")),
    ],
)
def test_stages_by_default_and_by_name(args, stages):
    assert command._stages(options(*args)) == stages


def refused(capsys, folder, *args):
    status = command.main(["--preset", "smoke", "--output", str(folder / "run"), *args])
    line = capsys.readouterr().err
    assert status == 2 and line.count("\n") == 1 and line.startswith("python -m train: ")
    assert not (folder / "run").exists()
    return line


@pytest.mark.parametrize("content", [b"nonsense", "weights", None])
def test_a_file_that_cannot_be_started_from_is_one_line(content, photos, tmp_path, capsys):
    start = tmp_path / "start.safetensors"
    if content == "weights":
        start = resources.files("jaxblur.weights") / "jaxblur.safetensors"
    elif content is not None:
        start.write_bytes(content)
    line = refused(capsys, tmp_path, "--photos", str(photos), "--initial", str(start))
    assert "variables" in line and start.name in line


def test_unknown_stages_are_one_line(photos, tmp_path, capsys):
    line = refused(capsys, tmp_path, "--photos", str(photos), "--stages", "blur,depth")
    assert line == "python -m train: stages must be some of blur,edges,multiscale,joint, got 'depth'\n"


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_bad_photo_folders_are_one_line(name, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert name in refused(capsys, tmp_path, "--preset", "default", "--photos", str(tmp_path / name))


def test_without_the_extra_one_line_says_what_to_install(tmp_path):
    write_photos(tmp_path)
    code = "import runpy, sys\nsys.modules['optax'] = None\nrunpy.run_module('train', run_name='__main__')"
    arguments = ["--photos", str(tmp_path), "--output", str(tmp_path / "run")]
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == 'python -m train: lacks optax; pip install "jaxblur[train]"\n'


def test_the_log_uses_the_console_of_the_bar(monkeypatch):
    given = {}
    monkeypatch.setattr(logging, "basicConfig", lambda **settings: given.update(settings))
    command.show_log(CONSOLE)
    (handler,) = given["handlers"]
    assert handler.console is CONSOLE is inspect.signature(Writers).parameters["console"].default


def test_the_log_is_shown_though_a_library_has_set_it_up(monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [logging.NullHandler()])
    monkeypatch.setattr(root, "level", logging.WARNING)
    screen = io.StringIO()
    command.show_log(Console(file=screen, width=120))
    logging.getLogger("train.run").info("stage blur: 3 steps")
    assert "stage blur: 3 steps" in screen.getvalue()


def test_lines_of_the_log_appear_above_the_bar(tmp_path):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    log = logging.Logger("test")
    log.addHandler(RichHandler(console=console, show_path=False, show_time=False))
    with Writers(tmp_path, name="b-net", step=0, num_steps=10, console=console) as writers:
        for step in range(1, 11):
            writers.train(step, {"loss": 1.5}, totals=Totals(), rate=10.0, left=1.0)
            log.info("line %d of the log", step)
    lines = [line for line in screen.getvalue().splitlines() if "of the log" in line]
    assert len(lines) == 10 and not any("b-net" in line or "samples/s" in line for line in lines)
