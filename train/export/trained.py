"""From trained variables to a weights file that `jaxblur.load_weights` reads, with its metadata."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from jaxblur.files.output import atomic_file
from jaxblur.network.config import NetworkConfig
from jaxblur.network.weights import Weights
from jaxblur.runtime.provenance import commit
from jaxblur.weights import load_weights
from jaxblur.weights.file import expected_shapes
from train.config import TrainConfig
from train.stages.depth_validation import HeldOutDepth, depth_probabilities
from train.stages.fold import fold_batch_norm

_FALSE_ALARMS = 0.05  # share of edge points of sharp photos that may be called depth edges


def save_variables(path: Path, variables: dict[str, Any], facts: dict[str, Any] | None = None) -> None:
    """Variables as they are trained, not folded, for the next stage or run; a safetensors file written whole."""
    flat = flax.traverse_util.flatten_dict(variables, sep="/")
    with atomic_file(path) as file:
        arrays = {name: np.asarray(leaf, order="C") for name, leaf in flat.items()}
        file.write(save(arrays, metadata={"facts": json.dumps(facts or {})}))


def load_variables(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Variables and facts that `save_variables` wrote; a kind without arrays comes back empty.

    Raises:
      ValueError, FileNotFoundError: the file is missing, or none of that kind.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; variables.safetensors of an earlier run is asked for")
    try:
        with safe_open(path, framework="np") as file:
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))
            flat = {name: jnp.asarray(file.get_tensor(name)) for name in file.keys()}
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not a file of variables ({error})") from error
    tree = flax.traverse_util.unflatten_dict(flat, sep="/")
    parts = {part for kind in tree.values() for part in kind}
    variables = {
        kind: {part: tree.get(kind, {}).get(part, {}) for part in parts} for kind in ("params", "batch_stats")
    }
    return variables, facts


def load_initial(path: Path, network: NetworkConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """Variables to start a run from, see `load_variables`, which must fit the architecture of that run.

    Raises:
      ValueError, FileNotFoundError: the file is missing, none of that kind, or of another architecture; weights to
        estimate with are one, since their batch normalisation is folded.
    """
    variables, facts = load_variables(path)
    flat: dict[str, Any] = dict(flax.traverse_util.flatten_dict(variables, sep="/"))
    found = {name: leaf.shape for name, leaf in flat.items() if hasattr(leaf, "shape")}
    parts = {name.split("/")[1] for name in found}
    wanted = {n: shape for n, shape in expected_shapes(network).items() if n.split("/")[1] in parts}
    for name in sorted(found.keys() ^ wanted.keys()) or [n for n in wanted if wanted[n] != found[n]]:
        raise ValueError(
            f"{path}: {name} must have shape {wanted.get(name, 'none')}, got {found.get(name, 'none')}; the "
            "variables.safetensors of a run with the same network settings is asked for"
        )
    return variables, facts


def load_third_stage(path: Path, network: NetworkConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters of the third stage of weights whose levels are those of `network`, and its facts.

    Networks that were trained a little more, or averaged, read on the same scale as before, and can keep it.

    Raises:
      ValueError, FileNotFoundError: the file is missing or no weights, or these have two stages or other levels.
    """
    weights = load_weights(path)
    if not weights.network.pyramid:
        raise ValueError(f"{path}: weights with a third stage are asked for, these have two")
    if weights.network.levels != network.levels:
        raise ValueError(f"{path}: must have the levels {network.levels}, got {weights.network.levels}")
    facts = json.loads(weights.metadata.get("facts", "{}"))
    own = {key: fact for key, fact in facts.items() if key.startswith("dense_")}
    return weights.variables["params"]["spread"], own


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
    for name in ("initial", "third_stage"):
        settings[name] = settings[name] and settings[name].name
    formation = config.formation
    soft = f", {formation.soft_share:.0%} of crops through a soft lens" if formation.soft_share else ""
    metadata = {
        "name": f"jaxblur, preset {config.preset}",
        "licence": "Apache-2.0",
        "light": f"linear light {formation.linear_share:.0%}, coded values the rest",
        "blur": f"disk, radius {formation.min_radius} to {formation.max_radius} px{soft}",
        "training_photos": json.dumps(licences),
        "training_config": json.dumps(settings, default=str),
        "training_commit": commit(),
        "facts": json.dumps(facts),
    }
    return Weights(
        {"params": jax.tree.map(np.asarray, params)}, dataclasses.replace(network, dropout=0.0), metadata
    )
