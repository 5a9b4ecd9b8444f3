"""What faster matrix products do to the result of `jaxblur.estimate`, and what they gain.

    python -m benchmarks.bench_precision --megapixels 1 --json result.json

`Config.precision` rounds the factors of the networks' convolutions and matrix products; "float32", the default, is what
the others are compared with. A CPU knows only float32 and ignores the others.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.bench_estimate import mirrored
from benchmarks.measure import origin, summary, time_in_turn, write
from jaxblur import config, files
from jaxblur.pipeline import BlurEstimate, estimate
from jaxblur.weights import load_weights

PRECISIONS = ("float32", "tensorfloat32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class Options:
    photo: Path = Path("examples/vase.jpg")
    megapixels: float | None = None  # mirrored copies of the photo, 4:3; None: the photo itself
    weights: Path | None = None  # None: those shipped
    preset: str = "default"
    repeats: int = 5
    json: Path | None = None  # where to write the figures too


def measure(options: Options) -> list[dict[str, Any]]:
    weights, settings = load_weights(options.weights), config.PRESETS[options.preset]
    photo = mirrored(files.read_image(options.photo), options.megapixels)

    def run(precision: Any) -> BlurEstimate:
        own = dataclasses.replace(settings, precision=precision)
        return estimate(photo, weights, config=own, max_memory=float("inf"))

    times = time_in_turn({name: lambda name=name: run(name) for name in PRECISIONS}, options.repeats)
    results = {name: run(name) for name in PRECISIONS}
    exact = results[PRECISIONS[0]]
    pattern = {name: np.nan_to_num(result.sparse_radius) for name, result in results.items()}
    rows = []
    for name, result in results.items():
        difference = np.abs(result.radius - exact.radius)
        rows.append(
            {
                "precision": name,
                **summary(times[name]),
                "reading_difference_mean": float(
                    np.abs(pattern[name] - pattern[PRECISIONS[0]])[exact.edges].mean()
                ),
                "same_depth_edges": float((result.depth_edges == exact.depth_edges)[exact.edges].mean()),
                "map_difference_mean": float(difference.mean()),
                "map_difference_99": float(np.quantile(difference, 0.99)),
                "map_difference_most": float(difference.max()),
            }
        )
    return rows


def main(options: Options) -> None:
    rows = measure(options)
    figures = {"photo": options.photo.name, "megapixels": options.megapixels, "rows": rows, **origin()}
    print(f"{figures['device']}, jax {figures['jax']}, commit {figures['commit']}")
    print(
        f"{'precision':14s} {'s':>9s} {'read px':>8s} {'depth =':>8s} {'mean px':>9s} {'99 %':>9s} {'most':>9s}"
    )
    for row in rows:
        print(
            f"{row['precision']:14s} {row['median']:9.4f} {row['reading_difference_mean']:8.4f} "
            f"{row['same_depth_edges']:8.4f} "
            f"{row['map_difference_mean']:9.2e} {row['map_difference_99']:9.2e} {row['map_difference_most']:9.2e}"
        )
    write(options.json, figures)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
