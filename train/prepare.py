"""What a run needs before its first step, checked: it must not fail at its end for what was known at its beginning."""

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxblur.multiscale.parameters import MultiscaleParameters
from jaxblur.network.config import config_to_dict
from jaxblur.network.weights import Weights, hash_weights
from jaxblur.weights.file import expected_shapes
from train import renamed
from train.checkpoints import newest_settings
from train.config import STAGES, TrainConfig
from train.data.source import Source, open_source
from train.export.variables import Variables, load_initial, parts_in
from train.export.weights import load_multiscale
from train.scenes.compose import scene_data
from train.settings import check_config
from train.stages.networks import BlurStage, EdgeStage, stage_config

BLUR_FILE = "blur.safetensors"
"""Variables of the first stage, in the folder of a run."""

HELD_OUT_SCENES = 16
"""Composed for the validation of the stages that see scenes of the networks."""

_CHECKPOINTS = 4  # of a stage on disk at a time, one of them being written
_STATE = 4  # parameters, their average, and two moments of the optimiser


class Plan(NamedTuple):
    """A run that is ready to begin.

    Attributes:
      config: of the run.
      folder: of the run.
      stages: to be trained, in their order.
      variables: of `config.initial`; None without.
      facts: on their training.
      multiscale: parameters of the fusion of `config.multiscale_from`; None without.
      multiscale_facts: on their training.
      sources: of photos: "blur", "edges" and "multiscale" for the stages, "scenes" for the scenes of the networks.
      weights: whether there will be all parts that weights need.
    """

    config: TrainConfig
    folder: Path
    stages: tuple[str, ...]
    variables: Variables | None
    facts: dict[str, Any]
    multiscale: MultiscaleParameters | None
    multiscale_facts: dict[str, Any]
    sources: dict[str, Source]
    weights: bool


def prepare(config: TrainConfig, folder: Path, stages: Sequence[str], *, allow_config_change: bool) -> Plan:
    """Check all that can be known before the first step, and load what the run starts from.

    Args:
      config: of the run.
      folder: of the run; made by what is written first.
      stages: some of `STAGES`, or none.
      allow_config_change: whether settings may differ from those of checkpoints in the folder.

    Raises:
      ValueError, FileNotFoundError, OSError: one line says which option, file or folder cannot be used, and why.
      ConfigChangedError: a stage in the folder was trained with other settings.
    """
    _check_stages(config, stages)
    multiscale, multiscale_facts = None, {}
    if config.multiscale_from is not None:
        multiscale, multiscale_facts = load_multiscale(config.multiscale_from, config.network)
    variables, facts = None, {}
    if config.initial is not None:
        variables, facts = load_initial(config.initial, config.network)
    weights = _check_parts(config, stages, set() if variables is None else parts_in(variables))
    _check_sizes(config, stages)
    _check_folder(config, folder, stages)
    if not allow_config_change:
        _check_settings(config, folder, stages)
    if (folder / BLUR_FILE).exists() and "blur" in stages:
        load_initial(folder / BLUR_FILE, config.network)
    sources = _open_sources(config, stages)
    ordered = tuple(name for name in STAGES if name in stages)
    return Plan(config, folder, ordered, variables, facts, multiscale, multiscale_facts, sources, weights)


def stage_settings(config: TrainConfig, name: str, *, weights: str | None = None) -> dict[str, Any]:
    """What decides the result of a stage, as JSON: kept in its checkpoints, and compared when it goes on.

    Args:
      config: of the run.
      name: of the stage.
      weights: hash of the weights that the stages "multiscale" and "joint" start from.
    """
    own = stage_config(config, name) if name in ("blur", "edges") else _seeded(config, name)
    settings = json.loads(json.dumps(dataclasses.asdict(own), default=str))
    settings["network"] = json.loads(json.dumps(config_to_dict(own.network)))
    settings["data"].pop("photos")  # the same photos may lie elsewhere when a run goes on
    settings.pop("initial")
    settings.pop("multiscale_from")
    for later in STAGES[STAGES.index(name) + 1 :]:
        settings.pop(later)
    if name in ("blur", "edges") and config.initial is not None:
        settings["initial"] = hashlib.sha256(config.initial.read_bytes()).hexdigest()
    if weights is not None:
        settings["weights"] = weights
    return settings


def weights_hash(folder: Path, name: str, weights: Weights) -> str:
    """Hash of the weights that a stage starts from; as older versions made it, where they began the stage."""
    saved = newest_settings(renamed.stage_folder(folder, name) / "checkpoints") or {}
    former = renamed.former_hash(weights)
    return former if saved.get("weights") == former else hash_weights(weights)


def _seeded(config: TrainConfig, name: str) -> TrainConfig:
    """The configuration of a stage on scenes; the joint stage never looked at the seed of its data."""
    if name == "joint":
        return config
    return dataclasses.replace(config, data=dataclasses.replace(config.data, seed=config.seed))


