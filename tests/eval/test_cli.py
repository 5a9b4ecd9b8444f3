"""The command line `python -m eval`: what it says and how it exits."""

import numpy as np

from eval import __main__
from tests.eval import eval_dummies


def test_command_line_says_what_is_missing_and_exits_with_2(tmp_path, capsys):
    assert __main__.main(["cuhk", "--data", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert "cuhk: no test pairs in" in message and "http://www.cse.cuhk.edu.hk" in message
    assert message.count("\n") == 1 and not (tmp_path / "out").exists()
    assert __main__.main(["cuhk", "--output", str(tmp_path / "out")]) == 2
    assert "say where its files lie" in capsys.readouterr().err


def test_command_line_lists_failures_and_exits_with_1(tmp_path, rng, capsys):
    folder = eval_dummies.folder(tmp_path / "data", rng)
    np.save(folder / "map" / "a.npy", np.ones((3, 3), np.float32))
    out = tmp_path / "out"
    args = ["--unit", "radius", "--methods", "constant", "--output", str(out)]
    status = __main__.main([f"folder={folder}", *args, "--prepared", str(tmp_path / "prepared")])
    captured = capsys.readouterr()
    assert (
        status == 1
        and "not scored: constant 1 px on folder: a.npy: is 3x3 px, but its photo is 24x20 px" in captured.err
    )
    assert "| folder (radius) | constant 1 px | 1 (1 failed) |" in eval_dummies.squeezed(captured.out)
    (out / "report.html").unlink()
    assert __main__.main(["--output", str(out)]) == 1  # only the report, from the results
    assert (out / "report.html").exists()
