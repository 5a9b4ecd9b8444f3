import os
import subprocess
import sys
import typing
from pathlib import Path

import cv2
import numpy as np
import pytest

import jaxblur
from jaxblur import cli, config
from jaxblur.files import images
from tests.jaxblur.cli_helpers import SIZE, fake_estimate, make_photo, names, run, summary


@pytest.fixture(autouse=True)
def fakes(monkeypatch, request):
    if "shared" not in request.fixturenames:  # those tests have real weights
        monkeypatch.setattr(jaxblur, "estimate", fake_estimate, raising=False)
        monkeypatch.setattr(jaxblur, "load_weights", lambda path=None: object(), raising=False)
        monkeypatch.setattr(jaxblur, "save_weights", lambda path, weights: None, raising=False)


@pytest.fixture
def photo(tmp_path, rng) -> Path:
    return make_photo(tmp_path / "photo.png", rng)


def test_one_photo(tmp_path, photo, capfd):
    out = tmp_path / "deep" / "out"
    assert run("estimate", photo, "--output", out) == 0
    assert names(out) == {"photo.npz", "photo_radius.tiff", "photo_preview.png", "summary.csv"}
    with np.load(out / "photo.npz") as arrays:
        expected = fake_estimate(images.read_image(photo), None)
        assert set(arrays) == set(vars(expected))
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, getattr(expected, name))
            assert array.dtype == (bool if name.endswith("edges") else np.float32)
        radius = cv2.imread(str(out / "photo_radius.tiff"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(radius, arrays["radius"])
    printed = capfd.readouterr()
    assert printed.err == "" and printed.out == f"1 of 1 done, results in {out}\n"


def test_summary_columns(tmp_path, photo):
    out = tmp_path / "out"
    run("estimate", photo, "--output", out)
    (row,) = summary(out)
    assert list(row) == (
        "photo name width height radius_p05 radius_p25 radius_p50 radius_p75 radius_p95 share_in_focus "
        "edge_count depth_edge_count mean_confidence seconds error"
    ).split(" ")
    supported = np.linspace(0.5, 3, 48)[:24]  # where the fake has confidence
    for percent in (5, 25, 50, 75, 95):
        assert float(row[f"radius_p{percent:02d}"]) == pytest.approx(
            np.percentile(supported, percent), abs=0.05
        )
    assert float(row["share_in_focus"]) == pytest.approx((supported <= 1).mean(), abs=1e-4)
    assert (row["photo"], row["name"], row["width"], row["height"]) == (str(photo), "photo", "48", "40")
    assert (row["edge_count"], row["depth_edge_count"], row["mean_confidence"]) == ("10", "3", "0.25")
    assert float(row["seconds"]) >= 0 and row["error"] == ""


def test_summary_is_empty_where_nothing_is_known(tmp_path, photo, monkeypatch):
    def unsupported(*args, **kwargs):
        result = fake_estimate(*args, **kwargs)
        result.confidence[:] = 0
        return result

    monkeypatch.setattr(jaxblur, "estimate", unsupported)
    assert run("estimate", photo, "--output", tmp_path / "out") == 0
    (row,) = summary(tmp_path / "out")
    assert row["radius_p50"] == row["share_in_focus"] == "" and row["mean_confidence"] == "0.0"


def test_overlay(tmp_path, photo):
    assert run("estimate", photo, "--output", tmp_path / "out", "--overlay") == 0
    overlay = images.read_image(tmp_path / "out" / "photo_overlay.png")
    assert (overlay == (255, 70, 85)).all(-1).sum() > 3


def test_folders_and_photos_are_done_once_each_and_never_overwrite_each_other(tmp_path, rng):
    for name in ("a/x.jpg", "b/x.png", "b/y.tif"):
        make_photo(tmp_path / name, rng)
    (tmp_path / "b" / "notes.txt").write_text("no photo")
    out = tmp_path / "out"
    assert (
        run("estimate", tmp_path / "a" / "x.jpg", tmp_path / "b", tmp_path / "b" / "x.png", "--output", out)
        == 0
    )
    assert [row["name"] for row in summary(out)] == ["x", "x_2", "y"]
    assert [Path(row["photo"]).name for row in summary(out)] == ["x.jpg", "x.png", "y.tif"]
    assert {path.stem for path in out.glob("*.npz")} == {"x", "x_2", "y"}


def test_bad_photos_get_one_line_each_and_the_others_are_done(tmp_path, photo, rng, capfd):
    jpeg = make_photo(tmp_path / "whole.jpg", rng).read_bytes()
    png = photo.read_bytes()
    bad = {
        "cut.jpg": (jpeg[: len(jpeg) * 9 // 10], "cut off"),
        "cut.png": (png[: len(png) // 2], "damaged"),
        "text.jpg": (b"I am text\n" * 100, "not an image"),
        "empty.png": (b"", "empty (0 bytes)"),
        "nan.tiff": (cv2.imencode(".tiff", np.full(SIZE, np.nan, np.float32))[1].tobytes(), "NaN"),
    }
    for name, (data, _) in bad.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "no_photos").mkdir()
    expected = {name: message for name, (_, message) in bad.items()}
    expected |= {"missing.jpg": "no such file", "no_photos": "no photo"}
    out = tmp_path / "out"
    assert run("estimate", *(tmp_path / name for name in expected), photo, "--output", out) == 2
    printed = capfd.readouterr()
    lines = printed.err.splitlines()
    assert len(lines) == len(expected)
    for name, message in expected.items():
        (line,) = (line for line in lines if line.startswith(f"jaxblur: {tmp_path / name}: "))
        assert message in line
    assert "1 of 8 done" in printed.out
    assert {path.stem for path in out.glob("*.npz")} == {"photo"}
    errors = {Path(row["photo"]).name: row["error"] for row in summary(out)}
    assert errors.pop("photo.png") == "" and errors.keys() == expected.keys()
    assert all(message in errors[name] for name, message in expected.items())


def test_nothing_but_missing_photos_makes_no_folder(tmp_path, capfd):
    assert run("estimate", tmp_path / "a.jpg", tmp_path / "b", "--output", tmp_path / "out") == 2
    assert len(capfd.readouterr().err.splitlines()) == 2
    assert not (tmp_path / "out").exists()


def test_errors_of_the_estimator_are_reported_too(tmp_path, photo, monkeypatch, capfd):
    def failing(image, weights, **options):
        raise RuntimeError("RESOURCE_EXHAUSTED: out of memory\n  details\n  more")

    monkeypatch.setattr(jaxblur, "estimate", failing)
    assert run("estimate", photo, "--output", tmp_path / "out") == 2
    assert capfd.readouterr().err == f"jaxblur: {photo}: RESOURCE_EXHAUSTED: out of memory\n"
    assert names(tmp_path / "out") == {"summary.csv"}


def test_edge_map(tmp_path, photo, rng, capfd):
    edges = rng.random(SIZE) < 0.1
    cv2.imwrite(str(tmp_path / "edges.png"), edges * np.uint8(255))
    out = tmp_path / "out"
    assert run("estimate", photo, "--output", out, "--edges", tmp_path / "edges.png") == 0
    with np.load(out / "photo.npz") as arrays:
        assert arrays["edges"][edges].all()
    other = make_photo(tmp_path / "other.png", rng, (30, 48))
    assert run("estimate", other, "--output", out, "--edges", tmp_path / "edges.png") == 2
    assert run("estimate", photo, "--output", out, "--edges", tmp_path / "missing.png") == 2
    assert run("estimate", photo, other, "--output", out, "--edges", tmp_path / "edges.png") == 2
    size, missing, several = capfd.readouterr().err.splitlines()
    assert size.endswith("edges.png: the edge map is 48x40 px, but the photo is 48x30 px")
    assert missing.endswith("missing.png: No such file or directory")
    assert "an edge map belongs to one photo, but 2 were given" in several


def test_output_that_cannot_be_written(tmp_path, photo, monkeypatch, capfd):
    (tmp_path / "file").write_text("in the way")
    assert run("estimate", photo, "--output", tmp_path / "file") == 2
    assert run("estimate", photo, "--output", tmp_path / "file" / "out") == 2
    (tmp_path / "folder").mkdir()
    with monkeypatch.context() as patch:  # the tests may run as root, who can write anywhere

        def refuse(**options):
            raise PermissionError(13, "Permission denied", str(options["dir"]))

        patch.setattr(cli.tempfile, "TemporaryFile", refuse)
        assert run("estimate", photo, "--output", tmp_path / "folder") == 2
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 3 and all("cannot write there" in line for line in lines)
    assert "Permission denied" in lines[2]
    assert names(tmp_path / "folder") == set()


def test_output_must_not_be_an_input(tmp_path, photo, capfd):
    assert run("estimate", tmp_path, "--output", tmp_path) == 2
    assert capfd.readouterr().err.count("\n") == 1
    assert names(tmp_path) == {"photo.png"}


def test_disk_full_while_writing_is_reported_and_leaves_no_torn_file(tmp_path, photo, monkeypatch, capfd):
    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert run("estimate", photo, "--output", tmp_path / "out") == 2
    assert capfd.readouterr().err == f"jaxblur: {photo}: [Errno 28] No space left on device\n"
    assert names(tmp_path / "out") == {"summary.csv"}


def test_interrupt_keeps_what_is_done(tmp_path, photo, rng, monkeypatch, capfd):
    other = make_photo(tmp_path / "tall.png", rng, (48, 40))

    def interrupted(image, weights, **options):
        if image.shape[0] == 48:
            raise KeyboardInterrupt
        return fake_estimate(image, weights, **options)

    monkeypatch.setattr(jaxblur, "estimate", interrupted)
    assert run("estimate", photo, other, "--output", tmp_path / "out") == 130
    assert [row["name"] for row in summary(tmp_path / "out")] == ["photo"]
    assert "photo.npz" in names(tmp_path / "out")
    assert capfd.readouterr().err == "jaxblur: interrupted\n"


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


def test_progress_bar_on_a_terminal_only(tmp_path, photo, capfd, monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # rich: treat the stream as a terminal
    assert run("estimate", photo, "--output", tmp_path / "out") == 0
    assert "100%" in capfd.readouterr().err


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
def test_bad_exports_are_one_line(tmp_path, monkeypatch, capsys, arguments, reason):
    monkeypatch.chdir(tmp_path)
    assert run("export", *arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and reason in error
    assert names(tmp_path) == set()
