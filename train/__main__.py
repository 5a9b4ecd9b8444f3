"""`python -m train`: train the stages and write weights. All work is done by `train.run`."""

import dataclasses
import logging
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.logging import RichHandler

from jaxblur.config import Precision
from train.config import PRESETS, STAGES, scale_rates, step_rows
from train.data.source import DataConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Train B-Net, then E-Net, then the dense map, and write weights for `jaxblur estimate --weights`.

    A run that was stopped, or killed, goes on where it was when the same command is given again.

    Example: python -m train --preset smoke --photos examples --output runs/smoke
    """

    output: Path
    """Folder of the run: checkpoints, curves, and in the end weights.safetensors."""
    photos: Path | None = None
    """Folder of sharp photos; photos.csv and coco_instances.json in it are used."""
    tfds: tuple[str, ...] = ()
    """TFDS data sets to train on instead: imagenet2012, coco/2017, hku_is."""
    tfds_dir: Path | None = None
    """Folder of prepared TFDS data sets."""
    preset: Literal["default", "paper", "smoke"] = "default"
    """default: the best recipe found; paper: what is known of the paper's; smoke: a minute, to see that it runs."""
    blur_steps: int | None = None
    """Steps of the first stage, B-Net, instead of the preset's."""
    edge_steps: int | None = None
    """Steps of the second stage, E-Net, instead of the preset's."""
    dense_steps: int | None = None
    """Steps of the third stage, the dense map, instead of the preset's."""
    joint_steps: int | None = None
    """Steps of the fourth stage, everything at once, instead of the preset's."""
    network_scenes: int | None = None
    """Composed scenes that B-Net and E-Net see views of, instead of the preset's; on one CPU core, 3 each second."""
    scenes: int | None = None
    """Composed scenes that the third stage trains on, instead of the preset's; the networks read each once."""
    stages: str | None = None
    """Of blur,edges,dense (of the preset paper two) and joint, for accelerators; other networks come from --initial.
    none: writes weights of --initial as it is."""
    contents: int | None = None
    """Sharp crops per step over all devices, in both stages, instead of the preset's; more suits an accelerator."""
    rate: float = 1.0
    """Factor on the preset's learning rates of both networks; below 1 suits a short run that goes on."""
    precision: Precision = "float32"
    """Of the factors in the networks' products; bfloat16 is faster on CPUs that multiply it."""
    initial: Path | None = None
    """Start from the variables.safetensors of an earlier run instead of random numbers."""
    third_stage: Path | None = None
    """Take the third stage of this weights.safetensors instead of training one; for networks trained a little more."""
    seed: int = 0
    """Of every random choice."""
    max_seconds: float | None = None
    """Save and stop after this time in a stage; the same command goes on."""
    validate_every: int = 500
    """Steps between validations."""
    allow_config_change: bool = False
    """Go on with a run although its settings differ from those it was started with."""
    coordinator: str | None = None
    """host:port of the first process, to train with several hosts; on TPU pods "auto"."""
    num_processes: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Number of processes, with --coordinator host:port."""
    process_id: Annotated[int | None, tyro.conf.arg(metavar="I")] = None
    """Number of this process, with --coordinator host:port."""


def _stages(options: Arguments) -> tuple[str, ...]:
    """Names of the stages to train, checked."""
    if options.stages is None:
        two = options.preset == "paper" or options.third_stage is not None
        return STAGES[:2] if two else STAGES[:3]
    if options.stages == "none":
        return ()
    given = tuple(options.stages.split(","))
    if unknown := [name for name in given if name not in STAGES]:
        raise ValueError(f"stages must be some of {','.join(STAGES)}, got {unknown[0]!r}")
    return given


def main(args: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done or stopped on request, 2 for bad input."""
    options = tyro.cli(Arguments, args=args, prog="python -m train")
    logging.basicConfig(
        level=logging.INFO,
        format="%(message)s",
        handlers=[RichHandler(console=Console(stderr=True), show_path=False)],
    )
    for noisy in ("absl", "orbax", "jax"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    # Heavy imports come after the arguments are known to be good.
    from jaxblur.runtime import parallel
    from train import run as training
    from train.checkpoints import CheckpointError, ConfigChangedError
    from train.loop import NonFiniteError

    try:
        if options.coordinator is not None:
            automatic = options.coordinator == "auto"
            parallel.initialise_distributed(
                None if automatic else options.coordinator, options.num_processes, options.process_id
            )
        data = DataConfig(photos=options.photos, tfds=options.tfds, tfds_dir=options.tfds_dir)
        config = dataclasses.replace(
            PRESETS[options.preset](data),
            precision=options.precision,
            seed=options.seed,
            initial=options.initial,
            third_stage=options.third_stage,
        )
        changes = {
            "blur": {"steps": options.blur_steps, "contents": options.contents},
            "edges": {"steps": options.edge_steps, "contents": options.contents},
            "dense": {"steps": options.dense_steps, "scenes": options.scenes},
            "joint": {"steps": options.joint_steps},
        }
        for stage, values in changes.items():
            given = {name: value for name, value in values.items() if value is not None}
            config = dataclasses.replace(
                config, **{stage: dataclasses.replace(getattr(config, stage), **given)}
            )
        if options.network_scenes is not None:
            config = dataclasses.replace(config, scenes=options.network_scenes)
        config = scale_rates(config, options.rate)
        if options.coordinator is None:
            parallel.split_cpu(step_rows(config))
        run_options = training.RunOptions(
            max_seconds=options.max_seconds,
            validate_every=options.validate_every,
            allow_config_change=options.allow_config_change,
        )
        training.run(config, options.output, run_options, stages=_stages(options))
    except (ValueError, OSError, CheckpointError, ConfigChangedError, NonFiniteError) as error:
        print(f"python -m train: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
