"""A whole run: B-Net, then E-Net on its f1-NET, then how their readings spread, then the weights file."""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxblur.network.weights import Weights, hash_weights
from jaxblur.weights import save_weights
from train import loop
from train.config import STAGES, TrainConfig
from train.data.source import Source, Split, open_source
from train.export import trained
from train.scenes.compose import scene_source
from train.scenes.views import SceneViews
from train.stages import depth_validation
from train.stages.joint import JointStage
from train.stages.multiscale import DenseStage
from train.stages.networks import BlurStage, EdgeStage, stage_config
from train.writers import read_curve

_log = logging.getLogger(__name__)
_HANDOVER = "blur.safetensors"
_HELD_OUT_SCENES = 16  # for the validation of the stages that see scenes of the networks

Scenes = tuple[SceneViews, SceneViews] | None
"""Scenes to train on, and held-out ones; None for a preset without."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What decides how a run goes, not what it gives."""

    max_seconds: float | None = None
    log_every: int = 10
    validate_every: int = 500
    save_every: int = 100
    allow_config_change: bool = False


def run(
    config: TrainConfig, folder: Path, options: RunOptions, *, stages: Sequence[str] = STAGES[:3]
) -> Path | None:
    """Train the stages in `folder`, going on where an earlier call stopped, and write `weights.safetensors` there.

    Args:
      config: of the run.
      folder: of the run.
      options: see `RunOptions`.
      stages: which of `STAGES`, or none of them. The parts of a network stage that is left out are those of
        `config.initial`; without "dense" and `config.third_stage` the weights are two-stage ones.

    Returns:
      The weights file, or None if the run was told to stop before its end. `variables.safetensors` beside it can be
      `config.initial` of another run.

    Raises:
      ValueError, FileNotFoundError: the photos, `config.initial` or `config.third_stage` cannot be used, see
        `open_source`, `load_initial`, `load_third_stage`.
      loop.NonFiniteError, checkpoints.CheckpointError, checkpoints.ConfigChangedError: see there.
    """
    third, third_facts = None, {}
    if config.third_stage is not None:
        third, third_facts = trained.load_third_stage(config.third_stage, config.network)
    if "joint" in stages and "dense" not in stages and third is None:
        raise ValueError(
            f"the stage joint goes on from the stage dense, which is not among {','.join(stages)}, or --third-stage"
        )
    if third is not None and "dense" in stages:
        raise ValueError(f"the third stage is either trained or that of {config.third_stage}, got both")
    if "joint" in stages and not config.scenes:
        raise ValueError(f"the stage joint trains on composed scenes, got the preset {config.preset} without")
    initial, before = trained.load_initial(config.initial, config.network) if config.initial else (None, {})
    scenes = None if set(stages) <= {"dense"} else _network_scenes(config, folder)
    if "blur" in stages:
        blur = _blur_variables(config, folder, options, initial, scenes)
    else:
        blur = _of_initial(config, initial, BlurStage.parts)
    if blur is None:
        return None
    own = stage_config(config, "edges")
    source = open_source(own.data)
    if "edges" in stages:
        edges = _edge_variables(own, source, folder, options, initial, blur, scenes)
    else:
        edges = _of_initial(config, initial, EdgeStage.parts)
    if edges is None:
        return None
    facts = _facts(folder, before)
    params, network = trained.assemble(blur, edges, config.network)
    calibration = depth_validation.held_out_depth(source, own, split="train")
    params, threshold = trained.calibrate_depth(params, network, calibration)
    facts["depth_threshold_before_calibration"] = threshold
    if "dense" in stages:
        two_stage = trained.make_weights(params, network, config, facts, source.licences())
        third = _spread_parameters(config, folder, options, two_stage)
        if third is None:
            return None
        third_facts = _facts(folder, {}, names=("dense",))
    if third is not None:
        params, network = {**params, "spread": third}, dataclasses.replace(network, pyramid=True)
        facts = {**facts, **third_facts}
    if "joint" in stages:
        three_stage = trained.make_weights(params, network, config, facts, source.licences())
        params = _joint_parameters(config, folder, options, three_stage, scenes)
        if params is None:
            return None
        facts = {**facts, **_facts(folder, {}, names=("joint",))}
    weights = trained.make_weights(params, network, config, facts, source.licences())
    path = folder / "weights.safetensors"
    if jax.process_index() == 0:
        both = {kind: {**blur[kind], **edges[kind]} for kind in edges}
        folder.mkdir(parents=True, exist_ok=True)  # without a stage nothing was put there so far
        trained.save_variables(folder / "variables.safetensors", both, facts)
        save_weights(path, weights)
        _log.info("weights written to %s", path)
    return path


def _blur_variables(
    config: TrainConfig, folder: Path, options: RunOptions, initial: Any, scenes: Scenes
) -> dict[str, Any] | None:
    """Variables of f1-NET and B-Net; None if the stage was told to stop."""
    handover = folder / _HANDOVER
    if not handover.exists():
        own = stage_config(config, "blur")
        stage = BlurStage(own, open_source(own.data), initial, scenes)
        state = _train(stage, folder, options, initial=config.initial)
        if int(state.step) < config.blur.steps:
            return None
        trained.save_variables(handover, stage.averaged(state))
    return trained.load_variables(handover)[0]


