"""`jaxblur estimate` on inputs that would give a wrong answer without a word: it refuses, warns or is right."""

import io
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import jaxblur
from jaxblur.files import output
from tests.fuzz import seeds
from tests.jaxblur.cli_helpers import fake_estimate, make_photo, names, run, summary, use_fakes


@pytest.fixture(autouse=True)
def fakes(monkeypatch):
    use_fakes(monkeypatch)


@pytest.fixture
def seen(monkeypatch) -> list[np.ndarray]:
    """The pictures that the estimator is given."""
    pictures = []

    def recording(image, weights, **options):
        pictures.append(image)
        return fake_estimate(image, weights, **options)

    monkeypatch.setattr(jaxblur, "estimate", recording)
    return pictures


@pytest.fixture
def narrow(tmp_path, rng) -> Path:
    """A 16-bit picture whose values fill a small part of the range."""
    path = tmp_path / "cells.tif"
    output.write_image(path, rng.integers(110, 995, (40, 48)).astype(np.uint16))
    return path


def test_a_folder_names_what_it_does_not_read(tmp_path, capfd):
    folder = tmp_path / "photos"
    folder.mkdir()
    refused = {name: data for name, data in seeds.refused().items() if not name.endswith(".tif")}
    for name, data in (refused | {"photo.png": seeds.readable()["rgb8.png"]}).items():
        (folder / name).write_bytes(data)
    assert run("estimate", folder, "--output", tmp_path / "out") == 2
    printed = capfd.readouterr()
    assert printed.out.startswith(f"1 of {len(refused) + 1} done")
    errors = {Path(row["photo"]).name: row["error"] for row in summary(tmp_path / "out")}
    assert errors.pop("photo.png") == "" and errors.keys() == refused.keys()
    assert all("is not read: " in error or "thumbnail" in error for error in errors.values())
    assert len(printed.err.splitlines()) == len(refused)


def test_a_picture_that_fills_little_of_its_range_is_named(tmp_path, narrow, seen, capfd):
    out = tmp_path / "out"
    assert run("estimate", narrow, "--output", out) == 0
    (row,) = summary(out)
    assert row["error"] == "" and "fill little of 0 to 65535" in row["warning"]
    assert capfd.readouterr().err == f"jaxblur: {narrow}: {row['warning']}\n"
    assert run("estimate", narrow, "--output", out, "--levels", "auto") == 0
    assert run("estimate", narrow, "--output", out, "--levels", "110", "994") == 0
    (row,) = summary(out)
    assert row["warning"] == "" and capfd.readouterr().err == ""
    plain, auto, given = (int(picture.max()) - int(picture.min()) for picture in seen)
    assert plain < 885 and auto == given == 65535


@pytest.mark.parametrize("wrong", [("9", "3"), ("nan", "3"), ("3", "inf")])
def test_levels_that_are_none(tmp_path, narrow, wrong, capfd):
    assert run("estimate", narrow, "--output", tmp_path / "out", "--levels", *wrong) == 2
    assert capfd.readouterr().err.startswith("jaxblur: levels must be a black below a white")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wrong", [("3",), ("much", "more")])
def test_levels_that_are_no_numbers(tmp_path, narrow, wrong, capsys):
    with pytest.raises(SystemExit) as exit:
        run("estimate", narrow, "--output", tmp_path / "out", "--levels", *wrong)
    assert (
        exit.value.code == 2 and "it needs two numbers, black and white, or auto" in capsys.readouterr().err
    )


def test_a_photo_with_next_to_no_evidence_is_named(tmp_path, rng, monkeypatch, capfd):
    def unsure(*args, **kwargs):
        result = fake_estimate(*args, **kwargs)
        result.confidence[:] = 0.3
        return result

    monkeypatch.setattr(jaxblur, "estimate", unsure)
    photo = make_photo(tmp_path / "sky.png", rng)
    assert run("estimate", photo, "--output", tmp_path / "out") == 0
    (row,) = summary(tmp_path / "out")
    assert "next to no evidence" in row["warning"] and row["fraction_sure"] == "0.0"
    assert capfd.readouterr().err == f"jaxblur: {photo}: {row['warning']}\n"


def test_max_pixels(tmp_path, rng, capfd):
    photo = make_photo(tmp_path / "photo.png", rng)
    assert run("estimate", photo, "--output", tmp_path / "out", "--max-pixels", "1919") == 2
    assert "photo.png: this PNG declares 48x40 px, more than" in capfd.readouterr().err
    assert run("estimate", photo, "--output", tmp_path / "out", "--max-pixels", "1920") == 0


def test_names_of_results_do_not_depend_on_what_else_is_in_the_call(tmp_path, rng):
    photos = [make_photo(tmp_path / name, rng) for name in ("photo.jpg", "photo.png", "photo_2.webp")]
    together, alone = tmp_path / "together", tmp_path / "alone"
    assert run("estimate", *photos, "--output", together) == 0
    for photo in reversed(photos):
        assert run("estimate", photo, "--output", alone) == 0
    assert names(together) == names(alone)
    wanted = ["photo", "photo.png", "photo_2.webp"]
    assert [row["name"] for row in summary(together)] == wanted
    for name in wanted:
        with np.load(together / f"{name}.npz") as one, np.load(alone / f"{name}.npz") as other:
            np.testing.assert_array_equal(one["radius"], other["radius"])


