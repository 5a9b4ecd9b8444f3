"""`jaxblur estimate` on a folder, ended from outside, on a full disk, and twice at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from jaxblur.files import images
from tests.jaxblur.cli_helpers import make_photo, names, summary

ROOT = Path(__file__).resolve().parents[2]
COUNT = 12


@pytest.fixture
def folder(tmp_path, rng) -> Path:
    for i in range(COUNT):
        make_photo(tmp_path / "photos" / f"{i:02d}.png", rng, (24, 32))
    return tmp_path / "photos"


def start(seconds, *args, **options):
    command = [sys.executable, "-m", "tests.jaxblur.fake_command", str(seconds), *(str(arg) for arg in args)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def status_of(process) -> int:
    process.communicate(timeout=60)
    return process.returncode


def wait_for_results(out: Path, count: int) -> None:
    end = time.monotonic() + 60
    while len(list(out.glob("*.npz"))) < count:
        assert time.monotonic() < end
        time.sleep(0.005)


def shown(out: Path) -> dict[str, bytes]:
    """All files that are not hidden, but the table, whose seconds differ."""
    return {
        name: (out / name).read_bytes() for name in names(out) if name[0] != "." and name != "summary.csv"
    }


def check_whole(out: Path) -> None:
    """Every file under a final name is complete, and every row of the table has its results."""
    for path in out.glob("*.npz"):
        with np.load(path) as arrays:
            assert all(arrays[name].shape == (24, 32) for name in arrays)
    for path in out.glob("*.p*ng"):
        images.read_image(path)
    for path in out.glob("[!.]*.tiff"):
        assert np.asarray(images._read(path, 10**6)).shape == (24, 32)
    rows = summary(out) if (out / "summary.csv").exists() else []
    assert all((out / f"{row['name']}.npz").exists() for row in rows if row["name"])


def test_killed_at_random_and_started_again_gives_the_same(folder, tmp_path, rng):
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert status_of(start(0, "estimate", folder, "--output", whole)) == 0
    for _ in range(4):
        process = start(0.01, "estimate", folder, "--output", out)
        wait_for_results(out, int(rng.integers(COUNT)))
        time.sleep(rng.random() * 0.05)
        process.kill()
        process.communicate()
        check_whole(out) if out.exists() else None
    assert status_of(start(0, "estimate", folder, "--output", out)) == 0
    assert shown(out) == shown(whole)
    assert [row["name"] for row in summary(out)] == [row["name"] for row in summary(whole)]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_keeps_the_table_of_what_is_done(folder, tmp_path, number, status):
    out = tmp_path / "out"
    with start(0.05, "estimate", folder, "--output", out) as process:
        wait_for_results(out, 3)
        process.send_signal(number)
        printed, error = process.communicate(timeout=60)
    assert process.returncode == status and error == f"jaxblur: stopped by {number.name}\n" and printed == ""
    done = {path.name.removesuffix(".npz") for path in out.glob("*.npz")}
    assert {row["name"] for row in summary(out)} == done and 3 <= len(done) < COUNT
    assert [name for name in names(out) if name[0] == "."] == []
    check_whole(out)


def test_a_second_signal_stops_at_once(folder, tmp_path):
    work = "__import__('ctypes').CDLL(None).system(b'sleep 30')"  # which lets Python hear of no signal
    code = f"import sys\nsys.argv[1:] = ['0', 'estimate', {str(folder)!r}, '--output', {str(tmp_path / 'out')!r}]\n"
    code += f"import jaxblur, time\ntime.sleep = lambda seconds: (print('at work', flush=True), {work})\n"
    code += "import runpy; runpy.run_module('tests.jaxblur.fake_command', run_name='__main__')"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "at work\n"
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        assert process.returncode == 143 and time.monotonic() - begin < 25


def test_two_runs_into_one_folder_at_once(folder, tmp_path, rng):
    for i in range(COUNT):
        make_photo(tmp_path / "others" / f"other_{i}.png", rng, (24, 32))
    make_photo(tmp_path / "others" / "00.png", rng, (24, 32))  # a name that both have
    out = tmp_path / "out"
    runs = [start(0.01, "estimate", each, "--output", out) for each in (folder, tmp_path / "others", folder)]
    statuses = [status_of(process) for process in runs]
    rows = summary(out)
    assert len(rows) == 2 * COUNT + 1
    (refused,) = [row for row in rows if row["error"]]
    assert "holds the results of" in refused["error"] and Path(refused["photo"]).name == "00.png"
    assert sorted(statuses) in ([0, 0, 2], [0, 2, 2])
    assert len(list(out.glob("*.npz"))) == 2 * COUNT
    assert [name for name in names(out) if name[0] == "."] == []
    check_whole(out)


@pytest.mark.parametrize("room", [2, 20, 60, 200])
def test_a_full_disk_is_told_and_leaves_nothing_torn(folder, tmp_path, room):
    """A file system of so many kB, where the machine lets us make one."""
    out = tmp_path / "out"
    out.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={room}k", "tmpfs", str(out)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs to be allowed to mount a file system")
    try:
        with start(0, "estimate", folder, "--output", out) as process:
            printed, error = process.communicate(timeout=60)
        assert process.returncode == 2 and "Traceback" not in error
        lines = error.splitlines()
        assert lines and all(line.endswith(f"{out}: No space left on device") for line in lines)
        assert [name for name in names(out) if name[0] == "."] == []
        check_whole(out)
    finally:
        subprocess.run(["umount", str(out)], check=True)


def test_a_folder_that_becomes_read_only_is_told(folder, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(out)]).returncode:
        pytest.skip("needs to be allowed to mount a file system")
    try:
        with start(0.2, "estimate", folder, "--output", out) as process:
            wait_for_results(out, 2)
            subprocess.run(["mount", "-o", "remount,ro", str(out)], check=True)
            _, error = process.communicate(timeout=60)
        assert process.returncode == 2 and "Traceback" not in error
        assert all(line.endswith(f"{out}: Read-only file system") for line in error.splitlines())
        check_whole(out)
    finally:
        subprocess.run(["umount", str(out)], check=True)
