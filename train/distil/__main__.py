"""`python -m train.distil`: small networks learn from large ones. All work is done by `train.distil.run`."""

import dataclasses
import sys
from pathlib import Path
from typing import Literal

import tyro

from jaxblur.runtime import messages


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Distil small networks from the shipped weights, and write weights for `jaxblur estimate --weights`.

    A run that was stopped, or killed, goes on where it was when the same command is given again.

    Example: python -m train.distil --photos photos --output runs/small
    """

    photos: Path
    """Folder of sharp photos; photos.csv and coco_instances.json in it are used."""
    output: Path
    """Folder of the run: views, checkpoints, curves, and in the end variables.safetensors and weights.safetensors."""
    preset: Literal["small", "smoke"] = "small"
    """Whose networks are trained."""
    teacher: Path | None = None
    """Weights to learn from; those that ship by default."""
    initial: Path | None = None
    """Start from the variables.safetensors of an earlier run instead of random numbers."""
    steps: int | None = None
    """Steps instead of 30,000."""
    points: int | None = None
    """Points per step instead of 128; more suits an accelerator."""
    taught_files: int | None = None
    """Files of 128 views that the teacher reads, instead of 160; on one CPU core, 2 each minute."""
    labelled_files: int | None = None
    """Files of 352 views with the truth alone, instead of 160; on one CPU core, 2 each minute."""
    scenes: int | None = None
    """Composed scenes that views are cut from, instead of 320; on one CPU core, 3 each second."""
    seed: int = 0
    """Of every random choice."""
    max_seconds: float | None = None
    """Save and stop after this time of training; the same command goes on."""
    validate_every: int = 2000
    """Steps between validations."""
    allow_config_change: bool = False
    """Go on with a run although its settings differ from those it was started with."""


def main(args: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done or stopped on request, 2 for bad input."""
    options = tyro.cli(Arguments, args=args, prog="python -m train.distil")
    messages.hide_compiler_messages()
    # Heavy imports come after the arguments are known to be good.
    try:
        from jaxblur.weights import load_weights
        from train.__main__ import show_log
        from train.checkpoints import CheckpointError
        from train.data.config import DataConfig
        from train.distil.config import DistilConfig
        from train.distil.run import run
        from train.loop import NonFiniteError
        from train.presets import PRESETS
        from train.run import RunOptions
        from train.writers import CONSOLE
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("jaxblur", "train"):
            raise
        print(f'python -m train.distil: lacks {error.name}; pip install "jaxblur[train]"', file=sys.stderr)
        return 2
    show_log(CONSOLE)
    try:
        names = ("steps", "points", "taught_files", "labelled_files", "scenes")
        given = {name: value for name in names if (value := getattr(options, name)) is not None}
        config = PRESETS[options.preset](DataConfig(photos=options.photos))
        config = dataclasses.replace(config, seed=options.seed, initial=options.initial)
        run_options = RunOptions(
            max_seconds=options.max_seconds,
            log_every=50,
            validate_every=options.validate_every,
            save_every=500,
            allow_config_change=options.allow_config_change,
        )
        run(config, DistilConfig(**given), options.output, run_options, teacher=load_weights(options.teacher))
    except (ValueError, OSError, CheckpointError, NonFiniteError) as error:
        print(f"python -m train.distil: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
