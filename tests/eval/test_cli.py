"""The command line `python -m eval`: what it says, on any console, and how it exits."""

import io
import runpy
import sys

import numpy as np
import pytest

from eval import cli, schema


def test_command_line_says_what_is_missing_and_exits_with_2(tmp_path, capsys):
    assert cli.main(["cuhk", "--data", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert "cuhk: no test pairs in" in message and "http://www.cse.cuhk.edu.hk" in message
    assert message.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("cuhk", "cuhk: say where its files lie"),
        ("scenes=.", "the data set scenes is called pixel4 now"),
        ("nyu=.", "data set must be one of rtf"),
        ("rtf/=.", "data set must be NAME, NAME/REDUCE"),
        ("rtf/0=.", "reduce must be at least 1, got 0"),
        ("rtf=. --unit radius", "--unit is only for folder and syndof"),
        ("stack=.", "stack: fewer than 4 frames in"),
        ("composed=DATA --count 1 --methods jaxblur=:best", "preset must be one of default"),
        ("composed=DATA --count 1 --methods constant=nan", "constant must have a radius in px"),
        ("composed=DATA --count 1 --methods constant constant=1", "methods must have different names"),
        ("composed=DATA --count 1 --methods constant --batch 0", "batch must be at least 1, got 0"),
        ("composed=DATA --count 1 --methods constant --output DATA/sub/a.jpg", "File exists"),
        (
            "--coordinator host:1",
            "--coordinator, --num-processes and --process-id are only for --distributed",
        ),
        ("--published nowhere.csv", "nowhere.csv"),
        ("", "holds no results"),
    ],
)
def test_a_command_that_makes_no_sense_is_told_in_one_line(
    words, told, tmp_path, make_dummy, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    make_dummy("composed", "DATA")
    assert cli.main(words.split()) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("eval: ") and told in captured.err and captured.err.count("\n") == 1
    assert captured.out == ""


def test_command_line_lists_failures_and_exits_with_1(tmp_path, capsys, squeezed, make_dummy):
    folder = make_dummy("folder")
    np.save(folder / "map" / "a.npy", np.ones((3, 3), np.float32))
    out = tmp_path / "out"
    args = ["--unit", "radius", "--methods", "constant", "--output", str(out)]
    status = cli.main([f"folder={folder}", *args, "--prepared", str(tmp_path / "prepared")])
    captured = capsys.readouterr()
    assert status == 1
    assert "not scored: constant 1 px on folder: a.npy: is 3x3 px, but its photo is 24x20 px" in captured.err
    assert "| folder (radius) | constant 1 px | 1 (1 failed) |" in squeezed(captured.out)
    (out / "report.html").unlink()
    assert cli.main(["--output", str(out)]) == 1  # only the report, from the results
    assert (out / "report.html").exists()


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "eval.cli")
    monkeypatch.delitem(sys.modules, "eval.__main__", raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)  # as if it were not installed
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("eval", run_name="__main__")
    assert caught.value.code == 'eval: needs the package tensorflow_datasets: pip install "jaxblur[eval]"'


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_a_console_that_does_not_know_a_letter_still_shows_the_table(encoding, tmp_path, monkeypatch):
    run = schema.Run(
        id="r", dataset="d", dataset_version="1", unit="radius", about={}, count=1, method="\u2212\u03c1 \u5199",
        method_unit="radius", settings={}, weights="", commit="c", versions={}, command="",
    )  # fmt: skip
    metrics = {"radius_mae": 0.5, "radius_spearman": 0.25, "mae_without_floor": 1, "stack_spearman": 1}
    image = schema.Image(
        run="r",
        name="a",
        height=4,
        width=4,
        device="cpu x 1",
        seconds=1,
        warm=True,
        metrics=metrics,
        curves={},
    )
    failure = schema.Failure(run="r", name="b", problem="\u5199.png: \u2212")
    schema.append(tmp_path / "results.jsonl", [run, image, failure])
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    assert cli.main(["--output", str(tmp_path)]) == 1
    for stream in (out, err):
        stream.flush()
    shown, failures = (stream.buffer.getvalue().decode(encoding) for stream in (out, err))
    assert "| 0.500 |" in shown.replace("  ", "") and "not scored" in failures
    titles = shown.splitlines()[0]
    assert titles.isascii() and "Spearman" in titles
    assert "\u5199" in (tmp_path / "table.md").read_text(encoding="utf-8")
