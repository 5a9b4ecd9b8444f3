"""Held-out validation of E-Net: average precision on composites, and false alarms on photos without depth edges."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxblur.nets import DefocusNet, NetworkConfig
from train import composites, forward, samples, validation
from train.config import TrainConfig
from train.data.source import Source

_KEY = 15_485_863
_MIXES = {"clean": "clean", "noisy": "hard_linear"}  # of composites: name here, name in `validation.MIXES`
_POINTS = 256


class HeldOutDepth(NamedTuple):
    """Views, points and labels by name; "sharp" are photos as they are, without any depth edge."""

    scenes: dict[str, composites.DepthExamples]


def held_out_depth(source: Source, config: TrainConfig) -> HeldOutDepth:
    """Composites of held-out layers whose radii differ by 0.75 px or more, and their sharp backgrounds alone."""
    wanted = 4 * config.validation.contents
    steps = range(-(-wanted // source.config.contents_per_batch))
    batches = [source.layers(step, split="held_out") for step in steps]
    layers = {name: np.concatenate([batch[name] for batch in batches])[:wanted] for name in batches[0]}

    @functools.partial(jax.jit, static_argnames=("mix", "sharp"))
    def make(key: jax.Array, layers: Any, mix: str, sharp: bool) -> composites.DepthExamples:
        how_key, radius_key, camera_key, point_key = jax.random.split(key, 4)
        if sharp:
            radii = jnp.full((2,), 0.5)
            layers = {**layers, "foreground": layers["background"]}
        else:
            low, step = jax.random.uniform(radius_key, (2,))
            smaller = 0.5 + (5.25 - 0.5) * low
            radii = jnp.stack([smaller, smaller + 0.75 + (6.0 - 0.75 - smaller) * step])
            radii = jnp.where(jax.random.bernoulli(how_key), radii, radii[::-1])
        how = jax.tree.map(lambda leaf: leaf[0], validation.degradation(how_key, mix, radii[:1]))
        scene = composites.compose(camera_key, layers, radii, how)
        chosen = samples.choose_points(
            point_key, scene.edges & (scene.label >= 0), margin=config.network.margin, count=_POINTS
        )
        inner = scene.label[config.network.margin :, config.network.margin :]
        label = inner[chosen.points[:, 0], chosen.points[:, 1]]
        return composites.DepthExamples(scene.view, chosen, label)

    scenes = {}
    for name, mix in [*_MIXES.items(), ("sharp", "clean")]:
        keys = jax.random.split(jax.random.key(_KEY), wanted)
        made = [
            make(keys[i], {part: layers[part][i] for part in layers}, mix, name == "sharp") for i in range(wanted)
        ]
        scenes[name] = jax.tree.map(lambda *leaves: np.stack(leaves), *made)
    return HeldOutDepth(scenes)


def average_precision(score: np.ndarray, label: np.ndarray) -> float:
    """Area under the precision-recall curve as a sum over the positives, (n,) scores and 0/1 labels; 0 without a positive."""
    order = np.argsort(-score, kind="stable")
    hits = label[order] == 1
    if not hits.any():
        return 0.0
    # Equal scores are one threshold: precision is read at the last of them.
    last = np.append(np.diff(score[order]) != 0, True)
    precision = np.cumsum(hits)[last] / (np.flatnonzero(last) + 1)
    return float((precision * np.diff(np.cumsum(hits)[last], prepend=0)).sum() / hits.sum())


@functools.partial(jax.jit, static_argnames="network")
def _probability(variables: Any, network: NetworkConfig, scene: composites.DepthExamples) -> jax.Array:
    logits = DefocusNet(network).apply(
        variables, scene.views[None], scene.points.points[None], scene.points.valid[None], method=forward.depth_logits
    )
    return jax.nn.softmax(logits)[:, 1]  # type: ignore[arg-type]


def depth_probabilities(
    variables: Any, network: NetworkConfig, scenes: composites.DepthExamples
) -> tuple[np.ndarray, np.ndarray]:
    """Probability of a depth edge and label of every valid point of many views."""
    count = scenes.views.shape[0]
    out = [
        np.asarray(_probability(variables, network, jax.tree.map(lambda leaf, i=i: leaf[i], scenes)))
        for i in range(count)
    ]
    valid = np.asarray(scenes.points.valid)
    return np.stack(out)[valid], np.asarray(scenes.label)[valid]


def depth_quality(variables: Any, network: NetworkConfig, held_out: HeldOutDepth) -> dict[str, float]:
    """Average precision on clean and noisy composites, recall at 1/2, and the share of sharp photos called depth."""
    out = {}
    for name in _MIXES:
        score, label = depth_probabilities(variables, network, held_out.scenes[name])
        out[f"precision_{name}"] = average_precision(score, label)
        out[f"recall_{name}"] = float((score[label == 1] > 0.5).mean()) if (label == 1).any() else 0.0
    score, _ = depth_probabilities(variables, network, held_out.scenes["sharp"])
    out["false_alarms_sharp"] = float((score > 0.5).mean())
    return out
