"""From trained variables to a weights file that `jaxblur.load_weights` reads, with its metadata."""

import dataclasses
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file, save

from jaxblur.architecture import NetworkConfig
from jaxblur.files import atomic_file
from jaxblur.weights import Weights
from train.config import TrainConfig
from train.depth_validation import HeldOutDepth, depth_probabilities
from train.fold import fold_batch_norm

_FALSE_ALARMS = 0.05  # share of edge points of sharp photos that may be called depth edges


def save_variables(path: Path, variables: dict[str, Any]) -> None:
    """Hand one stage's variables over to the next, as a safetensors file written whole."""
    flat = flax.traverse_util.flatten_dict(variables, sep="/")
    with atomic_file(path) as file:
        file.write(save({name: np.ascontiguousarray(leaf) for name, leaf in flat.items()}))


def load_variables(path: Path) -> dict[str, Any]:
    """What `save_variables` wrote; a kind without arrays comes back empty."""
    flat = {name: jnp.asarray(leaf) for name, leaf in load_file(path).items()}
    tree = flax.traverse_util.unflatten_dict(flat, sep="/")
    parts = {part for kind in tree.values() for part in kind}
    return {
        kind: {part: tree.get(kind, {}).get(part, {}) for part in parts} for kind in ("params", "batch_stats")
    }


def calibrate_depth(params: Any, network: NetworkConfig, scenes: HeldOutDepth) -> tuple[Any, float]:
    """Move E-Net's bias so that 1/2 is the threshold to use.

    E-Net is trained on more depth edges than photos have. The threshold chosen has the best F score on noisy composites
    among those that call at most 5 % of the edge points of sharp photos depth edges.

    Args:
      params: folded parameters of `DefocusNet`.
      network: their architecture.
      scenes: composites to choose on; not those that results are reported on.

    Returns:
      The parameters, and the probability that becomes 1/2.
    """
    score, label = depth_probabilities({"params": params}, network, scenes.scenes["noisy"])
    alarms, _ = depth_probabilities({"params": params}, network, scenes.scenes["sharp"])
    best, best_f = 0.5, -1.0
    for threshold in np.linspace(0.02, 0.98, 97):
        called = score > threshold
        hits = (called & (label == 1)).sum()
        f_score = 2 * hits / max(called.sum() + (label == 1).sum(), 1)
        if (alarms > threshold).mean() <= _FALSE_ALARMS and f_score > best_f:
            best, best_f = float(threshold), float(f_score)
    shift = jnp.asarray([np.log(best / (1 - best)), 0.0], jnp.float32)
    last = f"dense_{len(network.hidden)}"
    moved = jax.tree.map(lambda leaf: leaf, params)
    moved["e"]["classification"][last]["bias"] = moved["e"]["classification"][last]["bias"] + shift
    return moved, best


def assemble(
    blur: dict[str, Any], edges: dict[str, Any], network: NetworkConfig
) -> tuple[Any, NetworkConfig]:
    """Folded parameters of both stages in one tree, and their architecture."""
    variables = {kind: {**blur[kind], **edges[kind]} for kind in ("params", "batch_stats")}
    return fold_batch_norm(**variables, network=network)


def make_weights(
    params: Any, network: NetworkConfig, config: TrainConfig, facts: dict[str, Any], licences: dict[str, int]
) -> Weights:
    """Weights with their metadata: `facts` are samples, steps and validation results by name."""
    settings = dataclasses.asdict(config)
    settings["data"] = {
        **settings["data"],
        "photos": config.data.photos and config.data.photos.name,
        "tfds_dir": None,
    }
    metadata = {
        "name": f"jaxblur, preset {config.preset}",
        "licence": "Apache-2.0",
        "light": f"linear light {config.formation.linear_share:.0%}, coded values the rest",
        "blur": f"disk, radius {config.formation.min_radius} to {config.formation.max_radius} px",
        "training_photos": json.dumps(licences),
        "training_config": json.dumps(settings, default=str),
        "training_commit": commit(),
        "facts": json.dumps(facts),
    }
    return Weights(
        {"params": jax.tree.map(np.asarray, params)}, dataclasses.replace(network, dropout=0.0), metadata
    )


def commit() -> str:
    """Git commit of the working copy, with "+" if it has changes, or "unknown"."""
    here = Path(__file__).resolve().parent
    try:
        name = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name.stdout.strip()
