"""`python -m train.tools.ablate`: weights without one piece of the multiscale stage, to evaluate beside the whole.

    python -m train.tools.ablate --output ablated
    python -m eval folder=scenes --unit radius --methods jaxblur jaxblur=ablated/one-scale.safetensors --output out

The other parameters stay as trained with the piece, so a piece looks a little more useful than it is.
"""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from jaxblur.multiscale.parameters import MultiscaleParameters
from jaxblur.network.weights import Weights
from jaxblur.weights import load_weights, save_weights

_NONE = -40.0  # as a logarithm: nothing

Parameters = MultiscaleParameters


def _change(**changes: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Parameters with some of their arrays changed."""
    return lambda p: p.replace(**{name: change(getattr(p, name)) for name, change in changes.items()})


def _zero(array: Any) -> Any:
    return array * 0


def _no_opinion(guide: dict[str, Any]) -> dict[str, Any]:
    return guide | {"kernel_last": guide["kernel_last"] * 0}


PIECES: dict[str, tuple[str, Callable[[Parameters], Parameters]]] = {
    "one-scale": (
        "only the photo itself is read, not its smaller copies",
        _change(scale_weight=lambda a: a.at[1:].set(_NONE)),
    ),
    "one-extent": (
        "one filter, of the middle extent, instead of three",
        _change(extent_weight=lambda a: a.at[np.asarray([0, 2])].set(_NONE)),
    ),
    "no-depth-edges": (
        "E-Net is not asked: all edges are read, and none stops the filter",
        _change(
            guide=_no_opinion,
            depth_penalty=lambda a: a * 0 + _NONE,
            exponents=lambda a: a.at[2].set(0.0),
        ),
    ),
    "fine-depth-edges": (
        "depth edges of the photo itself stop the filter, those of its smaller copies do not",
        _change(depth_penalty=lambda a: a.at[1:].set(_NONE)),
    ),
    "no-gradients": (
        "gradients of the photo do not stop the filter",
        _change(gradient_range=lambda a: a * 0 - _NONE),
    ),
    "no-guide-network": (
        "all gradients of the photo stop the filter alike",
        _change(guide=_no_opinion),
    ),
    "no-weights": (
        "all readings of all scales count alike",
        _change(level_weight=_zero, scale_weight=_zero, exponents=lambda a: a.at[:2].set(0.0)),
    ),
}
"""Name of a piece -> what happens without it, and the parameters of the fusion without it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Write weights, each without one piece of the multiscale stage: NAME.safetensors for each."""

    output: Path
    """Folder for them; made if it does not exist."""
    weights: Path | None = None
    """Weights with a multiscale stage; those shipped by default."""


def without(weights: Weights, piece: str) -> Weights:
    """Weights whose multiscale stage lacks one of `PIECES`.

    Raises:
      ValueError: there is no such piece, or the weights have no multiscale stage.
    """
    if piece not in PIECES:
        raise ValueError(f"piece must be one of {', '.join(PIECES)}, got {piece!r}")
    if weights.multiscale is None:
        raise ValueError("weights must have a multiscale stage, these have none")
    text, change = PIECES[piece]
    return dataclasses.replace(
        weights, multiscale=change(weights.multiscale), metadata=weights.metadata | {"ablation": text}
    )


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
