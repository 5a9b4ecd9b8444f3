"""What a user waits for: the whole command on one photo, with no program kept, and once more.

    python -m benchmarks.bench_command --photo examples/vase.jpg --json command.json

CPU seconds are those of all threads: on one core about what a clock shows on an idle machine, and less touched by other
programs.
"""

import dataclasses
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import tyro

from benchmarks.measure import origin, write
from jaxblur.files import images


@dataclasses.dataclass(frozen=True)
class Options:
    photo: Path = Path("examples/vase.jpg")
    json: Path | None = None  # where to write the figures too


def run_command(photo: Path, folder: Path) -> dict[str, float]:
    """Seconds of `jaxblur estimate PHOTO` with programs kept in a folder, by the clock and of the CPU."""
    command = [sys.executable, "-m", "jaxblur", "estimate", str(photo), "--output", str(folder / "out")]
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(folder / "programs")}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu_seconds": cpu}


def main(options: Options) -> None:
    height, width = images.read_image(options.photo).shape[:2]
    with tempfile.TemporaryDirectory() as folder:
        runs = {name: run_command(options.photo, Path(folder)) for name in ("cold", "kept")}
    figures: dict[str, Any] = {"photo": options.photo.name, "size": [height, width], **runs, **origin()}
    for name in runs:
        print(
            f"{name}: {runs[name]['seconds']:.1f} s by the clock, {runs[name]['cpu_seconds']:.1f} s of the CPU"
        )
    write(options.json, figures)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
