"""`python -m train.tools.ablate`: weights without one piece of the multiscale stage, to evaluate beside the whole.

    python -m train.tools.ablate --output ablated
    python -m eval folder=scenes --unit radius --methods jaxblur jaxblur=ablated/no-steps.safetensors --output results

The other parameters stay as trained with the piece, so a piece looks a little more useful than it is.
"""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from jaxblur.network.weights import Weights
from jaxblur.weights import load_weights, save_weights

_NONE = -40.0  # as a logarithm: nothing

Parameters = dict[str, Any]


def _no_opinion(parameters: Parameters) -> Parameters:
    guide = parameters["guide"]
    return parameters | {"guide": guide | {"kernel_last": guide["kernel_last"] * 0}}


PIECES: dict[str, tuple[str, Callable[[Parameters], Parameters]]] = {
    "one-scale": (
        "only the photo itself is read, not its smaller copies",
        lambda p: p | {"scale_weight": p["scale_weight"].at[1:].set(_NONE)},
    ),
    "one-extent": (
        "one filter, of the middle extent, instead of three",
        lambda p: p | {"share": p["share"].at[np.asarray([0, 2])].set(_NONE)},
    ),
    "no-depth-edges": (
        "E-Net is not asked: all edges are read, and none stops the filter",
        lambda p: (
            _no_opinion(p) | {"penalty": p["penalty"] * 0 + _NONE, "powers": p["powers"].at[2].set(0.0)}
        ),
    ),
    "fine-depth-edges": (
        "depth edges of the photo itself stop the filter, those of its smaller copies do not",
        lambda p: p | {"penalty": p["penalty"].at[1:].set(_NONE)},
    ),
    "no-steps": (
        "steps of the photo do not stop the filter",
        lambda p: p | {"range": p["range"] * 0 - _NONE},
    ),
    "no-guide-network": (
        "all steps of the photo stop the filter alike",
        _no_opinion,
    ),
    "no-weights": (
        "all readings of all scales count alike",
        lambda p: (
            p
            | {name: p[name] * 0 for name in ("level_weight", "scale_weight")}
            | {"powers": p["powers"].at[:2].set(0.0)}
        ),
    ),
}
"""Name of a piece -> what happens without it, and the parameters of the third stage without it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Write weights, each without one piece of the third stage: NAME.safetensors for each."""

    output: Path
    """Folder for them; made if it does not exist."""
    weights: Path | None = None
    """Weights with a third stage; those shipped by default."""


def without(weights: Weights, piece: str) -> Weights:
    """Weights whose third stage lacks one of `PIECES`.

    Raises:
      ValueError: there is no such piece, or the weights have no third stage.
    """
    if piece not in PIECES:
        raise ValueError(f"piece must be one of {', '.join(PIECES)}, got {piece!r}")
    if not weights.network.pyramid:
        raise ValueError("weights must have a third stage, these have two")
    text, change = PIECES[piece]
    params = weights.variables["params"]
    variables = weights.variables | {"params": params | {"spread": change(params["spread"])}}
    return dataclasses.replace(weights, variables=variables, metadata=weights.metadata | {"ablation": text})


def main(args: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = tyro.cli(Arguments, args=args, prog="python -m train.tools.ablate")
    try:
        weights = load_weights(options.weights)
        options.output.mkdir(parents=True, exist_ok=True)
        for piece, (text, _) in PIECES.items():
            save_weights(options.output / f"{piece}.safetensors", without(weights, piece))
            print(f"{piece}.safetensors: {text}")
    except (ValueError, OSError) as error:
        print(f"python -m train.tools.ablate: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
