"""Names of older versions and what they are called now: the one place that lets old runs and their files be read.

A name here is what lies on disk: a setting in a checkpoint, a fact in a weights file, the folder of a stage.
"""

import re
from pathlib import Path
from typing import Any

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
