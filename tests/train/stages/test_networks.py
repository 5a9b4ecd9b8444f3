import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur import detect_edges
from jaxblur.runtime import parallel
from tests.train.tiny import tiny_config, write_photos
from train.data.source import open_source
from train.scenes.compose import scene_source
from train.scenes.views import SceneViews
from train.stages import networks
from train.stages.samples import choose_points


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def scenes(photos, tmp_path_factory):
    """Training and held-out scenes of the tiny run."""
    config, folder = tiny_config(photos), tmp_path_factory.mktemp("scenes")
    source = scene_source(config.data, config.network_scene)
    return tuple(
        SceneViews(folder, source, config.network_scene, count=8, split=split)
        for split in ("train", "held_out")
    )


def make_stage(name, config, scenes=None):
    own = networks.stage_config(config, name)
    source = open_source(own.data)
    blur = networks.BlurStage(
        networks.stage_config(config, "blur"), source if name == "blur" else None, scenes=scenes
    )
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


@pytest.mark.parametrize("name", ["blur", "edges"])
def test_eight_devices_take_the_step_of_one(name, photos, scenes):
    with jax.numpy_dtype_promotion("standard"):  # optax promotes its step counter
        stage = make_stage(name, tiny_config(photos), scenes)
        one, one_metrics = run_steps(stage, jax.devices()[:1])
        eight, eight_metrics = run_steps(stage, jax.devices())
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


def test_the_second_stage_leaves_f1_net_as_it_was(photos):
    with jax.numpy_dtype_promotion("standard"):
        stage = make_stage("edges", tiny_config(photos))
        before = jax.tree.map(np.array, stage.frozen)
        state, _ = run_steps(stage, jax.devices()[:1], count=1)
    jax.tree.map(np.testing.assert_array_equal, state.frozen, before)
    assert set(state.params) == {"f2", "e"}


def test_a_batch_is_learned(photos):
    """Thirty steps on one batch bring the loss down well below where it began."""
    with jax.numpy_dtype_promotion("standard"):
        config = tiny_config(photos)
        optimiser = dataclasses.replace(config.blur.optimiser, warmup_steps=3)
        long = dataclasses.replace(config.blur, steps=60, optimiser=optimiser)  # the rate falls at the end
        stage = make_stage("blur", dataclasses.replace(config, blur=long))
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


def test_examples_do_not_depend_on_their_neighbours(photos, scenes):
    stage = make_stage("blur", tiny_config(photos), scenes)
    batch = stage.batch(0)
    keys = jax.random.split(jax.random.key(3), 8)
    every = jax.jit(stage._examples)(batch, keys)
    some = jax.jit(stage._examples)({name: part[5:7] for name, part in batch.items()}, keys[5:7])
    assert len(every.views) == 16 and len(some.views) == 4
    for first, own in ((5, 0), (13, 2)):  # views of contents, then those of scenes
        np.testing.assert_allclose(
            every.views[first : first + 2], some.views[own : own + 2], atol=1 / 255 + 1e-6
        )
        np.testing.assert_array_equal(every.radius[first : first + 2], some.radius[own : own + 2])


def test_hosts_read_their_share_of_the_scenes(photos, scenes):
    stage = make_stage("blur", tiny_config(photos), scenes)
    whole, second = stage.global_batch(2), stage._read(2, 1, 2)
    assert set(whole) == {"content", "scene_view", "scene_radius"}
    for name, part in second.items():
        np.testing.assert_array_equal(part, whole[name][4:])
    config = tiny_config(photos)
    alone = dataclasses.replace(config, edges=dataclasses.replace(config.edges, scene_views=0))
    assert set(make_stage("edges", alone, scenes).batch(0)) == {"foreground", "background", "alpha"}


def test_validation_counts_scenes_as_a_hard_mix(photos, scenes):
    stage = make_stage("blur", tiny_config(photos), scenes)
    with jax.numpy_dtype_promotion("standard"):
        report = stage.validate(stage.init(jax.random.key(0)))
    assert 0 < report["error_px_scenes"] < 5.5
    parts = [report[f"error_px_{mix}"] for mix in ("hard_coded", "hard_linear", "scenes")]
    assert report["loss"] == pytest.approx(np.mean(parts))


def test_validation_of_e_net_counts_scenes(photos, scenes):
    stage = make_stage("edges", tiny_config(photos), scenes)
    with jax.numpy_dtype_promotion("standard"):
        report = stage.validate(stage.init(jax.random.key(0)))
    parts = [report[f"precision_{name}"] for name in ("clean", "noisy", "scenes")]
    assert 0 < report["precision_scenes"] < 1
    assert report["loss"] == pytest.approx(1 - np.mean(parts))


def test_points_lie_on_edges_inside_the_margin(photos):
    candidates = jnp.zeros((30, 30), bool).at[10, 12].set(True).at[2, 2].set(True).at[20, 9].set(True)
    chosen = choose_points(jax.random.key(0), candidates, margin=9, count=4)
    taken = {tuple(map(int, p)) for p, v in zip(chosen.points, chosen.valid, strict=True) if v}
    assert taken == {(1, 3), (11, 0)}

    stage = make_stage("blur", tiny_config(photos))
    examples = jax.jit(stage._examples)(stage.batch(1), jax.random.split(jax.random.key(0), 8))
    edges = np.asarray(detect_edges(np.asarray(examples.views[0])))
    for (row, col), valid in zip(
        np.asarray(examples.points.points[0]), examples.points.valid[0], strict=True
    ):
        if valid:
            assert edges[row + 20, col + 20]
