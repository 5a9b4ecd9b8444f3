"""Time and memory of `jaxblur rank` on large photos, by stage and as a whole.

    python -m benchmarks.bench_rank --json rank.json
    python -m benchmarks.bench_rank --photos 100 --stages 0 --sources ../shared/photos/unsplash

Photos are JPEGs, 3 by 2: mosaics of sources at full sharpness, every third of them blurred, and every third enlarged.
CPU seconds are those of all threads: on one core about what a clock shows on an idle machine, and less touched by other
programs. The command keeps programs in a folder of its own: its first run, on one photo, compiles them; the second, on
all others, is what counts.
"""

import dataclasses
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import tyro

from benchmarks.measure import origin, summary, write
from jaxblur.files import images
from jaxblur.rank import groups, measure
from jaxblur.weights import load_weights

KINDS = ("sharp", "blurred", "enlarged")


@dataclasses.dataclass(frozen=True)
class Options:
    photos: int = 6  # one more is made, for the first run
    megapixels: float = 24
    stages: int = 3  # photos of which every stage is timed
    sources: Path = Path("examples")  # folder of photos for the mosaics
    json: Path | None = None  # where to write the figures too


def make_photo(
    kind: str, size: tuple[int, int], sources: list[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """A mosaic of random parts, mirrored or not."""
    photo = np.empty((*size, 3), np.uint8)
    step = min(min(source.shape[:2]) for source in sources)
    for top in range(0, size[0], step):
        for left in range(0, size[1], step):
            source = sources[rng.integers(len(sources))]
            row, column = (rng.integers(length - step + 1) for length in source.shape[:2])
            part = source[row : row + step, column : column + step][:, :: rng.choice([-1, 1])]
            if kind == "blurred":
                part = cv2.GaussianBlur(part, (0, 0), rng.uniform(0.5, 6))
            place = photo[top : top + step, left : left + step]
            place[...] = part[: place.shape[0], : place.shape[1]]
    if kind == "enlarged":
        part = photo[: size[0] // 4, : size[1] // 4]
        photo = cv2.resize(part, size[::-1], interpolation=cv2.INTER_CUBIC)
    return photo


def make_photos(folder: Path, options: Options) -> list[Path]:
    rng = np.random.default_rng(0)
    sources = [images.read_image(path) for path in images.find_photos(options.sources)]
    paths, short = [], round((options.megapixels * 1e6 / 1.5) ** 0.5)
    for number in range(options.photos + 1):
        paths.append(folder / f"{number:03d}.jpg")
        photo = make_photo(KINDS[number % len(KINDS)], (short, short * 3 // 2), sources, rng)
        cv2.imwrite(str(paths[-1]), photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    return paths


def time_stages(paths: list[Path]) -> dict[str, dict[str, float]]:
    """CPU seconds of every stage of a photo, in this process."""
    weights = load_weights()
    times: dict[str, list[float]] = {}

    def timed(name: str, function: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = function()
        times.setdefault(name, []).append(time.process_time() - start)
        return result

    for number, path in enumerate(paths[:1] + paths):  # the first compiles
        if number == 1:
            times.clear()
        photo = timed("decode", lambda path=path: images.read_image(path))
        timed("hash", lambda photo=photo: groups.perceptual_hash(photo))
        prepared = timed("choose points", lambda photo=photo: measure.prepare(photo, weights))
        timed("networks", lambda prepared=prepared: measure.measure(prepared, weights, view=2000))
    return {name: summary(seconds) for name, seconds in times.items()}


def run_command(paths: list[Path], folder: Path) -> dict[str, float]:
    """Seconds of `jaxblur rank`, by the clock and of the CPU, and the most memory it took."""
    words = [sys.executable, "-m", "jaxblur", "rank", *map(str, paths), "--output", str(folder / "out")]
    environment = {"JAX_COMPILATION_CACHE_DIR": str(folder / "programs")}
    before, start, peak = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter(), 0
    with subprocess.Popen(
        words, env={**psutil.Process().environ(), **environment}, stdout=subprocess.DEVNULL
    ) as run:
        process = psutil.Process(run.pid)
        while run.poll() is None:
            try:
                peak = max(peak, process.memory_info().rss)
            except psutil.NoSuchProcess:
                break
            time.sleep(0.02)
    if run.returncode:
        raise RuntimeError(f"{' '.join(words[:4])} ended with status {run.returncode}")
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_bytes": peak}


def main(options: Options) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = make_photos(folder, options)
        stages = time_stages(paths[: options.stages]) if options.stages else {}
        first = run_command(paths[:1], folder)  # compiles
        more = run_command(paths, folder)  # all but that one
    count = options.photos
    figures: dict[str, Any] = {
        "megapixels": options.megapixels,
        "photos": count,
        "cpu_seconds_of_stages": stages,
        "first": first,
        "all": more,
        "seconds_per_photo": more["seconds"] / count,
        "cpu_seconds_per_photo": more["cpu_seconds"] / count,
        **origin(),
    }
    for stage, seconds in stages.items():
        print(
            f"{stage:14s} {seconds['median']:6.2f} s of the CPU ({seconds['least']:.2f} to {seconds['most']:.2f})"
        )
    print(
        f"{count} photos, start included: {figures['seconds_per_photo']:.2f} s each by the clock, "
        f"{figures['cpu_seconds_per_photo']:.2f} s of the CPU; at most {more['peak_bytes'] / 1e6:.0f} MB"
    )
    write(options.json, figures)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
