"""`python -m train`, ended at any moment of any stage and started again, gives what an uninterrupted run gives."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from train.config import STAGES
from train.writers import read_curve

ROOT = Path(__file__).resolve().parents[2]
STEPS = {"blur": 6, "edges": 4, "multiscale": 3, "joint": 2}  # of the preset smoke
TIMES = ("seconds", "samples_per_second")


def start(photos: Path, output: Path) -> subprocess.Popen[str]:
    """All stages, with a checkpoint after every step."""
    options = ["--preset", "smoke", "--stages", ",".join(STAGES), "--validate-every", "1"]
    command = [sys.executable, "-m", "train", *options, "--photos", str(photos), "--output", str(output)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}  # and the kept programs of all tests
    return subprocess.Popen(command, cwd=photos, env=environment, stderr=subprocess.PIPE, text=True)


def lines(output: Path, stage: str) -> int:
    curve = output / stage / "curve.jsonl"
    return curve.read_bytes().count(b"\n") if curve.exists() else -1


def check_files(output: Path) -> None:
    """Every file under a final name is whole."""
    for path in output.rglob("*.safetensors"):
        tensors(path)
    for path in output.rglob("*.npz"):
        with np.load(path) as arrays:
            assert all(arrays[name].size for name in arrays)
    for path in output.rglob("checkpoints/[0-9]*"):
        if path.name.isdigit():
            assert "config" in json.loads((path / "meta" / "metadata").read_text())


def tensors(path: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """What a file holds; the order of its metadata is not the same in two files."""
    with safe_open(path, framework="np") as file:
        arrays = {name: file.get_tensor(name).tobytes() for name in file.keys()}
        return arrays, dict(file.metadata())


def curve(output: Path, stage: str) -> list[dict[str, object]]:
    """All that the curve says but times."""
    found = read_curve(output / stage / "curve.jsonl")
    return [{name: value for name, value in line.items() if name not in TIMES} for line in found]


@pytest.mark.slow
def test_killed_and_terminated_in_every_stage_is_bit_identical(photos, tmp_path, rng):
    """At random moments after random steps: every stage is killed, the first and the last one are stopped in order too.

    The loop's own tests stop all of them in order.
    """
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    with start(photos, whole) as process:
        told = process.communicate(timeout=900)[1]
    assert process.returncode == 0, told
    ended = 0
    for stage, steps in STEPS.items():
        signals = [signal.SIGTERM, signal.SIGKILL] if stage in (STAGES[0], STAGES[-1]) else [signal.SIGKILL]
        for number, sent in enumerate(rng.permutation(signals)):
            first, end = (
                (0, (steps + 1) // 2) if number == 0 else (min(lines(parts, stage), steps - 1), steps)
            )
            after = int(rng.integers(first, end))
            with start(photos, parts) as process:
                while lines(parts, stage) < after and process.poll() is None:
                    time.sleep(0.01)
                time.sleep(rng.uniform(0, 0.4))
                process.send_signal(sent)
                told = process.communicate(timeout=900)[1]
            ended += process.returncode == -sent or "saved and stopped" in told
            assert "damaged" not in told, told
            check_files(parts)
    assert ended == len(STAGES) + 2
    with start(photos, parts) as process:
        told = process.communicate(timeout=900)[1]
    assert process.returncode == 0 and "damaged" not in told, told
    for name in ("blur.safetensors", "variables.safetensors", "weights.safetensors"):
        assert tensors(parts / name) == tensors(whole / name), name
    for stage in STAGES:
        assert curve(parts, stage) == curve(whole, stage)
        assert (
            len(curve(whole, stage)) == STEPS[stage] + 1
        )  # a validation of every step, and the last training