def test_results_of_another_photo_are_not_written_over(tmp_path, rng, capfd):
    first, second = (
        make_photo(tmp_path / "a" / "x.png", rng),
        make_photo(tmp_path / "b" / "x.png", rng, (30, 30)),
    )
    other, out = make_photo(tmp_path / "b" / "y.png", rng), tmp_path / "out"
    assert run("estimate", first, "--output", out) == 0
    assert run("estimate", tmp_path / "b", "--output", out) == 2
    error = f"{second}: {out / 'x.png.npz'} holds the results of {first}; name another --output"
    assert capfd.readouterr().err == f"jaxblur: {error}\n"
    rows = {row["photo"]: row for row in summary(out)}
    assert rows[str(first)]["name"] == "x.png" and rows[str(other)]["name"] == "y.png"
    assert rows[str(second)]["error"] == error and rows[str(second)]["name"] == ""
    with np.load(out / "x.png.npz") as arrays:
        assert arrays["radius"].shape == (40, 48)
    assert run("estimate", first, second, "--output", tmp_path / "both") == 2
    assert run("estimate", second, "--output", tmp_path / "new") == 0


def test_the_table_of_an_earlier_run_is_kept(tmp_path, rng):
    first, second = (make_photo(tmp_path / f"{name}.png", rng) for name in "ab")
    run("estimate", first, "--output", tmp_path / "out")
    run("estimate", second, tmp_path / "missing.png", "--output", tmp_path / "out")
    run("estimate", first, "--output", tmp_path / "out")
    assert [Path(row["photo"]).name for row in summary(tmp_path / "out")] == ["a.png", "missing.png", "b.png"]


def test_a_table_of_something_else_is_not_written_over(tmp_path, rng, capfd):
    photo, out = make_photo(tmp_path / "photo.png", rng), tmp_path / "out"
    out.mkdir()
    (out / "summary.csv").write_text("month,sum\n1,2\n")
    assert run("estimate", photo, "--output", out) == 2
    assert "this table has other columns" in capfd.readouterr().err
    assert names(out) == {"summary.csv"} and (out / "summary.csv").read_text() == "month,sum\n1,2\n"


@pytest.mark.skipif(sys.platform != "linux", reason="names that other systems do not allow")
def test_names_that_cannot_be_printed_are_escaped(tmp_path, rng, capfd):
    whole = make_photo(tmp_path / "photo.png", rng).read_bytes()
    folder = tmp_path / os.fsdecode(b"not \xff UTF-8")
    folder.mkdir()
    for name in ("new\nline.png", "\x1b[31mred.png", os.fsdecode(b"\xfe.png"), "schön 写.png"):
        (folder / name).write_bytes(whole)
        (folder / f"bad {name}").write_bytes(b"text")
    assert run("estimate", folder, "--output", folder / "out") == 2
    printed = capfd.readouterr()
    assert printed.out.endswith("not \\udcff UTF-8/out\n") and "4 of 8 done" in printed.out
    assert len(printed.err.splitlines()) == 4 and "\x1b" not in printed.err
    assert "bad new\\nline.png: not a picture" in printed.err
    assert len(list((folder / "out").glob("*_preview.png"))) == 4


def test_a_console_that_lacks_letters(tmp_path, rng, monkeypatch):
    photo = make_photo(tmp_path / "photo.png", rng)
    console = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", console)
    assert run("estimate", photo, "--output", tmp_path / "写") == 0
    console.flush()
    assert console.buffer.getvalue().endswith(b"\\u5199\n")  # pyright: ignore[reportAttributeAccessIssue]


def test_a_photo_that_vanishes_is_one_line(tmp_path, rng, monkeypatch, capfd):
    photos = [make_photo(tmp_path / "photos" / f"{name}.png", rng) for name in "abc"]

    def vanishing(image, weights, **options):
        photos[1].unlink(missing_ok=True)
        return fake_estimate(image, weights, **options)

    monkeypatch.setattr(jaxblur, "estimate", vanishing)
    assert run("estimate", tmp_path / "photos", "--output", tmp_path / "out") == 2
    assert capfd.readouterr().err == f"jaxblur: {photos[1]}: No such file or directory\n"
    assert [bool(row["error"]) for row in summary(tmp_path / "out")] == [False, True, False]


def test_palette_pictures_are_read_in_colour(tmp_path, seen):
    path = tmp_path / "palette.png"
    path.write_bytes(seeds.readable()["palette.png"])
    assert run("estimate", path, "--output", tmp_path / "out") == 0
    expected = cv2.imread(str(path))[..., ::-1]
    np.testing.assert_array_equal(seen[0], expected)
