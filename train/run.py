"""A whole run: B-Net, then E-Net on its f1-NET, then the weights file."""

import dataclasses
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxblur.weights import save_weights
from train import depth_validation, export, loop
from train.config import TrainConfig
from train.data.source import Source, open_source
from train.stages import BlurStage, EdgeStage, stage_config
from train.writers import read_curve

_log = logging.getLogger(__name__)
_HANDOVER = "blur.safetensors"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What decides how a run goes, not what it gives."""

    max_seconds: float | None = None
    log_every: int = 10
    validate_every: int = 500
    save_every: int = 100
    allow_config_change: bool = False


def run(config: TrainConfig, folder: Path, options: RunOptions) -> Path | None:
    """Train both stages in `folder`, going on where an earlier call stopped, and write `weights.safetensors` there.

    Returns:
      The weights file, or None if the run was told to stop before its end.

    Raises:
      ValueError, FileNotFoundError: the photos cannot be used, see `open_source`.
      loop.NonFiniteError, checkpoints.CheckpointError, checkpoints.ConfigChangedError: see there.
    """
    handover = folder / _HANDOVER
    if not handover.exists():
        stage, state = _train(config, "blur", folder, options, BlurStage)
        if int(state.step) < config.blur.steps:
            return None
        export.save_variables(handover, stage.averaged(state))
    blur = export.load_variables(handover)

    stage, state = _train(config, "edges", folder, options, lambda c, source: EdgeStage(c, source, blur))
    if int(state.step) < config.edges.steps:
        return None
    params, network = export.assemble(blur, stage.averaged(state), config.network)
    scenes = depth_validation.held_out_depth(stage.source, stage.config, split="train")
    params, threshold = export.calibrate_depth(params, network, scenes)
    facts = {"depth_threshold_before_calibration": threshold, **_facts(folder)}
    weights = export.make_weights(params, network, config, facts, stage.source.licences())
    path = folder / "weights.safetensors"
    if jax.process_index() == 0:
        save_weights(path, weights)
        _log.info("weights written to %s", path)
    return path


def _train(
    config: TrainConfig,
    name: str,
    folder: Path,
    options: RunOptions,
    make: Callable[[TrainConfig, Source], Any],
) -> tuple[Any, Any]:
    own = stage_config(config, name)
    stage = make(own, open_source(own.data))
    settings = json.loads(json.dumps(dataclasses.asdict(own), default=str))
    settings["data"].pop("photos")  # the same photos may lie elsewhere when a run goes on
    state = loop.run(
        stage,
        workdir=folder / name,
        config_dict=settings,
        num_steps=stage.stage.steps,
        seed=config.seed,
        log_every=options.log_every,
        validate_every=options.validate_every,
        save_every=options.save_every,
        allow_config_change=options.allow_config_change,
        max_seconds=options.max_seconds,
    )
    return stage, jax.tree.map(np.asarray, state)


def _facts(folder: Path) -> dict[str, Any]:
    """Samples, steps and last validation of each stage, from their curves."""
    out: dict[str, Any] = {}
    for name in ("blur", "edges"):
        lines = read_curve(folder / name / "curve.jsonl")
        if lines:
            out[f"{name}_steps"], out[f"{name}_samples"] = lines[-1]["step"], lines[-1]["samples"]
        validations = [line for line in lines if line["kind"] == "validation"]
        if validations:
            skip = ("kind", "step", "samples", "seconds")
            out[f"{name}_validation"] = {k: round(v, 4) for k, v in validations[-1].items() if k not in skip}
    return out