def _network_scenes(config: TrainConfig, folder: Path) -> Scenes:
    """What the first two stages cut views from, and the fourth is trained on."""
    if not config.scenes:
        return None
    source = scene_source(dataclasses.replace(config.data, seed=config.seed), config.network_scene)

    def composed(count: int, split: Split) -> SceneViews:
        return SceneViews(folder, source, config.network_scene, count=count, split=split)

    return composed(config.scenes, "train"), composed(_HELD_OUT_SCENES, "held_out")


def _edge_variables(
    config: TrainConfig,
    source: Source,
    folder: Path,
    options: RunOptions,
    initial: Any,
    blur: dict[str, Any],
    scenes: Scenes,
) -> dict[str, Any] | None:
    """Variables of f2-NET and E-Net; None if the stage was told to stop."""
    stage = EdgeStage(config, source, blur, initial, scenes)
    state = _train(stage, folder, options, initial=config.initial)
    return stage.averaged(state) if int(state.step) == config.edges.steps else None


def _spread_parameters(
    config: TrainConfig, folder: Path, options: RunOptions, weights: Weights
) -> dict[str, Any] | None:
    """Parameters of `jaxblur.multiscale.fuse`; None if the stage was told to stop."""
    own = dataclasses.replace(config, data=dataclasses.replace(config.data, seed=config.seed))
    stage = DenseStage(own, scene_source(own.data, config.scene), weights, folder / "dense")
    state = _train(stage, folder, options, weights=weights)
    return stage.averaged(state) if int(state.step) == config.dense.steps else None


def _joint_parameters(
    config: TrainConfig, folder: Path, options: RunOptions, weights: Weights, scenes: Scenes
) -> dict[str, Any] | None:
    """Parameters of networks and spreading after the fourth stage; None if the stage was told to stop."""
    assert scenes is not None  # `run` has looked
    stage = JointStage(config, weights, scenes)
    state = _train(stage, folder, options, weights=weights)
    return stage.averaged(state) if int(state.step) == config.joint.steps else None


def _of_initial(
    config: TrainConfig, initial: dict[str, Any] | None, parts: tuple[str, ...]
) -> dict[str, Any]:
    """Variables of parts that are not trained now."""
    missing = [part for part in parts if initial is None or not initial["params"].get(part)]
    if initial is None or missing:
        raise ValueError(
            f"stages: without the stage that trains them, {' and '.join(missing)} must come from --initial, "
            f"got {config.initial or 'none'}"
        )
    return {kind: {part: tree.get(part, {}) for part in parts} for kind, tree in initial.items()}


def _train(
    stage: Any,
    folder: Path,
    options: RunOptions,
    *,
    initial: Path | None = None,
    weights: Weights | None = None,
) -> Any:
    """State of a stage after its training, or as far as it got; `initial` and `weights` are what it starts from."""
    config: TrainConfig = stage.config
    settings = json.loads(json.dumps(dataclasses.asdict(config), default=str))
    settings["data"].pop("photos")  # the same photos may lie elsewhere when a run goes on
    settings.pop("initial")
    settings.pop("third_stage")
    for later in STAGES[STAGES.index(stage.name) + 1 :]:
        settings.pop(later)
    if initial is not None:
        settings["initial"] = hashlib.sha256(initial.read_bytes()).hexdigest()
    if weights is not None:
        settings["weights"] = hash_weights(weights)
    state = loop.run(
        stage,
        workdir=folder / stage.name,
        config_dict=settings,
        num_steps=stage.stage.steps,
        seed=config.seed,
        log_every=options.log_every,
        validate_every=options.validate_every,
        save_every=options.save_every,
        allow_config_change=options.allow_config_change,
        max_seconds=options.max_seconds,
    )
    return jax.tree.map(np.asarray, state)


def _facts(
    folder: Path, before: dict[str, Any], *, names: Sequence[str] = ("blur", "edges")
) -> dict[str, Any]:
    """Samples and steps of each stage, with those of the run it started from, and its last validation."""
    out: dict[str, Any] = {}
    for name in names:
        out |= {key: value for key, value in before.items() if key.startswith(f"{name}_")}
        curve = folder / name / "curve.jsonl"
        lines = read_curve(curve) if curve.exists() else []  # none: the stage was not trained here
        for key, count in (("step", f"{name}_steps"), ("samples", f"{name}_samples")) if lines else ():
            out[count] = before.get(count, 0) + lines[-1][key]
        validations = [line for line in lines if line["kind"] == "validation"]
        if validations:
            skip = ("kind", "step", "samples", "seconds")
            out[f"{name}_validation"] = {k: round(v, 4) for k, v in validations[-1].items() if k not in skip}
    return out
