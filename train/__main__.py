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
from jaxblur.runtime import messages
from jaxblur.runtime.compiler import compile_fast
from train.config import STAGES, TrainConfig, scale_rates, step_rows
from train.data.config import DataConfig
from train.presets import PRESETS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Train B-Net, E-Net and the multiscale stage, and write weights for `jaxblur estimate --weights`.

    A run that was stopped, or killed, goes on where it was when the same command is given again.

    Example: python -m train --preset smoke --photos examples --output runs/smoke
    """

    output: Path
    """Folder of the run: checkpoints, curves, and in the end variables.safetensors and weights.safetensors."""
    photos: Path | None = None
    """Folder of sharp photos; photos.csv and coco_instances.json in it are used."""
    tfds: tuple[str, ...] = ()
    """TFDS data sets to train on instead: imagenet2012, coco/2017, hku_is."""
    tfds_dir: Path | None = None
    """Folder of prepared TFDS data sets."""
    preset: Literal["default", "small", "paper", "smoke"] = "default"
    """default: the best recipe found; small: the same for small networks, see train.distil; paper: what is known of the
    paper's; smoke: a few steps of tiny networks, to see that it runs."""
    blur_steps: int | None = None
    """Steps of the first stage, B-Net, instead of the preset's."""
    edge_steps: int | None = None
    """Steps of the second stage, E-Net, instead of the preset's."""
    multiscale_steps: int | None = None
    """Steps of the third stage, which makes one map of the readings of all scales, instead of the preset's."""
    joint_steps: int | None = None
    """Steps of the fourth stage, everything at once, instead of the preset's."""
    network_scenes: int | None = None
    """Composed scenes that B-Net and E-Net see views of, instead of the preset's; on one CPU core, 3 each second."""
    multiscale_scenes: int | None = None
    """Composed scenes that the third stage trains on, instead of the preset's; the networks read each once."""
    stages: str | None = None
    """Of blur,edges,multiscale (of the preset paper two) and joint, for accelerators; what is left out comes from
    --initial. none: writes weights of --initial as it is."""
    contents: int | None = None
    """Sharp crops per step over all devices, in stages one and two, instead of the preset's; more suits an
    accelerator."""
    rate: float = 1.0
    """Factor on the preset's learning rates of both networks; below 1 suits a short run that goes on."""
    precision: Precision = "float32"
    """Of the factors in the networks' products; bfloat16 is faster on CPUs that multiply it."""
    initial: Path | None = None
    """Start from the variables.safetensors of an earlier run instead of random numbers."""
    multiscale: Path | None = None
    """Take the multiscale stage of this weights.safetensors instead of training one; for networks trained a little
    more."""
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
    """Names of the stages to train."""
    if options.stages is None:
        two = options.preset == "paper" or options.multiscale is not None
        return STAGES[:2] if two else STAGES[:3]
    return () if options.stages == "none" else tuple(options.stages.split(","))


def _config(options: Arguments) -> TrainConfig:
    """The preset's settings, changed as the options say."""
    data = DataConfig(photos=options.photos, tfds=options.tfds, tfds_dir=options.tfds_dir)
    config = dataclasses.replace(
        PRESETS[options.preset](data),
        precision=options.precision,
        seed=options.seed,
        initial=options.initial,
        multiscale_from=options.multiscale,
    )
    changes = {
        "blur": {"steps": options.blur_steps, "contents": options.contents},
        "edges": {"steps": options.edge_steps, "contents": options.contents},
        "multiscale": {"steps": options.multiscale_steps, "training_scenes": options.multiscale_scenes},
        "joint": {"steps": options.joint_steps},
    }
    for stage, values in changes.items():
        given = {name: value for name, value in values.items() if value is not None}
        config = dataclasses.replace(config, **{stage: dataclasses.replace(getattr(config, stage), **given)})
    if options.network_scenes is not None:
        config = dataclasses.replace(config, network_scene_count=options.network_scenes)
    return scale_rates(config, options.rate)


def main(args: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done or stopped on request, 2 for bad input."""
    options = tyro.cli(Arguments, args=args, prog="python -m train")
    if options.preset == "smoke":
        compile_fast()
    messages.hide_compiler_messages()
    # Heavy imports come after the arguments are known to be good.
    try:
        from jaxblur.runtime import parallel
        from train import run as training
        from train.checkpoints import CheckpointError
        from train.loop import NonFiniteError
        from train.writers import CONSOLE
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("jaxblur", "train"):
            raise
        print(f'python -m train: lacks {error.name}; pip install "jaxblur[train]"', file=sys.stderr)
        return 2
    show_log(CONSOLE)
    try:
        if options.coordinator is not None:
            automatic = options.coordinator == "auto"
            parallel.initialise_distributed(
                None if automatic else options.coordinator, options.num_processes, options.process_id
            )
        config = _config(options)
        if options.coordinator is None:
            parallel.split_cpu(step_rows(config))
        run_options = training.RunOptions(
            max_seconds=options.max_seconds,
            validate_every=options.validate_every,
            allow_config_change=options.allow_config_change,
        )
        training.run(config, options.output, run_options, stages=_stages(options))
    except (ValueError, OSError, CheckpointError, NonFiniteError) as error:
        print(f"python -m train: {error}", file=sys.stderr)
        return 2
    return 0


def show_log(console: Console) -> None:
    """Log lines on the console of the progress bar, so that they appear above it; not those of noisy libraries.

    `force`, since some libraries have set up the log by the time they are imported.
    """
    handler = RichHandler(console=console, show_path=False)
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler], force=True)
    for noisy in ("absl", "orbax", "jax"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main())
