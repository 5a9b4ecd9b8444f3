import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur import detect_edges
from jaxblur.runtime import parallel
from tests.train.tiny import tiny_config
from train.data.source import open_source
from train.stages import networks
from train.stages.samples import choose_points

pytestmark = pytest.mark.usefixtures("standard_promotion")


def make_stage(name, config, scenes=None):
    own = networks.stage_config(config, name)
    source = open_source(own.data)
    blur = networks.BlurStage(networks.stage_config(config, "blur"), source, scenes=scenes)
    if name == "blur":
        return blur
    fresh = blur.init(jax.random.key(1))
    return networks.EdgeStage(
        own, source, {"params": fresh.params, "batch_stats": fresh.batch_stats}, scenes=scenes
    )


def run_steps(stage, devices, count=2):
    step = parallel.map_devices(stage.step, donate_argnums=(0,), devices=devices)
    state = parallel.replicate(stage.init(jax.random.key(0)), devices=devices)
    metrics = None
    for i in range(count):
        key = parallel.replicate(jax.random.key(100 + i), devices=devices)
        state, metrics = step(state, parallel.shard(stage.batch(i), devices=devices), key)
    return parallel.unreplicate(state), parallel.unreplicate(metrics)


@pytest.fixture(scope="module")
def blur_stage(config, scenes):
    return make_stage("blur", config, scenes)


@pytest.fixture(scope="module")
def edge_stage(config, scenes):
    return make_stage("edges", config, scenes)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_the_step_is_lowered_for_devices_that_are_not_here(platform, blur_stage):
    step = parallel.map_devices(blur_stage.step)
    state = parallel.replicate(blur_stage.init(jax.random.key(0)))
    arguments = state, parallel.shard(blur_stage.batch(0)), parallel.replicate(jax.random.key(1))
    text = jax.jit(step).trace(*arguments).lower(lowering_platforms=(platform,)).as_text()
    assert "stablehlo.all_reduce" in text and "stablehlo.convolution" in text


@pytest.mark.parametrize("name", ["blur", "edges"])
def test_eight_devices_take_the_step_of_one(name, request):
    stage = request.getfixturevalue("blur_stage" if name == "blur" else "edge_stage")
    frozen = jax.tree.map(np.array, stage.frozen)
    one, one_metrics = run_steps(stage, jax.devices()[:1])
    eight, eight_metrics = run_steps(stage, jax.devices())
    jax.tree.map(np.testing.assert_array_equal, eight.frozen, frozen)  # E-Net leaves f1-NET as it was
    assert set(eight.params) == set(stage.parts) and bool(frozen["params"]) == (name == "edges")
    assert int(one.step) == int(eight.step) == 2
    assert one_metrics["loss"][1] == eight_metrics["loss"][1] > 8
    np.testing.assert_allclose(one_metrics["loss"][0], eight_metrics["loss"][0], rtol=2e-3)
    for path, leaf in jax.tree_util.tree_leaves_with_path(one.batch_stats):
        other = dict(jax.tree_util.tree_leaves_with_path(eight.batch_stats))[path]
        np.testing.assert_allclose(leaf, other, rtol=1e-3, atol=1e-4, err_msg=jax.tree_util.keystr(path))
    start = stage.init(jax.random.key(0)).params
    moved = [
        float(np.abs(a - b).max()) for a, b in zip(*map(jax.tree.leaves, (one.params, start)), strict=True)
    ]
    apart = [
        float(np.abs(a - b).max())
        for a, b in zip(*map(jax.tree.leaves, (one.params, eight.params)), strict=True)
    ]
    assert max(moved) > 1e-3
    assert max(apart) < 0.1 * max(moved)


def test_a_batch_is_learned(photos):
    """Thirty steps on one batch bring the loss down well below where it began."""
    config = tiny_config(photos, width=8, hidden=(12, 10))
    optimiser = dataclasses.replace(config.blur.optimiser, warmup_steps=3)
    # The rate falls at the end.
    long = dataclasses.replace(config.blur, steps=60, points=16, scene_views=0, optimiser=optimiser)
    stage = make_stage(
        "blur",
        dataclasses.replace(
            config, blur=long, edges=dataclasses.replace(config.edges, scene_views=0), network_scene_count=0
        ),
    )
    devices = jax.devices()[:1]
    step = parallel.map_devices(stage.step, devices=devices)
    state = parallel.replicate(stage.init(jax.random.key(0)), devices=devices)
    batch = parallel.shard(stage.batch(0), devices=devices)
    key = parallel.replicate(jax.random.key(1), devices=devices)
    losses = []
    for _ in range(30):
        state, metrics = step(state, batch, key)
        losses.append(float(metrics["loss"][0][0] / metrics["loss"][1][0]))
    assert losses[-1] < 0.8 * losses[0]


def test_examples_do_not_depend_on_their_neighbours(blur_stage):
    stage, batch = blur_stage, blur_stage.batch(0)
    keys = jax.random.split(jax.random.key(3), 8)
    every = jax.jit(stage._examples)(batch, keys)
    some = jax.jit(stage._examples)({name: part[5:7] for name, part in batch.items()}, keys[5:7])
    assert len(every.views) == 16 and len(some.views) == 4
    for first, own in ((5, 0), (13, 2)):  # views of contents, then those of scenes
        np.testing.assert_allclose(
            every.views[first : first + 2], some.views[own : own + 2], atol=1 / 255 + 1e-6
        )
        np.testing.assert_array_equal(every.radius[first : first + 2], some.radius[own : own + 2])


def test_hosts_read_their_part_of_the_scenes(config, blur_stage, scenes):
    stage = blur_stage
    whole, second = stage.global_batch(2), stage._read(2, 1, 2)
    assert set(whole) == {"content", "scene_view", "scene_radius"}
    for name, part in second.items():
        np.testing.assert_array_equal(part, whole[name][4:])
    alone = dataclasses.replace(config, edges=dataclasses.replace(config.edges, scene_views=0))
    assert set(make_stage("edges", alone, scenes).batch(0)) == {"foreground", "background", "alpha"}


def test_validation_counts_scenes_as_a_hard_mix(blur_stage):
    report = blur_stage.validate(blur_stage.init(jax.random.key(0)))
    assert 0 < report["error_px_scenes"] < 5.5
    parts = [report[f"error_px_{mix}"] for mix in ("hard_gamma", "hard_linear", "scenes")]
    assert report["loss"] == pytest.approx(np.mean(parts))


def test_validation_of_e_net_counts_scenes(edge_stage):
    report = edge_stage.validate(edge_stage.init(jax.random.key(0)))
    parts = [report[f"precision_{name}"] for name in ("clean", "noisy", "scenes")]
    assert 0 < report["precision_scenes"] < 1
    assert report["loss"] == pytest.approx(1 - np.mean(parts))


def test_points_lie_on_edges_inside_the_margin(blur_stage):
    candidates = jnp.zeros((30, 30), bool).at[10, 12].set(True).at[2, 2].set(True).at[20, 9].set(True)
    chosen = choose_points(jax.random.key(0), candidates, margin=9, count=4)
    taken = {tuple(map(int, p)) for p, v in zip(chosen.points, chosen.valid, strict=True) if v}
    assert taken == {(1, 3), (11, 0)}

    examples = jax.jit(blur_stage._examples)(blur_stage.batch(1), jax.random.split(jax.random.key(0), 8))
    edges = np.asarray(detect_edges(np.asarray(examples.views[0])))
    for (row, col), valid in zip(
        np.asarray(examples.points.points[0]), examples.points.valid[0], strict=True
    ):
        if valid:
            assert edges[row + 20, col + 20]
