"""A run that was interrupted at any moment and started again gives what an uninterrupted one gives."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import filelock
import numpy as np
import pytest

from eval import cli, runner, schema

ROOT = Path(__file__).resolve().parents[2]


class Killed(BaseException):
    """The process ends here."""


def _outcome(output):
    """All that a run leaves apart from times and hidden files: records and pictures."""
    records = schema.read(output)
    images = {
        (r.run, r.name): repr((r.metrics, r.curves)) for r in schema.of_kind(records, schema.Image)
    }  # NaN is not equal to itself
    found = sorted(p for p in output.rglob("*") if p.is_file() and p.name[0] != ".")
    pictures = {}
    for path in (p for p in found if p.suffix == ".npz"):
        with np.load(path) as arrays:
            pictures[path.relative_to(output)] = {name: arrays[name].tobytes() for name in arrays}
    return images, pictures, [path.relative_to(output) for path in found]


def test_resuming_repeats_nothing_and_changes_nothing(tmp_path, evaluate, constant):
    whole = evaluate(tmp_path / "whole")
    calls = []

    def interrupted(names, images):
        calls.extend(names)
        if len(calls) > 4:
            raise KeyboardInterrupt
        return constant().predict(names, images)

    method = dataclasses.replace(constant(), predict=interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluate(tmp_path / "parts", methods=[method], batch=2)
    assert calls == ["0", "1", "2", "3", "4"]
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]
    calls.clear()
    method = dataclasses.replace(
        constant(), predict=lambda n, i: (calls.extend(n), constant().predict(n, i))[1]
    )
    resumed = evaluate(tmp_path / "parts", methods=[method], batch=2)
    assert calls == ["4"]
    assert [r.metrics for r in resumed[0].images] == [r.metrics for r in whole[0].images]
    assert resumed[0].means["radius_mae"] == whole[0].means["radius_mae"]


@pytest.mark.slow
def test_a_crash_at_any_write_changes_nothing(tmp_path, evaluate, constant, monkeypatch):
    """Before or after every write that reaches the disk, and with the last line only half there."""
    monkeypatch.setattr(runner, "commit", lambda: "c")  # asks git, which takes a while
    options = {"methods": [constant(1), constant(3)], "batch": 2, "pictures": 2}
    evaluate(tmp_path / "whole", **options)
    whole = _outcome(tmp_path / "whole")
    real, left = {name: getattr(os, name) for name in ("fsync", "replace")}, [0]

    def dying(name):
        def write(*arguments):
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            real[name](*arguments)
            left[0] -= 1
            if left[0] == 0:
                raise Killed

        return write

    number = 0
    while True:
        number += 1
        left[0], output = number, tmp_path / str(number)
        with monkeypatch.context() as patched:
            for name in real:
                patched.setattr(os, name, dying(name))
            try:
                evaluate(output, **options)
                break
            except Killed:
                pass
        results = output / "results.jsonl"
        os.truncate(results, max(0, results.stat().st_size - 7 * (number % 3)))
        evaluate(output, **options)
        assert _outcome(output) == whole
    assert number > 20  # a run writes at least ten times


@pytest.fixture
def many(tmp_path):
    """A folder of 30 photos and maps, and the arguments that evaluate it."""
    rng = np.random.default_rng(5)
    for number in range(30):
        for kind in ("image", "map"):
            (tmp_path / "data" / kind).mkdir(parents=True, exist_ok=True)
        name = f"{number:02d}"
        photo = rng.integers(0, 256, (20, 24, 3)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "data" / "image" / f"{name}.png"), photo)
        np.save(tmp_path / "data" / "map" / f"{name}.npy", rng.uniform(0.5, 6, (20, 24)).astype(np.float32))
    words = [f"folder={tmp_path / 'data'}", "--unit", "radius", "--methods", "constant", "laplacian"]
    prepared = ["--batch", "1", "--pictures", "3", "--prepared", str(tmp_path / "prepared")]
    return lambda output: [*words, *prepared, "--output", str(output)]


def test_killed_and_terminated_at_random_moments(tmp_path, many):
    assert cli.main(many(tmp_path / "whole")) == 0
    output, rng = tmp_path / "parts", np.random.default_rng()
    results = output / "results.jsonl"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    for number, sent in enumerate((signal.SIGTERM, signal.SIGKILL), 1):
        command = [sys.executable, "-m", "eval", *many(output)]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        lines = 15 * (number - 1) + int(rng.integers(1, 15))  # of 62
        while process.poll() is None and not (
            results.exists() and results.read_bytes().count(b"\n") >= lines
        ):
            time.sleep(0.001)
        process.send_signal(sent)
        _, told = process.communicate(timeout=300)
        assert process.returncode == (143 if sent == signal.SIGTERM else -sent), told
        assert sent == signal.SIGKILL or told == "eval: stopped by SIGTERM; run it again to continue\n"
    assert cli.main(many(output)) == 0
    assert _outcome(output) == _outcome(tmp_path / "whole")


def test_two_runs_into_one_folder_at_once_are_refused(tmp_path, evaluate):
    with filelock.FileLock(tmp_path / ".results.jsonl.lock"):
        with pytest.raises(ValueError, match="results.jsonl: another run is writing to it"):
            evaluate(tmp_path)
    evaluate(tmp_path)
