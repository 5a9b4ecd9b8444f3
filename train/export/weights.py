"""From trained variables to weights that `jaxblur.load_weights` reads, with their metadata."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxblur.multiscale.parameters import MultiscaleParameters
from jaxblur.network.config import NetworkConfig, config_to_dict
from jaxblur.network.weights import Weights
from jaxblur.runtime.provenance import commit
from jaxblur.weights import load_weights
from train import renamed
from train.config import TrainConfig
from train.stages.depth_threshold import move_threshold
from train.stages.depth_validation import HeldOutDepth
from train.stages.fold import fold_batch_norm


def make_weights(
    variables: dict[str, Any], config: TrainConfig, scenes: HeldOutDepth
) -> tuple[Weights, float]:
    """Weights of both networks, batch normalisation folded and the threshold of E-Net moved to 1/2; no metadata yet.

    Args:
      variables: of all parts of `DefocusNet`.
      config: of the run.
      scenes: to choose the threshold on, see `move_threshold`.

    Returns:
      The weights, and the probability that became 1/2.
    """
    params, network = fold_batch_norm(**variables, network=config.network)
    params, threshold = move_threshold(params, network, scenes)
    params = jax.tree.map(np.asarray, params)
    return Weights({"params": params}, dataclasses.replace(network, dropout=0.0)), threshold


def with_metadata(
    weights: Weights, config: TrainConfig, facts: dict[str, Any], licences: dict[str, int]
) -> Weights:
    """The weights with what there is to know about their training.

    Args:
      weights: trained.
      config: of the run.
      facts: steps, samples and validation of the stages, see `facts.stage_facts`.
      licences: number of photos by licence.
    """
    settings = {**dataclasses.asdict(config), "network": config_to_dict(config.network)}
    settings["data"] |= {"photos": config.data.photos and config.data.photos.name, "tfds_dir": None}
    for name in ("initial", "multiscale_from"):
        settings[name] = settings[name] and settings[name].name
    formation, camera = config.formation, config.formation.camera
    soft = f", {camera.soft_probability:.0%} of crops through a soft lens" if camera.soft_probability else ""
    metadata = {
        "name": f"jaxblur, preset {config.preset}",
        "licence": "Apache-2.0",
        "light": f"linear light {camera.linear_probability:.0%}, gamma-encoded values the rest",
        "blur": f"disk, radius {formation.min_radius} to {formation.max_radius} px{soft}",
        "training_photos": json.dumps(licences),
        "training_config": json.dumps(settings, default=str),
        "training_commit": commit(),
        "facts": json.dumps(facts),
    }
    return dataclasses.replace(weights, metadata=metadata)


def load_multiscale(path: Path, network: NetworkConfig) -> tuple[MultiscaleParameters, dict[str, Any]]:
    """Parameters of the multiscale stage of other weights, whose levels must be those of `network`, and its facts.

    Networks that were trained a little more, or averaged, read on the same scale as before, and can keep it.

    Raises:
      FileNotFoundError: nothing lies there.
      ValueError: no weights, or weights without that stage or with other levels.
    """
    weights = load_weights(path)
    if weights.multiscale is None:
        raise ValueError(f"{path}: weights with a multiscale stage are asked for, these have none")
    if weights.network.levels != network.levels:
        raise ValueError(f"{path}: must have the levels {network.levels}, got {weights.network.levels}")
    facts = renamed.facts(json.loads(weights.metadata.get("facts", "{}")))
    own = {key: fact for key, fact in facts.items() if key.startswith("multiscale_")}
    return weights.multiscale, own
