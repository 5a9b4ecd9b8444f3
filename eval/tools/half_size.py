"""`python -m eval.tools.half_size`: does the estimate of a photo at half its size say half the radius?

python -m eval.tools.half_size examples --json half_size.json
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import tyro

import jaxblur
from jaxblur.files import images, output
from jaxblur.image.pyramid import halve
from jaxblur.network.weights import hash_weights
from jaxblur.runtime.provenance import commit


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Compare the maps of photos and of their half-size copies where both are sure."""

    photos: tyro.conf.Positional[Path]
    """Folder of photos."""
    weights: Path | None = None
    """Weights; those shipped by default."""
    confidence: float = 0.5
    """Pixels count where the confidence of both estimates is at least this."""
    least_radius: Annotated[float, tyro.conf.arg(metavar="PX")] = 2.0
    """And the photo's own radius at least this: below, its half-size copy is sharp."""
    json: Path | None = None
    """File for the figures."""


class Agreement(NamedTuple):
    """Of one photo: median of radius / (2 radius of the half-size copy), and the fraction of pixels that count."""

    ratio: float
    fraction: float


def agreement(
    whole: jaxblur.BlurEstimate, half: jaxblur.BlurEstimate, *, confidence: float, least_radius: float
) -> Agreement:
    """Compare the estimate of a photo with that of its half-size copy; NaN where no pixel counts.

    Args:
      whole: of the photo, (H, W).
      half: of the copy, (H // 2, W // 2).
      confidence: that both must have.
      least_radius: that the photo must have, px.
    """
    radius, sure = halve(whole.radius), halve(whole.confidence)
    counts = (sure >= confidence) & (half.confidence >= confidence) & (radius >= least_radius)
    ratio = radius[counts] / np.maximum(2 * half.radius[counts], 1e-6)
    return Agreement(float(np.median(ratio)) if counts.any() else float("nan"), float(counts.mean()))


def main(args: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = tyro.cli(Arguments, args=args, prog="python -m eval.tools.half_size")
    try:
        weights = jaxblur.load_weights(options.weights)
        figures: dict[str, Agreement] = {}
        for path in images.find_photos(options.photos):
            photo: Any = images.read_image(path)
            small = np.round(halve(photo.astype(np.float32))).astype(photo.dtype)
            figures[path.name] = agreement(
                jaxblur.estimate(photo, weights),
                jaxblur.estimate(small, weights),
                confidence=options.confidence,
                least_radius=options.least_radius,
            )
            ratio, fraction = figures[path.name]
            print(f"{path.name:32s} median ratio {ratio:5.2f} on {fraction:4.0%} of the pixels", flush=True)
        if options.json is not None:
            record = {
                "commit": commit(),
                "weights": hash_weights(weights),
                "confidence": options.confidence,
                "least_radius": options.least_radius,
                "photos": {name: figure._asdict() for name, figure in figures.items()},
            }
            with output.atomic_file(options.json) as file:
                file.write(json.dumps(record, indent=1).encode())
    except (ValueError, OSError) as error:
        print(f"python -m eval.tools.half_size: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
