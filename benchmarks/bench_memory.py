"""Peak memory and time of `estimate` by photo size, each in a process of its own.

    python -m benchmarks.bench_memory --megapixels 1 10 24 100 --max-memory 4GB --json memory.json
    python -m benchmarks.bench_memory --megapixels 1 10 100 --texture 0
    python -m benchmarks.bench_memory --megapixels 24 --multiscale

Photos are square and grey, with real texture (mirrored tiles of `--photo`) on `--texture` of their area, inside of
tiles of 512 px: the networks' time grows with the number of tiles that hold edges, memory hardly does. Times are those
after compilation: of a second run, or, above 16 megapixels, of one run after a strip of the same width.

Floors: of memory, the bytes of the photo and of what `estimate` returns; of time, the arithmetic of the networks on the
tiles that hold edges over the rate of a matrix product in the same process.
"""

import dataclasses
import math
import resource
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tyro

from benchmarks.floors import edges_of_scales, reading_operations
from benchmarks.measure import matmul_rate, origin, run_alone, write
from jaxblur.config import DEFAULT, MultiScale, SingleScale
from jaxblur.estimator import estimate, plan_workers
from jaxblur.files import images
from jaxblur.image.pyramid import count_scales
from jaxblur.multiscale.fuse_strips import fusion_passes
from jaxblur.multiscale.in_strips import InStrips, tile_side
from jaxblur.multiscale.parameters import init_parameters
from jaxblur.multiscale.run import choose_propagation, run_stages
from jaxblur.network.weights import Weights
from jaxblur.propagation.single_scale_strips import propagation_passes
from jaxblur.runtime import memory
from jaxblur.weights import load_weights

TILE, MARGIN = 512, 24  # px; the texture keeps off the border of its tile, so that its edges stay inside
STAGES = ("edges", "networks", "propagation")
LARGE = 16e6  # pixels from which on only a strip is run first


@dataclasses.dataclass(frozen=True)
class Options:
    megapixels: tuple[float, ...] = (1, 10, 24, 100)
    max_memory: str = "4GB"
    texture: float = 0.03  # fraction of the tiles that hold texture; at least one, unless 0
    photo: Path = Path("examples/vase.jpg")
    weights: Path | None = None  # None: those shipped
    multiscale: bool = False  # add untrained parameters of the fusion to weights that lack them
    json: Path | None = None  # where to write the figures too


