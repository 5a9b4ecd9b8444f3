"""A whole distillation: views, what the teacher says of them, training, and weights."""

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxblur.network.config import config_to_dict
from jaxblur.network.weights import Weights, hash_weights
from jaxblur.weights import save_weights
from train import loop
from train.config import TrainConfig
from train.distil.config import DistilConfig
from train.distil.points import PointSource
from train.distil.stage import DistilStage, HeldOut
from train.distil.views import ViewSources, keep_views, open_sources
from train.export.facts import stage_facts
from train.export.variables import load_initial, save_variables
from train.export.weights import make_weights, with_metadata
from train.run import RunOptions, alone_in, write_once
from train.scenes.compose import scene_source
from train.scenes.views import SceneViews
from train.stages import depth_validation, validation
from train.stages.networks import stage_config
from train.streams import Split

_HELD_OUT_FILES, _HELD_OUT_SCENES = 2, 16
_log = logging.getLogger(__name__)


def run(
    config: TrainConfig, stage: DistilConfig, folder: Path, options: RunOptions, *, teacher: Weights
) -> Path | None:
    """Train the networks of `config` on what `teacher` says, going on where an earlier call stopped.

    `variables.safetensors` has the networks as they are trained, to go on from with `python -m train`;
    `weights.safetensors` is for `jaxblur.load_weights`. Its multiscale stage is the teacher's, whose readings the
    networks have learned to give.

    Args:
      config: of the run: networks, image formation, photos; `config.initial` is started from.
      stage: of distillation.
      folder: of the run; views are kept there too.
      options: see `RunOptions`.
      teacher: weights with an ordinal head and the levels of `config.network`.

    Returns:
      The weights file; None if the run was told to stop before its end.

    Raises:
      ValueError: the teacher does not fit; another run is writing to the folder; photos that cannot be used.
      FileNotFoundError, ConfigChangedError, loop.NonFiniteError, checkpoints.CheckpointError: see `train.run.run`.
    """
    _check_teacher(config, teacher)
    initial = None if config.initial is None else load_initial(config.initial, config.network)[0]
    blur, edges = stage_config(config, "blur"), stage_config(config, "edges")
    with alone_in(folder):
        composed = scene_source(config.data, config.network_scene)

        def sources_of(split: Split, count: int) -> ViewSources:
            scenes = SceneViews(folder, composed, config.network_scene, count=count, split=split)
            return open_sources(config, scenes)

        sources: dict[Split, ViewSources] = {
            "train": sources_of("train", stage.scenes),
            "held_out": sources_of("held_out", _HELD_OUT_SCENES),
        }

        def views(files: int, teacher: Weights | None, split: Split = "train") -> list[Path]:
            return keep_views(folder, sources[split], config, teacher, files=files, split=split)

        held_out = views(_HELD_OUT_FILES, teacher, "held_out") if stage.taught_files else []
        paths = [*views(stage.taught_files, teacher), *views(stage.labelled_files, None)]
        source = sources["train"].contents
        own: Any = DistilStage(
            config,
            stage,
            PointSource(paths, config.network),
            HeldOut(
                validation.held_out_blur(source, blur),
                depth_validation.held_out_depth(sources["train"].layers, edges),
                PointSource(held_out, config.network) if held_out else None,
            ),
            initial,
        )
        state = loop.run(
            own,
            workdir=folder / own.name,
            config_dict=_settings(config, stage, teacher),
            num_steps=stage.steps,
            seed=config.seed,
            log_every=options.log_every,
            validate_every=options.validate_every,
            save_every=options.save_every,
            allow_config_change=options.allow_config_change,
            max_seconds=options.max_seconds,
        )
        if int(state.step) < stage.steps:
            return None
        variables = own.averaged(jax.tree.map(np.asarray, state))
        facts = stage_facts(folder, own.name, {}) | {"distilled_from": hash_weights(teacher)}
        write_once(folder / "variables.safetensors", save_variables, variables, facts)
        composites = depth_validation.held_out_depth(sources["train"].layers, edges, split="train")
        weights, facts["depth_threshold_before_calibration"] = make_weights(variables, config, composites)
        weights = dataclasses.replace(weights, multiscale=teacher.multiscale)
        weights = with_metadata(weights, config, facts, source.licences())
        return write_once(folder / "weights.safetensors", save_weights, weights)


def _check_teacher(config: TrainConfig, teacher: Weights) -> None:
    if teacher.network.level_head != "ordinal" or teacher.network.levels != config.network.levels:
        raise ValueError("teacher: must have an ordinal head and the levels of the networks that it teaches")


def _settings(config: TrainConfig, stage: DistilConfig, teacher: Weights) -> dict[str, Any]:
    """What decides the result, as JSON."""
    settings = {
        "network": config_to_dict(config.network),
        "formation": dataclasses.asdict(config.formation),
        "network_scene": dataclasses.asdict(config.network_scene),
        "data": {**dataclasses.asdict(config.data), "photos": None},
        "stage": dataclasses.asdict(stage),
        "initial": config.initial is not None,
        "teacher": hash_weights(teacher),
    }
    return json.loads(json.dumps(settings, default=str))
