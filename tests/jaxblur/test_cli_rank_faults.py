"""`jaxblur rank` on a folder, ended from outside, on a full disk, and twice at once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.jaxblur.cli_helpers import make_photo

ROOT = Path(__file__).resolve().parents[2]
COUNT = 10


@pytest.fixture
def folder(tmp_path, rng) -> Path:
    for i in range(COUNT):
        make_photo(tmp_path / "photos" / f"{i:02d}.png", rng, (24, 32))
    return tmp_path / "photos"


def start(seconds, *args):
    command = [sys.executable, "-m", "tests.jaxblur.fake_command", str(seconds), *(str(arg) for arg in args)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def status_of(process) -> int:
    process.communicate(timeout=60)
    return process.returncode


def lines(out: Path) -> list[str]:
    path = out / "rank.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def wait_for_lines(out: Path, count: int) -> None:
    end = time.monotonic() + 60
    while len(lines(out)) < count:
        assert time.monotonic() < end
        time.sleep(0.005)


def ranked(out: Path) -> dict[str, tuple[str, float]]:
    return {row["photo"]: (row["verdict"], row["sharpest"]) for row in map(json.loads, lines(out))}


def test_killed_at_random_and_started_again_gives_the_same(folder, tmp_path, rng):
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert status_of(start(0, "rank", folder, "--output", whole)) == 0
    for count in (1, 4, 7):
        process = start(0.02, "rank", folder, "--output", out)
        wait_for_lines(out, count)
        time.sleep(rng.random() * 0.03)
        process.kill()
        process.communicate()
    with open(out / "rank.jsonl", "ab") as file:
        file.write(b'{"photo": "/cut off')
    assert status_of(start(0, "rank", folder, "--output", out)) == 0
    assert ranked(out) == ranked(whole) and len(lines(out)) == COUNT
    assert {path.name for path in out.iterdir()} == {"rank.csv", "rank.jsonl"}


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_keeps_what_is_done(folder, tmp_path, number, status):
    out = tmp_path / "out"
    with start(0.05, "rank", folder, "--output", out) as process:
        wait_for_lines(out, 3)
        process.send_signal(number)
        printed, error = process.communicate(timeout=60)
    assert process.returncode == status and error == f"jaxblur: stopped by {number.name}\n" and printed == ""
    assert 3 <= len(ranked(out)) < COUNT


def test_two_runs_into_one_folder_at_once(folder, tmp_path, rng):
    for i in range(COUNT):
        make_photo(tmp_path / "others" / f"other_{i}.png", rng, (24, 32))
    out = tmp_path / "out"
    runs = [start(0.01, "rank", each, "--output", out) for each in (folder, tmp_path / "others")]
    assert [status_of(process) for process in runs] == [0, 0]
    assert len(ranked(out)) == len(lines(out)) == 2 * COUNT


@pytest.mark.parametrize("room", [2, 8])
def test_a_full_disk_is_told(folder, tmp_path, room):
    """A file system of so many kB, where the machine lets us make one."""
    out = tmp_path / "out"
    out.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={room}k", "tmpfs", str(out)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs to be allowed to mount a file system")
    try:
        with start(0, "rank", folder, "--output", out) as process:
            _, error = process.communicate(timeout=60)
        assert process.returncode == 2
        assert error.splitlines()[-1].endswith(f"{out}: No space left on device") and "Traceback" not in error
        assert all(json.loads(line) for line in lines(out)[:-1])  # the last may be cut off
    finally:
        subprocess.run(["umount", str(out)], check=True)
