import json
import math
import os
import sys
from types import SimpleNamespace

import pytest

from benchmarks import measure


def test_a_value_comes_back_from_another_process():
    assert measure.run_alone(math.hypot, 3.0, 4.0, name="this") == 5.0
    assert measure.run_alone(os.getpid, name="this") != os.getpid()


@pytest.mark.parametrize(
    "function, argument, reason",
    [(math.sqrt, -1.0, "ValueError.*domain error"), (sys.exit, "no photo", "SystemExit.*no photo")],
)
def test_an_error_in_the_process_says_what_failed_and_why(function, argument, reason):
    with pytest.raises(RuntimeError, match=f"^50 megapixels failed: {reason}") as error:
        measure.run_alone(function, argument, name="50 megapixels")
    assert "\n" not in str(error.value)


def test_a_process_that_dies_is_an_error_too():
    with pytest.raises(RuntimeError, match="^50 megapixels failed: BrokenProcessPool.*terminated abruptly"):
        measure.run_alone(os._exit, 0, name="50 megapixels")


def test_calls_take_turns_after_one_run_of_each():
    order = []
    times = measure.time_in_turn({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3)
    assert order == ["a", "b"] * 4
    assert {name: len(seconds) for name, seconds in times.items()} == {"a": 3, "b": 3}
    assert min(min(seconds) for seconds in times.values()) >= 0


def test_least_times(monkeypatch):
    clock = iter([0.0, 5.0, 10.0, 11.0, 20.0, 23.0, 30.0, 34.0])  # start and end of a, b, a, b
    monkeypatch.setattr(measure, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    order = []
    calls = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    assert measure.take_turns(calls, 2) == {"a": 3.0, "b": 1.0}
    assert order == ["a", "b"] * 3


def test_summary():
    assert measure.summary([4.0, 1.0, 2.0]) == {"median": 2.0, "least": 1.0, "most": 4.0, "runs": 3}
    assert measure.summary([3.0, 1.0])["median"] == 2.0


def test_figures_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "figures.json"
    figures = {"rows": [{"seconds": 0.5, "device": "CPU"}], "commit": None}
    measure.write(path, figures)
    assert json.loads(path.read_text()) == figures
    with pytest.raises(TypeError):
        measure.write(path, {"rows": object()})
    assert json.loads(path.read_text()) == figures and list(tmp_path.iterdir()) == [path]
    measure.write(None, figures)


def test_command_names_no_folders(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    words = ["/a/b/benchmarks/bench_edges.py", "--photos", "/home/me/my photo.png", "examples/vase.jpg"]
    shown = "python -m benchmarks.bench_edges --photos 'my photo.png' examples/vase.jpg"
    assert measure.command([*words, "--json", "/a/x.json"]) == shown
    assert measure.command([*words, "--json=x.json"]) == shown
    assert measure.command(words[:1]) == "python -m benchmarks.bench_edges"
    monkeypatch.setenv("XLA_FLAGS", "--a=1 b=2")
    assert measure.command(words[:1]) == "XLA_FLAGS='--a=1 b=2' python -m benchmarks.bench_edges"