def _check_stages(config: TrainConfig, stages: Sequence[str]) -> None:
    for name in stages:
        if name not in STAGES:
            raise ValueError(f"stages must be some of {','.join(STAGES)}, got {name!r}")
    if len(set(stages)) < len(stages):
        raise ValueError(f"each stage is trained once, got {','.join(stages)}")
    if "joint" in stages and "multiscale" not in stages and config.multiscale_from is None:
        raise ValueError(
            f"the stage joint goes on from the stage multiscale, which is not among {','.join(stages)}, "
            "or --multiscale"
        )
    if config.multiscale_from is not None and "multiscale" in stages:
        raise ValueError(
            f"the multiscale stage is either trained or that of {config.multiscale_from}, got both"
        )
    if "joint" in stages and not config.network_scene_count:
        raise ValueError(f"the stage joint trains on composed scenes, got the preset {config.preset} without")


def _check_parts(config: TrainConfig, stages: Sequence[str], initial: set[str]) -> bool:
    """Whether weights can be made in the end; ValueError where a stage lacks what it goes on from."""
    start = config.initial or "none"
    if "blur" not in stages and (missing := [part for part in BlurStage.parts if part not in initial]):
        raise ValueError(
            f"stages: without the stage blur, {' and '.join(missing)} must come from --initial, got {start}"
        )
    missing = [] if "edges" in stages else [part for part in EdgeStage.parts if part not in initial]
    if missing and (set(stages) != {"blur"} or config.multiscale_from is not None):
        raise ValueError(
            f"stages: without the stage edges, {' and '.join(missing)} must come from --initial, got {start}"
        )
    return not missing


def _check_sizes(config: TrainConfig, stages: Sequence[str]) -> None:
    """Batches are shared out evenly among the devices of all hosts, and views fit into scenes."""
    rows = {
        "blur": ("contents", config.blur.contents),
        "edges": ("contents", config.edges.contents),
        "multiscale": ("scenes per batch", config.multiscale_scene.scenes_per_batch),
        "joint": ("scenes per step", config.joint.scenes_per_step),
    }
    for name in stages:
        what, count = rows[name]
        if count % jax.device_count():
            raise ValueError(
                f"{what} of the stage {name} must be a multiple of the number of devices {jax.device_count()}, "
                f"got {count}"
            )
    for name in ("blur", "edges"):
        own, side = getattr(config, name), config.network_scene.view_size
        if name in stages and own.scene_views and own.view_size > side:
            raise ValueError(
                f"views of the stage {name}, {own.view_size} px, cannot be cut from scenes of {side} px"
            )


def _check_folder(config: TrainConfig, folder: Path, stages: Sequence[str]) -> None:
    """The folder, or the one that it will be made in, can be written, and the disk has room."""
    there = folder
    while not there.exists():
        there = there.parent
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        raise OSError(f"output {folder}: cannot be written ({error.strerror or error})") from error
    free = shutil.disk_usage(there).free + _size(folder)
    if free < (need := _disk_need(config, stages)):
        raise OSError(
            f"output {folder}: {free / 1e9:.1f} GB are free, up to {need / 1e9:.1f} GB needed for checkpoints and "
            "scenes"
        )


def _size(folder: Path) -> int:
    """Bytes of the files of a run that are there already."""
    return sum(os.path.getsize(path) for path in folder.rglob("*") if path.is_file())


def _disk_need(config: TrainConfig, stages: Sequence[str]) -> int:
    """Bytes that a run puts on disk, if nothing that it compresses gets any smaller."""
    parameters = 4 * sum(int(np.prod(shape)) for shape in expected_shapes(config.network).values())
    need = _CHECKPOINTS * _STATE * parameters * len(stages)
    if not set(stages) <= {"multiscale"}:
        pixels = config.network_scene.view_size**2
        need += (config.network_scene_count + HELD_OUT_SCENES) * 5 * pixels  # RGB, and half a float
    if "multiscale" in stages:
        scenes = config.multiscale.training_scenes + config.multiscale.held_out_scenes
        need += (
            scenes * 20 * config.multiscale_scene.view_size**2
        )  # radius, guide, and the readings of all scales
    return need


def _check_settings(config: TrainConfig, folder: Path, stages: Sequence[str]) -> None:
    """Stages that are in the folder already were trained with these settings."""
    for name in stages:
        saved = newest_settings(renamed.stage_folder(folder, name) / "checkpoints")
        if saved is not None:
            current = {**stage_settings(config, name), "seed": config.seed}
            check_config(saved, current, ignored=frozenset({"weights"}))  # known once these are trained


def _open_sources(config: TrainConfig, stages: Sequence[str]) -> dict[str, Source]:
    edges = open_source(
        stage_config(config, "edges").data
    )  # licences and threshold of all weights come from it
    sources = {"edges": edges}
    if "blur" in stages:
        sources["blur"] = edges.recut(stage_config(config, "blur").data)
    seeded = dataclasses.replace(config.data, seed=config.seed)
    if config.network_scene_count and not set(stages) <= {"multiscale"}:
        sources["scenes"] = edges.recut(scene_data(seeded, config.network_scene))
    if "multiscale" in stages:
        sources["multiscale"] = edges.recut(scene_data(seeded, config.multiscale_scene))
    return sources
