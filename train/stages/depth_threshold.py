"""The threshold of E-Net, chosen after its training and then moved to a probability of 1/2."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxblur.network.config import NetworkConfig
from train.stages.depth_validation import HeldOutDepth, depth_probabilities

_FALSE_ALARMS = 0.05  # fraction of edge points of sharp photos that may be called depth edges
_THRESHOLDS = np.linspace(0.02, 0.98, 97)


def move_threshold(params: Any, network: NetworkConfig, scenes: HeldOutDepth) -> tuple[Any, float]:
    """Move E-Net's bias so that 1/2 is the threshold to use.

    E-Net is trained on more depth edges than photos have. The threshold chosen has the best F score on noisy composites
    among those that call at most 5 % of the edge points of sharp photos depth edges.

    Args:
      params: folded parameters of `DefocusNet`; not changed.
      network: their architecture.
      scenes: composites to choose on; not those that results are reported on.

    Returns:
      The parameters, and the probability that became 1/2.
    """
    threshold = _best_threshold(params, network, scenes)
    shift = jnp.asarray([np.log(threshold / (1 - threshold)), 0.0], jnp.float32)
    last = f"dense_{len(network.hidden)}"
    e_net, heads = params["e"], params["e"]["classification"]
    moved = {**heads, last: {**heads[last], "bias": heads[last]["bias"] + shift}}
    return {**params, "e": {**e_net, "classification": moved}}, threshold


def _best_threshold(params: Any, network: NetworkConfig, scenes: HeldOutDepth) -> float:
    score, label = depth_probabilities({"params": params}, network, scenes.scenes["noisy"])
    alarms, _ = depth_probabilities({"params": params}, network, scenes.scenes["sharp"])
    best, best_f = 0.5, -1.0
    for threshold in _THRESHOLDS:
        called = score > threshold
        hits = (called & (label == 1)).sum()
        f_score = 2 * hits / max(called.sum() + (label == 1).sum(), 1)
        if (alarms > threshold).mean() <= _FALSE_ALARMS and f_score > best_f:
            best, best_f = float(threshold), float(f_score)
    return best
