"""Held-out validation of E-Net: average precision on composites, and false alarms on photos without depth edges."""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxblur.network.config import NetworkConfig
from jaxblur.network.defocus_net import apply
from train.camera import Degradation
from train.config import TrainConfig
from train.data.source import Source
from train.scenes.views import SceneViews
from train.stages import composites, forward, samples, validation
from train.streams import Seed, Split

_MIXES = {"clean": "clean", "noisy": "hard_linear"}  # of composites: name here, name in `validation.MIXES`
_POINTS = 256
_RECALL = 0.3


class HeldOutDepth(NamedTuple):
    """Views, points and labels by name; "sharp" are photos as they are, without any depth edge."""

    scenes: dict[str, composites.DepthExamples]


def held_out_depth(source: Source, config: TrainConfig, *, split: Split = "held_out") -> HeldOutDepth:
    """Composites of the layers of a split whose radii differ by 0.75 px or more, and their sharp backgrounds alone."""
    source = source.for_validation(source.config.crop_size)
    wanted = 4 * config.validation.contents
    steps = range(-(-wanted // source.config.contents_per_batch))
    batches = [source.layers(step, split=split) for step in steps]
    layers = {name: np.concatenate([batch[name] for batch in batches])[:wanted] for name in batches[0]}
    margin = config.network.margin
    count = min(_POINTS, (config.edges.view_size - 2 * margin) ** 2)
    alone = {**layers, "foreground": layers["background"]}
    how_keys, radius_keys, view_keys = jax.random.split(jax.random.key(Seed.DEPTH_VALIDATION), (3, wanted))
    scenes = {}
    for name, mix in [*_MIXES.items(), ("sharp", "clean")]:
        parts = alone if name == "sharp" else layers
        made = []
        for i in range(wanted):
            radii = jnp.full((2,), 0.5, jnp.float32) if name == "sharp" else _unlike_radii(radius_keys[i])
            how = jax.tree.map(lambda leaf: leaf[0], validation.degradation(how_keys[i], mix, 1))
            own = {part: parts[part][i] for part in parts}
            made.append(_make_scene(view_keys[i], own, radii, how, margin=margin, count=count))
        scenes[name] = jax.tree.map(lambda *leaves: np.stack(leaves), *made)
    return HeldOutDepth(scenes)


@functools.partial(jax.jit, static_argnames=("margin", "count"))
def _make_scene(
    key: jax.Array, layers: Any, radii: jax.Array, how: Degradation, *, margin: int, count: int
) -> composites.DepthExamples:
    """One composite, with up to `count` of its points whose kind is clear."""
    camera_key, point_key = jax.random.split(key)
    scene = composites.compose(camera_key, layers, radii, how)
    chosen = samples.choose_points(point_key, scene.edges & (scene.label >= 0), margin=margin, count=count)
    inner = scene.label[margin:, margin:]
    return composites.DepthExamples(scene.view, chosen, inner[chosen.points[:, 0], chosen.points[:, 1]])


def _unlike_radii(key: jax.Array) -> jax.Array:
    """Radii of background and foreground in [0.5, 6] px that differ by 0.75 px or more; either may be the larger."""
    value_key, order_key = jax.random.split(key)
    low, step = jax.random.uniform(value_key, (2,))
    smaller = 0.5 + (5.25 - 0.5) * low
    radii = jnp.stack([smaller, smaller + 0.75 + (6.0 - 0.75 - smaller) * step])
    return jnp.where(jax.random.bernoulli(order_key), radii, radii[::-1])


def average_precision(score: np.ndarray, label: np.ndarray) -> float:
    """Area under the precision-recall curve of (n,) scores and 0/1 labels, summed over positives; 0 without any."""
    order = np.argsort(-score, kind="stable")
    hits = label[order] == 1
    if not hits.any():
        return 0.0
    # Equal scores are one threshold: precision is read at the last of them.
    last = np.append(np.diff(score[order]) != 0, True)
    precision = np.cumsum(hits)[last] / (np.flatnonzero(last) + 1)
    return float((precision * np.diff(np.cumsum(hits)[last], prepend=0)).sum() / hits.sum())


def alarms_at_recall(positives: np.ndarray, negatives: np.ndarray, *, recall: float) -> float:
    """Fraction of (n,) scores of negatives at or above the largest threshold that finds `recall` of the positives."""
    if not len(positives) or not len(negatives):
        return 0.0
    place = len(positives) - max(math.ceil(recall * len(positives)), 1)
    return float((negatives >= np.sort(positives)[place]).mean())


@functools.partial(jax.jit, static_argnames="network")
def _probability(variables: Any, network: NetworkConfig, scene: composites.DepthExamples) -> jax.Array:
    points = scene.points
    logits = apply(
        variables, network, forward.depth_logits, scene.views[None], points.points[None], points.valid[None]
    )
    return jax.nn.softmax(logits)[:, 1]


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
    """Average precision on clean and noisy composites, recall at 1/2, and the fraction of sharp photos called depth.

    That fraction is given at 1/2, and, as `alarms_at_recall`, at the threshold of each network that finds `_RECALL` of
    the depth edges of all composites: so networks with other thresholds can be compared.
    """
    out = {}
    found = []
    for name in _MIXES:
        score, label = depth_probabilities(variables, network, held_out.scenes[name])
        out[f"precision_{name}"] = average_precision(score, label)
        out[f"recall_{name}"] = float((score[label == 1] > 0.5).mean()) if (label == 1).any() else 0.0
        found.append(score[label == 1])
    score, _ = depth_probabilities(variables, network, held_out.scenes["sharp"])
    out["false_alarms_sharp"] = float((score > 0.5).mean())
    out["alarms_at_recall"] = alarms_at_recall(np.concatenate(found), score, recall=_RECALL)
    return out


def scene_precision(variables: Any, network: NetworkConfig, scenes: SceneViews, config: TrainConfig) -> float:
    """Average precision at the clear edge points of views of composed scenes, 4 for each content of the validation."""
    places = range(config.validation.contents)
    cut = scenes.batch(0, places, count=4, size=config.edges.view_size)
    keys = jax.random.split(jax.random.key(Seed.DEPTH_VALIDATION), len(places))
    # So many points that none is left out: their fraction of depth edges is that of the scenes.
    points = (config.edges.view_size - 2 * network.margin) ** 2
    made = _scene_examples(keys, cut["scene_view"], cut["scene_radius"], points=points, margin=network.margin)
    return average_precision(*depth_probabilities(variables, network, jax.tree.map(np.asarray, made)))


@functools.partial(jax.jit, static_argnames=("points", "margin"))
def _scene_examples(
    keys: jax.Array, views: jax.Array, radius: jax.Array, *, points: int, margin: int
) -> composites.DepthExamples:
    return composites.scene_depth_examples(
        keys, views, radius, points=points, depth_fraction=0.5, margin=margin
    )
