"""What settings of `jaxblur.estimate` do to its result, and what they cost: presets, and precision of the networks.

    python -m benchmarks.bench_settings --settings two-stage default
    python -m benchmarks.bench_settings --settings default default:tensorfloat32 default:bfloat16 --json result.json

The first of the settings is what the others are compared with. They take turns, so that a load from elsewhere meets
all of them. `Config.precision` rounds the factors of the networks' convolutions and matrix products; a CPU knows
float32 and bfloat16.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.bench_estimate import mirrored
from benchmarks.measure import origin, summary, time_in_turn, write
from jaxblur import config
from jaxblur.estimator import estimate
from jaxblur.files import images
from jaxblur.weights import load_weights


@dataclasses.dataclass(frozen=True)
class Options:
    settings: tuple[str, ...] = ("default", "default:tensorfloat32", "default:bfloat16")  # PRESET[:PRECISION]
    photo: Path = Path("examples/vase.jpg")
    megapixels: float | None = None  # mirrored copies of the photo, 4:3; None: the photo itself
    weights: Path | None = None  # None: those shipped
    repeats: int = 5
    json: Path | None = None  # where to write the figures too


def parse_settings(word: str) -> config.Config:
    """The settings that PRESET or PRESET:PRECISION stands for."""
    preset, _, precision = word.partition(":")
    if preset not in config.PRESETS:
        raise SystemExit(f"settings must be PRESET or PRESET:PRECISION, got {word!r}")
    changes: dict[str, Any] = {"precision": precision} if precision else {}
    return dataclasses.replace(config.PRESETS[preset], **changes)


def measure(options: Options) -> list[dict[str, Any]]:
    weights = load_weights(options.weights)
    photo = mirrored(images.read_image(options.photo), options.megapixels)

    def run(word: str) -> Any:
        return estimate(photo, weights, config=parse_settings(word), max_memory=float("inf"))

    times = time_in_turn({word: lambda word=word: run(word) for word in options.settings}, options.repeats)
    results = {word: run(word) for word in options.settings}
    first = results[options.settings[0]]
    rows = []
    for word, result in results.items():
        difference = np.abs(result.radius - first.radius)
        read, first_read = (np.nan_to_num(r.sparse_radius)[first.edges] for r in (result, first))
        rows.append(
            {
                "settings": word,
                **summary(times[word]),
                "ratio": min(times[word]) / min(times[options.settings[0]]),
                "reading_difference_mean": float(np.abs(read - first_read).mean()),
                "same_reading": float(
                    (np.abs(read - first_read) < 1e-6).mean()
                ),  # argmax agreement, if `published`
                "same_depth_edges": float((result.depth_edges == first.depth_edges)[first.edges].mean()),
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
        f"{'settings':24s} {'s':>9s} {'ratio':>6s} {'read px':>8s} {'read =':>8s} {'depth =':>8s} "
        f"{'mean px':>9s} {'99 %':>9s} {'most':>9s}"
    )
    for row in rows:
        print(
            f"{row['settings']:24s} {row['median']:9.4f} {row['ratio']:6.2f} {row['reading_difference_mean']:8.4f} "
            f"{row['same_reading']:8.4f} {row['same_depth_edges']:8.4f} "
            f"{row['map_difference_mean']:9.2e} {row['map_difference_99']:9.2e} {row['map_difference_most']:9.2e}"
        )
    write(options.json, figures)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
