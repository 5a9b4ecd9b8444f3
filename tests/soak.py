"""`python -m tests.soak`: hundreds of photos of mixed sizes, types and damage through one `jaxblur estimate`.

Prints how many were done and refused, and the memory of the process in each tenth of the run. The exit status is 1
if a photo is not accounted for in the table, or if memory grew after the first half, by when every size and type came.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.fuzz import mutate, seeds
from tests.jaxblur.cli_helpers import names, summary

ROOT = Path(__file__).resolve().parents[1]
SIZES = ((37, 61), (100, 120), (180, 120))  # of three size buckets
GROWTH = 1.05  # of memory that is still flat


class Sample(NamedTuple):
    """Bytes of memory of the process when so many photos were in the table."""

    rows: int
    memory: int


def photo_files(count: int) -> dict[str, bytes]:
    """Names and contents: pictures of all kinds and sizes, every fifth damaged, every tenth of a refused kind."""
    wholes = [seeds.readable(size) for size in SIZES]
    kinds = [name for name in seeds.readable() if name != "photo.heic"]
    refused = itertools.cycle(seeds.refused().items())
    files = {}
    for number, (kind, whole) in zip(
        range(count), itertools.cycle(itertools.product(kinds, wholes)), strict=False
    ):
        name, data = kind, whole[kind]
        if number % 10 == 7:
            name, data = next(refused)
        elif number % 5 == 3:
            name, data = mutate.mutated({kind: data}, number)
        files[f"{number:04d}_{name}"] = data
    return files


def tiny_weights(path: Path) -> None:
    """Random weights of a small network without fusion, which compiles and runs in a fraction of the time."""
    import jax
    import jax.numpy as jnp

    import jaxblur
    from jaxblur.network.defocus_net import DefocusNet

    column = jaxblur.ColumnConfig(size=23, layers=("conv3", "pool3"))
    network = jaxblur.NetworkConfig(columns=(column,), depth_column=column, width=6, hidden=(8,))
    patch = jnp.zeros((1, network.patch_size, network.patch_size, 3))
    variables = DefocusNet(network).init(jax.random.key(0), patch, method=DefocusNet.classify_patches)
    jaxblur.save_weights(path, jaxblur.Weights(variables, network, {"name": "tiny"}))


def watch(command: list[str], out: Path) -> tuple[int, list[Sample]]:
    """Run the command; its exit status, and its memory whenever another photo is in the table."""
    samples: list[Sample] = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            time.sleep(0.05)
            rows = len(summary(out)) if (out / "summary.csv").exists() else 0
            try:
                sample = Sample(rows, watched.memory_info().rss)
            except psutil.NoSuchProcess:
                break
            if sample.memory:  # none while it ends
                samples.append(sample)
    return process.wait(), samples


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--shipped", action="store_true", help="the shipped weights instead of tiny ones")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photos, out, weights = (Path(folder) / name for name in ("photos", "out", "tiny.safetensors"))
        photos.mkdir()
        for name, data in photo_files(options.photos).items():
            (photos / name).write_bytes(data)
        command = [sys.executable, "-m", "jaxblur", "estimate", str(photos), "--output", str(out)]
        if not options.shipped:
            tiny_weights(weights)
            command += ["--weights", str(weights)]
        start = time.perf_counter()
        status, samples = watch(command, out)
        seconds = time.perf_counter() - start
        rows = summary(out)
        done = [row for row in rows if not row["error"]]
        results = {name.removesuffix(".npz") for name in names(out) if name.endswith(".npz")}
        accounted = (
            {Path(row["photo"]).name for row in rows} == names(photos)
            and results == {row["name"] for row in done}
            and status == (0 if len(done) == len(rows) else 2)
        )
    tenths = [
        max((s.memory for s in samples if tenth <= 10 * s.rows / options.photos < tenth + 1), default=0)
        for tenth in range(10)
    ]
    flat = max(tenths[5:]) <= GROWTH * max(tenths[:5])
    print(f"{options.photos} photos in {seconds:.0f} s: {len(done)} done, {len(rows) - len(done)} refused")
    print(
        f"all accounted for: {accounted}; status {status}; with a warning: {sum(bool(r['warning']) for r in done)}"
    )
    peaks = ", ".join(f"{peak / 1e6:.0f}" for peak in tenths)
    print(f"memory at most, MB, in each tenth: {peaks}; flat: {flat}")
    return 0 if accounted and flat else 1


if __name__ == "__main__":
    sys.exit(main())
