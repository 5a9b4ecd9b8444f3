"""Curves that can be continued, running totals, and what is shown."""

import errno
import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from jaxblur.runtime import parallel
from train.writers import Curve, Totals, Writers, read_curve

ROOT = Path(__file__).resolve().parents[2]


def test_curve_is_continued_without_what_came_after_the_step(tmp_path):
    path = tmp_path / "curve.jsonl"
    curve = Curve(path, step=0)
    for step in (1, 2, 2, 3, 4):
        curve.write({"step": step, "loss": step / 2})
    curve.close()
    with path.open("a") as file:
        file.write('{"step": 5, "lo')  # killed while writing
    assert [line["step"] for line in read_curve(path)] == [1, 2, 2, 3, 4]

    curve = Curve(path, step=2)
    curve.write({"step": 3, "loss": float("nan")})
    curve.close()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "loss": 1.0},
        {"step": 2, "loss": 1.0},
        {"step": 3, "loss": None},
    ]
    assert [entry.name for entry in tmp_path.iterdir()] == ["curve.jsonl"]


def test_a_line_is_on_disk_at_once(tmp_path):
    curve = Curve(tmp_path / "curve.jsonl", step=0)
    curve.write({"step": 1})
    assert read_curve(tmp_path / "curve.jsonl") == [{"step": 1}]
    curve.close()


def metrics(total, count):
    return parallel.replicate({"loss": (np.float32(total), np.int32(count))})


def test_totals_weight_by_count_and_start_anew_after_each_window():
    totals = Totals()
    totals.add(1, metrics(6.0, 3))
    totals.add(2, metrics(1.0, 1))
    assert totals.fetch() is None
    totals.seconds = 2.0
    assert totals.close_window() == ({"loss": 7 / 4}, 2.0)
    totals.add(3, metrics(5.0, 2))
    assert totals.fetch() is None
    totals.seconds = 3.0
    assert (totals.samples, totals.close_window()) == (6, ({"loss": 2.5}, 2.0))


def test_totals_go_on_from_their_json():
    totals = Totals()
    totals.add(1, metrics(6.0, 3))
    totals.fetch()
    again = Totals(**json.loads(json.dumps(totals.progress())))
    for each in (totals, again):
        each.add(2, metrics(2.0, 1))
        each.fetch()
        each.seconds = 1.0
    assert again.samples == totals.samples == 4
    assert again.close_window() == totals.close_window() == ({"loss": 2.0}, 4.0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_totals_name_the_first_bad_metric(value):
    totals = Totals()
    totals.add(7, metrics(1.0, 1))
    totals.add(8, metrics(value, 1))
    assert totals.fetch() == f"loss is {value} at step 8"


def test_totals_stay_close_behind_the_device():
    waited = []

    class Fake:
        def __init__(self, step):
            self.step = step

        def block_until_ready(self):
            waited.append(self.step)

    totals = Totals()
    for step in range(5):
        totals.add(step, {"loss": Fake(step)})
    assert waited == [0, 1, 2]


def write_run(folder, console):
    totals = Totals(samples=100, seconds=20.0)
    with Writers(folder, name="b-net", step=0, num_steps=10, console=console) as writers:
        means = {"loss": 1.5, "accuracy": 0.25, "within_one": 0.5}
        writers.train(5, means, totals=totals, rate=1234.4, left=3700.0)
        writers.validation(5, {"mae": 0.321}, totals=totals)
        writers.train(10, means, totals=totals, rate=1234.4, left=0.0)


def test_log_lines_curve_and_tensorboard_without_a_terminal(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="train.writers"):
        write_run(tmp_path, Console(file=io.StringIO()))
    assert [record.getMessage() for record in caplog.records] == [
        "b-net 5/10: loss 1.5 accuracy 0.25 within one 0.5, 1234 samples/s, 1:01 h left",
        "b-net 5/10: validation mae 0.321",
        "b-net 10/10: loss 1.5 accuracy 0.25 within one 0.5, 1234 samples/s, 0:00 min left",
    ]
    lines = read_curve(tmp_path / "curve.jsonl")
    assert lines[1] == {"kind": "validation", "step": 5, "samples": 100, "seconds": 20.0, "mae": 0.321}
    assert lines[2]["kind"] == "train" and lines[2]["samples_per_second"] == 1234.4
    (events,) = (tmp_path / "tensorboard").iterdir()
    content = events.read_bytes()
    assert b"train/within_one" in content and b"validation/mae" in content


def test_bar_on_a_terminal(tmp_path, caplog):
    screen = io.StringIO()
    with caplog.at_level(logging.INFO, logger="train.writers"):
        write_run(tmp_path, Console(file=screen, force_terminal=True, width=200))
    last = [line for line in screen.getvalue().splitlines() if "b-net" in line][-1]
    for part in ("b-net", "10/10", "loss 1.5", "within one 0.5", "1234 samples/s", "validation mae 0.321"):
        assert part in last
    assert len(caplog.records) == 1  # the validation only


FULL = """
import logging, pathlib, resource, sys
from train.writers import Totals, Writers
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
try:
    with Writers(pathlib.Path(sys.argv[1]), name="b-net", step=0, num_steps=100) as writers:
        for step in range(1, 101):
            writers.train(step, {"loss": 1.5}, totals=Totals(), rate=1.0, left=1.0)
except OSError as error:
    print(error)
"""


def test_a_full_disk_is_one_error_that_names_the_folder(tmp_path):
    """Writes beyond a limit fail as on a full disk; nothing complains once more at the end of the process."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout == f"[Errno {errno.EFBIG}] {os.strerror(errno.EFBIG)}: {str(tmp_path)!r}\n"
    steps = [line["step"] for line in read_curve(tmp_path / "curve.jsonl")]
    assert steps and steps == list(range(1, len(steps) + 1)) and len(steps) < 100


def test_dtype_of_metrics_does_not_matter():
    totals = Totals()
    totals.add(1, parallel.replicate({"loss": (jnp.ones((), jnp.bfloat16), jnp.ones(()))}))
    assert totals.fetch() is None and totals.samples == 1
