import os
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest

from jaxblur.files import images, output


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_failure_while_writing_leaves_nothing_new(tmp_path, failure):
    path = tmp_path / "result.bin"
    with pytest.raises(failure), output.atomic_file(path) as file:
        file.write(b"half")
        raise failure
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"old")
    with pytest.raises(failure), output.atomic_file(path) as file:
        file.write(b"half")
        raise failure
    assert [p.name for p in tmp_path.iterdir()] == ["result.bin"] and path.read_bytes() == b"old"


def test_of_several_files_all_appear_or_none(tmp_path, monkeypatch):
    paths = [tmp_path / name for name in "abc"]
    with output.atomic_files(paths) as files:
        for file, path in zip(files, paths, strict=True):
            file.write(path.name.encode())
        assert not any(path.exists() for path in paths)
    assert [path.read_text() for path in paths] == ["a", "b", "c"]

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)  # where a full disk is found out last
    with pytest.raises(OSError, match="No space left") as caught, output.atomic_files(paths) as files:
        for file in files:
            file.write(b"new")
    assert caught.value.filename == str(tmp_path)
    assert [path.read_text() for path in paths] == ["a", "b", "c"] and len(list(tmp_path.iterdir())) == 3


def test_a_folder_that_is_gone_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, output.atomic_file(tmp_path / "gone" / "a"):
        pass
    assert caught.value.filename == str(tmp_path / "gone")


def test_a_name_of_the_greatest_length_can_be_written(tmp_path):
    with output.atomic_file(tmp_path / ("n" * 255)) as file:
        file.write(b"x")
    assert len(next(tmp_path.iterdir()).name) == 255


def test_what_is_written_is_read_back(tmp_path, rng):
    radius, photo = rng.random((9, 7), dtype=np.float32) * 6, rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    output.write_image(tmp_path / "radius.tiff", radius)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "radius.tiff"), cv2.IMREAD_UNCHANGED), radius)
    output.write_image(tmp_path / "photo.png", photo)
    np.testing.assert_array_equal(images.read_image(tmp_path / "photo.png"), photo)
    output.write_arrays(tmp_path / "all.npz", radius=radius, edges=radius > 3)
    with np.load(tmp_path / "all.npz") as arrays:
        np.testing.assert_array_equal(arrays["radius"], radius)
        np.testing.assert_array_equal(arrays["edges"], radius > 3)
    assert len(list(tmp_path.iterdir())) == 3


def test_one_process_at_a_time_holds_a_folder(tmp_path):
    code = (
        "import pathlib, sys\n"
        "from jaxblur.files import output\n"
        "with output.folder_lock(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None and other.stdout is not None and other.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError), output.folder_lock(tmp_path, wait=False):
            pass
        start = time.perf_counter()
        threading.Timer(0.3, other.stdin.close).start()
        with output.folder_lock(tmp_path):
            assert time.perf_counter() - start > 0.29
    with output.folder_lock(tmp_path, wait=False):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_system_without_locks_goes_on_without(tmp_path, monkeypatch):
    monkeypatch.setattr(output, "fcntl", None)
    with output.folder_lock(tmp_path):
        pass
