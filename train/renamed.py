"""Names of older versions and what they are called now: the one place that lets old runs and their files be read.

A name here is what lies on disk: a setting in a checkpoint, a fact in a weights file, the folder of a stage. Names of
the parameters of the fusion are in `jaxblur.multiscale.parameters.FORMER_NAMES`.
"""

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import flax
import jax
import numpy as np

from jaxblur.multiscale.parameters import FORMER_NAMES, MultiscaleParameters
from jaxblur.network.config import config_to_dict
from jaxblur.network.weights import Weights

STAGES = {"dense": "multiscale"}
"""Stages, and so the folders of a run."""

SETTINGS: tuple[tuple[str, str | None], ...] = (
    (r"^dense\.scenes$", "multiscale.training_scenes"),
    (r"^dense\.held_out$", "multiscale.held_out_scenes"),
    (r"^dense\.", "multiscale."),
    (r"^joint\.scenes$", "joint.scenes_per_step"),
    (r"^scenes$", "network_scene_count"),
    (r"^third_stage$", "multiscale_from"),
    (r"^scene\.", "multiscale_scene."),
    (r"^(\w+_scene)\.scenes$", r"\1.scenes_per_batch"),
    (r"^(formation|\w+_scene)\.faint_share$", r"\1.camera.low_contrast_probability"),
    (r"^(formation|\w+_scene)\.(soft|linear|noise|jpeg)_share$", r"\1.camera.\2_probability"),
    (r"^(formation|\w+_scene)\.(contrast|jpeg_quality)$", r"\1.camera.\2"),
    (r"\b(decay|depth|held_out|min_clear|max_clipped)_share$", r"\1_fraction"),
    (r"\baperture_shares$", "aperture_probabilities"),
    (r"_share$", "_probability"),
    (
        r"^network\.pyramid$",
        None,
    ),  # whether there are multiscale parameters is no setting of the networks any more
)
"""Patterns of dotted settings and what they become, one after the other; None: the setting is gone."""

FACTS = {
    "dense_steps": "multiscale_steps",
    "dense_samples": "multiscale_samples",
    "dense_validation": "multiscale_validation",
    "error_px_faint": "error_px_low_contrast",
    "error_px_hard_coded": "error_px_hard_gamma",
}
"""Facts that weights and variables carry, and figures of validation."""


def settings(flat: dict[str, Any]) -> dict[str, Any]:
    """Settings by dotted names, by the names of today; those of today stay as they are."""
    out = {}
    for name, value in flat.items():
        new: str | None = name
        for pattern, replacement in SETTINGS:
            if replacement is None:
                new = None if re.search(pattern, new) else new
            else:
                new = re.sub(pattern, replacement, new)
            if new is None:
                break
        if new is not None:
            out[new] = value
    return out


def facts(known: dict[str, Any]) -> dict[str, Any]:
    """Facts, and the figures inside them, by the names of today."""
    return {
        FACTS.get(name, name): facts(value) if isinstance(value, dict) else value
        for name, value in known.items()
    }


def stage_folder(run: Path, stage: str) -> Path:
    """Folder of a stage in the folder of a run: that of an older version, where the run was begun with it."""
    for old, new in STAGES.items():
        if new == stage and (run / old).is_dir() and not (run / new).exists():
            return run / old
    return run / stage


def former_state(like: Any) -> Any:
    """A training state built as older versions built it: the parameters of the fusion as a dictionary of former names.

    Args:
      like: state of today, of arrays or whatever stands for them.
    """
    return jax.tree.map(_former, like, is_leaf=_has_fusion)


def present_state(like: Any, former: Any) -> Any:
    """The state of today with the leaves of one that is built as `former_state(like)`."""
    return jax.tree.map(_present, like, former, is_leaf=_has_fusion)


def former_hash(weights: Weights) -> str:
    """`hash_weights` as older versions made it."""
    fusion = {} if weights.multiscale is None else {"spread": _former(weights.multiscale)}
    params = {**weights.variables["params"], **fusion}
    settings = {**config_to_dict(weights.network), "pyramid": weights.multiscale is not None}
    digest = hashlib.sha256(json.dumps(settings).encode())
    flat = dict[str, Any](flax.traverse_util.flatten_dict({"params": params}, sep="/"))
    for name in sorted(flat):
        digest.update(name.encode() + b"\0")
        digest.update(np.ascontiguousarray(flat[name], np.float32).tobytes())
    return digest.hexdigest()[:12]


def _has_fusion(node: Any) -> bool:
    """Whether a node is the parameters of the fusion, or a dictionary that holds them beside the networks."""
    return isinstance(node, MultiscaleParameters) or (isinstance(node, dict) and "multiscale" in node)


def _former(node: Any) -> Any:
    if isinstance(node, MultiscaleParameters):
        names: dict[str, str] = {new: old for old, new in FORMER_NAMES.items()}
        fields = (field.name for field in dataclasses.fields(node))
        return {names.get(name, name): getattr(node, name) for name in fields}
    if _has_fusion(node):
        networks = {name: part for name, part in node.items() if name != "multiscale"}
        return {**networks, "spread": _former(node["multiscale"])}
    return node


def _present(node: Any, former: Any) -> Any:
    if isinstance(node, MultiscaleParameters):
        return MultiscaleParameters(**{str(FORMER_NAMES.get(name, name)): former[name] for name in former})
    if _has_fusion(node):
        networks = {name: part for name, part in former.items() if name != "spread"}
        return {**networks, "multiscale": _present(node["multiscale"], former["spread"])}
    return former
