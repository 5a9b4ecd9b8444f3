"""Options, help, and the commands beside `jaxblur estimate`."""

import os
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import jaxblur
from jaxblur import cli, config
from tests.jaxblur.cli_helpers import fake_estimate, make_photo, names, run, use_fakes


@pytest.fixture(autouse=True)
def fakes(monkeypatch):
    use_fakes(monkeypatch)


@pytest.fixture
def photo(tmp_path, rng) -> Path:
    return make_photo(tmp_path / "photo.png", rng)


def test_weights_are_passed_on_and_their_errors_reported(tmp_path, photo, monkeypatch, capfd):
    def load_weights(path=None):
        raise (
            FileNotFoundError(f"{path}: no weights")
            if path is None
            else ValueError(f"{path}: lacks blur/dense_1")
        )

    monkeypatch.setattr(jaxblur, "load_weights", load_weights)
    assert run("estimate", photo, "--output", tmp_path / "out") == 2
    assert run("estimate", photo, "--output", tmp_path / "out", "--weights", tmp_path) == 2
    assert run("import-weights", tmp_path, tmp_path / "w.safetensors") == 2
    first, second, third = capfd.readouterr().err.splitlines()
    assert first == "jaxblur: None: no weights"
    assert second == third == f"jaxblur: {tmp_path}: lacks blur/dense_1"


def test_import_weights(tmp_path, monkeypatch, capfd):
    saved = []
    monkeypatch.setattr(jaxblur, "save_weights", lambda path, weights: saved.append(path), raising=False)
    assert run("import-weights", tmp_path, tmp_path / "w.safetensors") == 0
    assert run("import-weights", tmp_path, tmp_path / "w.txt") == 2
    assert saved == [tmp_path / "w.safetensors"]
    assert (
        capfd.readouterr().err
        == f"jaxblur: {tmp_path / 'w.txt'}: the file to write must end in .safetensors\n"
    )


def test_presets_are_those_of_the_library(tmp_path, photo, monkeypatch):
    choices = typing.get_args(typing.get_type_hints(cli.Estimate)["preset"])
    assert set(choices) == set(config.PRESETS)
    used = []

    def recording(image, weights, **options):
        used.append(options["config"])
        return fake_estimate(image, weights, **options)

    monkeypatch.setattr(jaxblur, "estimate", recording)
    run("estimate", photo, "--output", tmp_path / "out")
    run("estimate", photo, "--output", tmp_path / "out", "--preset", "published")
    run("estimate", photo, "--output", tmp_path / "out", "--precision", "bfloat16")
    assert used == [config.DEFAULT, config.PUBLISHED, config.Config(precision="bfloat16")]


def test_help_and_version(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"jaxblur {jaxblur.__version__}\n"
    for args, expected in [(["--help"], "import-weights"), (["estimate", "--help"], "--overlay")]:
        with pytest.raises(SystemExit) as exit:
            run(*args)
        assert exit.value.code == 0
        text = capsys.readouterr().out
        assert expected in text and "jaxblur estimate photo.jpg --output results" in text
        assert max(len(line) for line in text.splitlines()) <= 80


@pytest.mark.parametrize(
    "args", [[], ["estimate"], ["estimate", "x.jpg"], ["estimate", "x.jpg", "--output"], ["no"]]
)
def test_wrong_usage(args, capsys):
    with pytest.raises(SystemExit) as exit:
        run(*args)
    assert exit.value.code == 2 and capsys.readouterr().err


def test_no_photo_named(tmp_path, capfd):
    assert run("estimate", "--output", tmp_path / "out") == 2
    assert capfd.readouterr().err.startswith("jaxblur: name at least one photo")
    assert not (tmp_path / "out").exists()


def test_help_does_not_import_jax():
    code = "import jaxblur.cli, sys; print('jax' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["program.txt"], "must end in .stablehlo or .onnx"),
        (["program.stablehlo"], "--size WIDTH HEIGHT belongs to .stablehlo"),
        (["networks.onnx", "--size", "5", "5"], "and to it only"),
        (["program.stablehlo", "--size", "0", "5"], "height and width must be at least 1"),
    ],
)
def test_bad_exports_are_one_line(tmp_path, monkeypatch, capsys, arguments, reason, unchecked):
    monkeypatch.chdir(tmp_path)
    assert run("export", *arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and reason in error
    assert names(tmp_path) == set()


@pytest.mark.parametrize("size", [("4000", "3000"), ("4000x3000",)])
def test_sizes_of_an_export(tmp_path, monkeypatch, size, unchecked):
    from jaxblur import export

    asked = []

    def export_estimator(weights, **options):
        asked.append((options["width"], options["height"]))
        return b"program"

    monkeypatch.setattr(export, "export_estimator", export_estimator)
    assert run("export", tmp_path / "a.stablehlo", "--size", *size) == 0
    assert asked == [(4000, 3000)] and (tmp_path / "a.stablehlo").read_bytes() == b"program"


@pytest.mark.parametrize("size", [("4000",), ("4000by3000",), ("4000", "many")])
def test_a_size_that_is_none_is_told_in_words(tmp_path, size, capsys):
    with pytest.raises(SystemExit) as exit:
        run("export", tmp_path / "a.stablehlo", "--size", *size)
    error = capsys.readouterr().err
    assert exit.value.code == 2 and "[bold]" not in error
    assert "it needs a width and a height, such as 1024 768" in error
