import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxblur
from jaxblur.multiscale import fuse
from jaxblur.network.config import NetworkConfig
from jaxblur.network.weights import Weights
from jaxblur.runtime import parallel
from tests.train.tiny import tiny_config, write_photos
from train import run as training
from train.config import JointConfig
from train.export import trained
from train.scenes.compose import scene_source
from train.scenes.views import SceneViews
from train.stages import forward
from train.stages.joint import JointStage


@pytest.fixture(autouse=True)
def standard_promotion():
    with jax.numpy_dtype_promotion("standard"):  # optax promotes its step counter
        yield


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """Four scenes per step, untrained networks without batch normalisation."""
    config = tiny_config(write_photos(tmp_path_factory.mktemp("photos")))
    optimiser = dataclasses.replace(config.joint.optimiser, warmup_steps=1, decay_fraction=0.0)
    config = dataclasses.replace(
        config, joint=dataclasses.replace(config.joint, scenes=4, steps=2, optimiser=optimiser)
    )
    network = dataclasses.replace(config.network, normalisation="bias", pyramid=True, width=4, hidden=(4, 4))
    params = dict(forward.init_variables(jax.random.key(0), network)["params"])
    weights = Weights(
        {"params": {**params, "spread": fuse.init_parameters(network, jax.random.key(0))}}, network
    )
    folder, source = tmp_path_factory.mktemp("scenes"), scene_source(config.data, config.network_scene)
    scenes = [
        SceneViews(folder, source, config.network_scene, count=8, split=s) for s in ("train", "held_out")
    ]
    return JointStage(config, weights, tuple(scenes))


def take_step(stage, devices):
    step = parallel.map_devices(stage.step, donate_argnums=(0,), devices=devices)
    state = parallel.replicate(stage.init(jax.random.key(0)), devices=devices)
    key = parallel.replicate(jax.random.key(1), devices=devices)
    state, metrics = step(state, parallel.shard(stage.batch(0), devices=devices), key)
    return parallel.unreplicate(state), parallel.unreplicate(metrics)


def test_the_map_teaches_every_part_and_four_devices_take_the_step_of_one(stage):
    one, metrics = take_step(stage, jax.devices()[:1])
    four, others = take_step(stage, jax.devices()[:4])
    assert metrics["loss"][1] == others["loss"][1] == 4
    np.testing.assert_allclose(metrics["loss"][0], others["loss"][0], rtol=1e-4)
    start = stage.init(jax.random.key(0)).params
    for part in ("f1", "f2", "b", "e", "spread"):
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(four.params[part]))
        moved = [
            np.abs(a - b).max()
            for a, b in zip(jax.tree.leaves(one.params[part]), jax.tree.leaves(start[part]), strict=True)
        ]
        assert max(moved) > 1e-6, part


def test_the_loss_is_that_of_the_estimate(stage):
    """Map and loss by way of `jaxblur.estimate`, which shares no code with the stage above the networks."""
    batch = stage.batch(0)
    view, truth = batch["view"][0], batch["radius"][0].astype(np.float32)
    params = stage.init(jax.random.key(0)).params
    result = jaxblur.estimate(view, Weights({"params": params}, stage.network))
    _, metrics = jax.jit(stage._loss)(params, view, batch["radius"][0])
    np.testing.assert_allclose(metrics["error_px"], np.abs(result.radius - truth).mean(), rtol=1e-4)


def test_readings_count_in_pixels_of_their_scale(stage):
    truth = jnp.full((96, 96), 3.0).at[0, 0].set(40.0)
    edges = {0: np.zeros((96, 96), bool), 1: np.zeros((48, 48), bool)}
    edges[0][0, :2] = edges[1][3, 3] = True
    scene = {f"edges_{scale}": jnp.asarray(e) for scale, e in edges.items()}
    scene |= {"radius_0": jnp.full((96, 96), 3.0), "radius_1": jnp.full((48, 48), 2.0)}
    # 40 px counts as 6, read as 3; 3 px is read right; 1.5 px of the half is read as 2.
    wanted = (3 / 7 + 0 + 0.5 / 2.5) / 3
    assert float(stage._reading_error(scene, truth)) == pytest.approx(wanted, rel=1e-6)


def test_a_run_with_all_four_stages_ends_in_weights_that_estimate(tmp_path):
    config = tiny_config(write_photos(tmp_path))
    config = dataclasses.replace(
        config,
        network=NetworkConfig(width=4, hidden=(4, 4), normalisation="batch", level_head="ordinal"),
        joint=JointConfig(steps=1, scenes=8),
    )
    start = tmp_path / "start.safetensors"
    variables = forward.init_variables(jax.random.key(1), config.network)
    trained.save_variables(start, variables)
    config = dataclasses.replace(config, initial=start)
    stages, options = ("dense", "joint"), training.RunOptions(save_every=1)
    folder = tmp_path / "run"
    joint = jaxblur.load_weights(training.run(config, folder, options, stages=stages))
    facts = json.loads(joint.metadata["facts"])
    assert facts["dense_steps"] == 2 and facts["joint_steps"] == 1 and "joint_validation" in facts
    own = {k: {p: tree.get(p, {}) for p in ("f1", "b", "f2", "e")} for k, tree in variables.items()}
    before, _ = trained.assemble(own, own, config.network)
    moved = jax.tree.map(lambda a, b: float(np.abs(a - b).max()), joint.variables["params"]["b"], before["b"])
    assert 0 < max(jax.tree.leaves(moved)) < 1e-3
    with pytest.raises(ValueError, match="goes on from the stage dense, which is not among edges,joint"):
        training.run(config, folder, options, stages=("edges", "joint"))
    without = {name: dataclasses.replace(getattr(config, name), scene_views=0) for name in ("blur", "edges")}
    with pytest.raises(ValueError, match="composed scenes, got the preset smoke without"):
        training.run(dataclasses.replace(config, scenes=0, **without), folder, options, stages=stages)