def make_photo(side: int, fraction: float, texture: np.ndarray) -> np.ndarray:
    """Grey photo with texture in its first column of tiles, then the next."""
    photo = np.full((side, side, 3), 128, np.uint8)
    down = max(side // TILE, 1)
    inner = TILE - 2 * MARGIN
    height, width = texture.shape[:2]
    rows, columns = (-(-inner // length) for length in (height, width))
    mirrored = np.concatenate([texture, texture[::-1]] * rows)
    block = np.concatenate([mirrored, mirrored[:, ::-1]] * columns, axis=1)[:inner, :inner]
    for index in range(max(round(fraction * (side / TILE) ** 2), 1) if fraction else 0):
        row, column = MARGIN + TILE * (index % down), MARGIN + TILE * (index // down)
        part = photo[row : row + inner, column : column + inner]
        part[...] = block[: part.shape[0], : part.shape[1]]
    return photo


def add_multiscale(weights: Weights) -> Weights:
    """The same networks with a fusion as it is before training."""
    return dataclasses.replace(weights, multiscale=init_parameters(weights.network, jax.random.key(0)))


def count_passes(way: SingleScale | MultiScale, weights: Weights) -> int:
    """Passes of filters, the last stage of large photos."""
    if isinstance(way, SingleScale):
        return propagation_passes(way)
    return fusion_passes(weights.multiscale, way.guide)


def measure(megapixels: float, options: Options) -> dict[str, Any]:
    """One row of the table, in a process of its own."""
    weights = load_weights(options.weights)
    if options.multiscale and weights.multiscale is None:
        weights = add_multiscale(weights)
    way = choose_propagation(DEFAULT, weights)
    multiscale = isinstance(way, MultiScale)
    side = round((megapixels * 1e6) ** 0.5)
    photo = make_photo(side, options.texture, images.read_image(options.photo))
    limit = memory.parse_size(options.max_memory)
    workers, tile = plan_workers(photo, None, weights, DEFAULT, limit), tile_side()
    if photo[..., 0].size < LARGE:
        estimate(photo, weights, max_memory=limit)
    else:
        stages = InStrips(weights, photo[:TILE], DEFAULT, workers=workers)
        run_stages(stages, photo[:TILE], None, propagation=way)
    ticks = []

    def tick(done: float = 0.0) -> None:
        ticks.append((time.perf_counter(), time.process_time()))

    tick()
    result = estimate(photo, weights, max_memory=limit, progress=tick)
    tick()
    clock = np.array(ticks)
    seconds, cpu_seconds = (clock[-1] - clock[0]).tolist()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    maps = edges_of_scales(photo, weights, DEFAULT)
    rate = matmul_rate(3)
    floor = reading_operations(weights.network, maps, tile=tile) / rate
    least_bytes = photo.nbytes + sum(plane.nbytes for plane in result)
    row: dict[str, Any] = {
        "megapixels": side**2 / 1e6,
        "way": "program" if len(ticks) == 2 else "strips",
        "multiscale": multiscale,
        "edge_fraction": float(result.edges.mean()),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "cpu_seconds_per_megapixel": cpu_seconds / (side**2 / 1e6),
        "matmul_gflops": rate / 1e9,
        "floor": floor,
        "ratio_to_floor": seconds / floor if floor else None,  # no edges, no work
        "peak_bytes": peak,
        "floor_bytes": least_bytes,
        "ratio_to_floor_bytes": peak / least_bytes,
        "planned_bytes": memory.program_need(side, side, multiscale=multiscale),
    }
    if row["way"] == "strips":
        # One tick before and after, and one for the edges of every scale; those of smaller ones count as networks.
        scales = count_scales(side, side) if multiscale else 1
        reading = len(ticks) - 3 - count_passes(way, weights)
        tiles = reading - (scales - 1)
        need = {
            "photo_bytes": 3,
            "edge_fractions": [memory.DETECTED_EDGES] * scales,
            "tile": tile,
            "workers": workers,
        }
        cpu_seconds_of = np.diff(clock[[0, 1, 1 + reading, -1], 1]).tolist()
        row |= {
            "planned_bytes": memory.strips_need(side, side, multiscale=multiscale, **need),
            "tile": tile,
            "workers": workers,
            "tiles": tiles,
            "cpu_seconds_of_stages": dict(zip(STAGES, cpu_seconds_of, strict=True)),
        }
    return row


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    rows = []
    print(
        f"{'Mpx':>6s} {'way':>8s} {'s':>7s} {'x floor':>8s} {'CPU s/Mpx':>9s} {'peak GB':>8s} {'x floor':>8s} "
        f"{'planned':>8s}  CPU s of stages"
    )
    for megapixels in options.megapixels:
        row = run_alone(measure, megapixels, options, name=f"{megapixels:g} megapixels")
        rows.append(row)
        stages = row.get("cpu_seconds_of_stages", {})
        print(
            f"{row['megapixels']:6.1f} {row['way']:>8s} {row['seconds']:7.1f} {row['ratio_to_floor'] or math.nan:8.1f} "
            f"{row['cpu_seconds_per_megapixel']:9.2f} {row['peak_bytes'] / 1e9:8.2f} "
            f"{row['ratio_to_floor_bytes']:8.1f} {row['planned_bytes'] / 1e9:8.2f}  "
            + ", ".join(f"{name} {seconds:.1f}" for name, seconds in stages.items()),
            flush=True,
        )
    settings = {"texture": options.texture, "max_memory": options.max_memory}
    write(options.json, origin() | settings | {"rows": rows})


if __name__ == "__main__":
    main()
