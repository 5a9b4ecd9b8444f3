"""A whole run: B-Net, then E-Net on its f1-NET, then the weights file."""

import dataclasses
import hashlib
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
      The weights file, or None if the run was told to stop before its end. `variables.safetensors` beside it can be
      `config.initial` of another run.

    Raises:
      ValueError, FileNotFoundError: the photos or `config.initial` cannot be used, see `open_source`, `load_initial`.
      loop.NonFiniteError, checkpoints.CheckpointError, checkpoints.ConfigChangedError: see there.
    """
    handover = folder / _HANDOVER
    initial, before = export.load_initial(config.initial, config.network) if config.initial else (None, {})
    if not handover.exists():
        stage, state = _train(config, "blur", folder, options, lambda c, s: BlurStage(c, s, initial))
        if int(state.step) < config.blur.steps:
            return None
        export.save_variables(handover, stage.averaged(state))
    blur, _ = export.load_variables(handover)

    stage, state = _train(config, "edges", folder, options, lambda c, s: EdgeStage(c, s, blur, initial))
    if int(state.step) < config.edges.steps:
        return None
    edges = stage.averaged(state)
    facts = _facts(folder, before)
    params, network = export.assemble(blur, edges, config.network)
    scenes = depth_validation.held_out_depth(stage.source, stage.config, split="train")
    params, threshold = export.calibrate_depth(params, network, scenes)
    facts["depth_threshold_before_calibration"] = threshold
    weights = export.make_weights(params, network, config, facts, stage.source.licences())
    path = folder / "weights.safetensors"
    if jax.process_index() == 0:
        both = {kind: {**blur[kind], **edges[kind]} for kind in edges}
        export.save_variables(folder / "variables.safetensors", both, facts)
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
    settings.pop("initial")
    if config.initial is not None:
        settings["initial"] = hashlib.sha256(config.initial.read_bytes()).hexdigest()
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


def _facts(folder: Path, before: dict[str, Any]) -> dict[str, Any]:
    """Samples and steps of each stage, with those of the run it started from, and its last validation."""
    out: dict[str, Any] = {}
    for name in ("blur", "edges"):
        lines = read_curve(folder / name / "curve.jsonl")
        for key, count in (("step", f"{name}_steps"), ("samples", f"{name}_samples")) if lines else ():
            out[count] = before.get(count, 0) + lines[-1][key]
        validations = [line for line in lines if line["kind"] == "validation"]
        if validations:
            skip = ("kind", "step", "samples", "seconds")
            out[f"{name}_validation"] = {k: round(v, 4) for k, v in validations[-1].items() if k not in skip}
    return out
