"""A whole run: B-Net, then E-Net on its f1-NET, then the multiscale stage on their readings, then all jointly."""

import contextlib
import dataclasses
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxblur.files.output import folder_lock
from jaxblur.multiscale.parameters import MultiscaleParameters
from jaxblur.network.weights import Weights
from jaxblur.weights import save_weights
from train import loop, renamed
from train.config import STAGES, TrainConfig
from train.export.facts import stage_facts
from train.export.variables import Variables, load_variables, merge, pick, save_variables
from train.export.weights import make_weights, with_metadata
from train.prepare import BLUR_FILE, HELD_OUT_SCENES, Plan, prepare, stage_settings, weights_hash
from train.scenes.views import SceneViews
from train.stages import depth_validation
from train.stages.joint import JointStage
from train.stages.multiscale import MultiscaleStage
from train.stages.networks import BlurStage, EdgeStage, stage_config
from train.streams import Split

_log = logging.getLogger(__name__)

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


class _StoppedError(Exception):
    """A stage was told to stop before its end."""


def run(
    config: TrainConfig, folder: Path, options: RunOptions, *, stages: Sequence[str] = STAGES[:3]
) -> Path | None:
    """Train the stages in `folder`, going on where an earlier call stopped, and write what there is to write.

    `variables.safetensors` has the networks as they are trained, and can be `config.initial` of another run;
    `weights.safetensors` is for `jaxblur.load_weights`, and needs all parts of both networks.

    Args:
      config: of the run.
      folder: of the run.
      options: see `RunOptions`.
      stages: which of `STAGES`, or none of them. The parts of a network stage that is left out are those of
        `config.initial`; without "multiscale" and `config.multiscale_from` the weights are single-scale ones.

    Returns:
      The weights file; None if the run was told to stop before its end, or trained B-Net alone.

    Raises:
      ValueError: another run is writing to the folder.
      ValueError, FileNotFoundError, OSError, ConfigChangedError: before the first step, see `prepare`.
      loop.NonFiniteError, checkpoints.CheckpointError: see there.
    """
    plan = prepare(config, folder, stages, allow_config_change=options.allow_config_change)
    try:
        with alone_in(folder):
            return _train_stages(plan, options)
    except _StoppedError:
        return None


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other runs out of the folder, once for all hosts; the system lifts the lock of a process that dies."""
    with contextlib.ExitStack() as stack:
        if jax.process_index() == 0:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                stack.enter_context(folder_lock(folder, wait=False))
            except BlockingIOError:
                raise ValueError(
                    f"output {folder}: another run is writing to it; wait for it, or take another --output"
                ) from None
        yield


def _train_stages(plan: Plan, options: RunOptions) -> Path | None:
    """The stages in their order, each on what those before left."""
    scenes = _network_scenes(plan)
    variables = plan.variables or {"params": {}, "batch_stats": {}}
    if "blur" in plan.stages:
        variables = merge(variables, _train_blur(plan, options, scenes))
    if "edges" in plan.stages:
        variables = merge(variables, _train_edges(plan, options, scenes, variables))
    facts = {**_facts(plan.folder, "blur", plan.facts), **_facts(plan.folder, "edges", plan.facts)}
    write_once(plan.folder / "variables.safetensors", save_variables, variables, facts)
    if not plan.weights:
        _log.info(
            "weights.safetensors needs E-Net too: go on with --stages edges,multiscale --initial %s",
            plan.folder / "variables.safetensors",
        )
        return None

    edges = stage_config(plan.config, "edges")
    source = plan.sources["edges"]
    composites = depth_validation.held_out_depth(source, edges, split="train")
    weights, threshold = make_weights(variables, plan.config, composites)
    facts["depth_threshold_before_calibration"] = threshold
    if plan.multiscale is not None:
        weights, facts = _fused(weights, plan.multiscale), {**facts, **plan.multiscale_facts}
    if "multiscale" in plan.stages:
        weights = _fused(weights, _train_multiscale(plan, options, weights))
        facts |= _facts(plan.folder, "multiscale")
    if "joint" in plan.stages:
        weights = _train_joint(plan, options, weights, scenes)
        facts |= _facts(plan.folder, "joint")
    weights = with_metadata(weights, plan.config, facts, source.licences())
    return write_once(plan.folder / "weights.safetensors", save_weights, weights)


def _network_scenes(plan: Plan) -> Scenes:
    """What the first two stages cut views from, and the fourth is trained on."""
    if "scenes" not in plan.sources:
        return None
    source = plan.sources["scenes"]

    def composed(count: int, split: Split) -> SceneViews:
        return SceneViews(plan.folder, source, plan.config.network_scene, count=count, split=split)

    return composed(plan.config.network_scene_count, "train"), composed(HELD_OUT_SCENES, "held_out")


def _train_blur(plan: Plan, options: RunOptions, scenes: Scenes) -> Variables:
    """Variables of f1-NET and B-Net."""
    path = plan.folder / BLUR_FILE
    if not path.exists():
        own = stage_config(plan.config, "blur")
        stage = BlurStage(own, plan.sources["blur"], plan.variables, scenes)
        state = _train(stage, plan, options, stage_settings(plan.config, "blur"))
        save_variables(path, stage.averaged(state))
    return load_variables(path)[0]


def _train_edges(plan: Plan, options: RunOptions, scenes: Scenes, variables: Variables) -> Variables:
    """Variables of f2-NET and E-Net."""
    own, blur = stage_config(plan.config, "edges"), pick(variables, BlurStage.parts)
    stage = EdgeStage(own, plan.sources["edges"], blur, plan.variables, scenes)
    return stage.averaged(_train(stage, plan, options, stage_settings(plan.config, "edges")))


def _train_multiscale(plan: Plan, options: RunOptions, weights: Weights) -> MultiscaleParameters:
    """Parameters of multiscale fusion."""
    readings = renamed.stage_folder(plan.folder, "multiscale")
    stage = MultiscaleStage(plan.config, plan.sources["multiscale"], weights, readings)
    settings = stage_settings(
        plan.config, "multiscale", weights=weights_hash(plan.folder, "multiscale", weights)
    )
    return stage.averaged(_train(stage, plan, options, settings))


def _train_joint(plan: Plan, options: RunOptions, weights: Weights, scenes: Scenes) -> Weights:
    """Weights of networks and multiscale stage, trained on."""
    assert scenes is not None  # `prepare` has looked
    stage = JointStage(plan.config, weights, scenes)
    settings = stage_settings(plan.config, "joint", weights=weights_hash(plan.folder, "joint", weights))
    return stage.averaged(_train(stage, plan, options, settings))


def _train(stage: Any, plan: Plan, options: RunOptions, settings: dict[str, Any]) -> Any:
    """State of a stage at its end, as NumPy arrays; its settings decide whether a checkpoint fits."""
    state = loop.run(
        stage,
        workdir=renamed.stage_folder(plan.folder, stage.name),
        config_dict=settings,
        num_steps=stage.stage.steps,
        seed=stage.config.seed,
        log_every=options.log_every,
        validate_every=options.validate_every,
        save_every=options.save_every,
        allow_config_change=options.allow_config_change,
        max_seconds=options.max_seconds,
    )
    if int(state.step) < stage.stage.steps:
        raise _StoppedError
    return jax.tree.map(np.asarray, state)


def _fused(weights: Weights, parameters: MultiscaleParameters) -> Weights:
    return dataclasses.replace(weights, multiscale=jax.tree.map(np.asarray, parameters))


def _facts(folder: Path, name: str, before: dict[str, Any] | None = None) -> dict[str, Any]:
    return stage_facts(folder, name, before or {})


def write_once(path: Path, write: Any, *content: Any) -> Path:
    """Write a file, once for all hosts."""
    if jax.process_index() == 0:
        write(path, *content)
        _log.info("written: %s", path)
    return path
