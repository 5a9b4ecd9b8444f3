"""What `jaxblur estimate` says and leaves behind where something goes wrong."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import jaxblur
from jaxblur.cli import photos
from tests.jaxblur.cli_helpers import SIZE, fake_estimate, make_photo, names, run, summary, use_fakes


@pytest.fixture(autouse=True)
def fakes(monkeypatch):
    use_fakes(monkeypatch)


@pytest.fixture
def photo(tmp_path, rng) -> Path:
    return make_photo(tmp_path / "photo.png", rng)


def test_bad_photos_get_one_line_each_and_the_others_are_done(tmp_path, photo, rng, capfd):
    jpeg = make_photo(tmp_path / "whole.jpg", rng).read_bytes()
    png = photo.read_bytes()
    bad = {
        "cut.jpg": (jpeg[: len(jpeg) * 9 // 10], "cut off"),
        "cut.png": (png[: len(png) // 2], "damaged"),
        "text.jpg": (b"I am text\n" * 100, "not a picture"),
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
    assert {path.stem for path in out.glob("*.npz")} == {"photo.png"}
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


def test_output_that_cannot_be_written(tmp_path, photo, monkeypatch, capfd):
    (tmp_path / "file").write_text("in the way")
    assert run("estimate", photo, "--output", tmp_path / "file") == 2
    assert run("estimate", photo, "--output", tmp_path / "file" / "out") == 2
    (tmp_path / "folder").mkdir()
    with monkeypatch.context() as patch:  # the tests may run as root, who can write anywhere

        def refuse(**options):
            raise PermissionError(13, "Permission denied", str(options["dir"]))

        patch.setattr(photos.tempfile, "TemporaryFile", refuse)
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
    assert capfd.readouterr().err == f"jaxblur: {photo}: {tmp_path / 'out'}: No space left on device\n"
    assert names(tmp_path / "out") == {"summary.csv"}


def test_interrupt_keeps_what_is_done(tmp_path, photo, rng, monkeypatch, capfd):
    other = make_photo(tmp_path / "tall.png", rng, (48, 40))

    def interrupted(image, weights, **options):
        if image.shape[0] == 48:
            raise KeyboardInterrupt
        return fake_estimate(image, weights, **options)

    monkeypatch.setattr(jaxblur, "estimate", interrupted)
    assert run("estimate", photo, other, "--output", tmp_path / "out") == 130
    assert [row["name"] for row in summary(tmp_path / "out")] == ["photo.png"]
    assert "photo.png.npz" in names(tmp_path / "out")
    assert capfd.readouterr().err == "jaxblur: interrupted\n"
