"""Damaged pictures read one after the other in a process of their own, with the time and memory that each took."""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
REFUSED, READ, WRONG, CRASHED = "refused", "read", "wrong", "crashed"


class Result(NamedTuple):
    """What became of one file.

    Attributes:
      seed: of the damage.
      name: of the picture that was damaged.
      outcome: `REFUSED` with one line, `READ` as a photo, `WRONG` in any other way, `CRASHED` with the process.
      text: what was said, or what is wrong.
      seconds: of wall time, and `cpu` of processor time.
      memory: bytes that the process took more than before, at most.
    """

    seed: int
    name: str
    outcome: str
    text: str
    seconds: float
    cpu: float
    memory: int


def fuzz(first: int, count: int) -> Iterator[Result]:
    """Results of the files of seeds `first` to `first + count - 1`; a process that crashes is started anew."""
    following, end = first, first + count
    while following < end:
        command = [sys.executable, "-m", "tests.fuzz.run", str(following), str(end)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                result = Result(*json.loads(line))
                following = result.seed + 1
                yield result
        if process.returncode:
            yield Result(following, "", CRASHED, f"status {process.returncode}", 0.0, 0.0, 0)
            following += 1
        elif following < end:
            raise RuntimeError("the process of the fuzzer ended before its work did")


def _read_all(first: int, end: int) -> None:
    from tests.fuzz import mutate, seeds

    warnings.simplefilter("error")  # a library that warns is a library that prints
    large = {f"large_{name}": data for name, data in seeds.readable((600, 800)).items()}
    whole = seeds.readable() | seeds.refused() | large
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 2)  # where libraries in C would tell of damage
        for name in whole:  # what is imported or allocated once counts for no file
            _read(Path(folder), name, whole[name])
        for seed in range(first, end):
            name, outcome, *rest = _read(Path(folder), *mutate.mutated(whole, seed))
            if os.fstat(2).st_size:
                printed.seek(0)
                outcome, rest[0] = WRONG, f"printed {printed.read()!r}"
                os.ftruncate(2, 0)
            print(json.dumps((seed, name, outcome, *rest)), flush=True)


def _read(folder: Path, name: str, data: bytes) -> tuple[str, str, str, float, float, int]:
    from jaxblur.files import images

    path = folder / name
    path.write_bytes(data)
    before = _start_of_peak()
    start, cpu = time.perf_counter(), time.process_time()
    try:
        image = images.read_image(path)
        outcome, text = _is_photo(image)
    except ValueError as error:
        text = str(error)
        outcome = (
            REFUSED if text.startswith(f"{path}: ") and "\n" not in text and text.isprintable() else WRONG
        )
    except Exception as error:
        outcome, text = WRONG, repr(error)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    path.unlink()
    return name, outcome, text.replace(str(path), name), seconds, cpu, _peak() - before


def _is_photo(image) -> tuple[str, str]:
    import numpy as np

    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        return WRONG, f"shape {image.shape}"
    if image.dtype == np.float32 and not ((image >= 0) & (image <= 1)).all():
        return WRONG, "values beyond [0, 1]"
    good = image.dtype in (np.uint8, np.uint16, np.float32) and image.flags.c_contiguous
    return (READ if good else WRONG), f"{image.shape} {image.dtype}"


def _start_of_peak() -> int:
    """Bytes that the process has, from which on its peak is measured, where the system can start it anew."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return _peak()
    return _status("VmRSS")


def _peak() -> int:
    try:
        return _status("VmHWM")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no {name}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("first", type=int)
    parser.add_argument("end", type=int)
    options = parser.parse_args()
    _read_all(options.first, options.end)
