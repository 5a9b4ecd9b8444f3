import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxblur
from jaxblur.multiscale.parameters import init_parameters
from jaxblur.network.weights import Weights
from jaxblur.runtime import parallel
from train.scenes.views import SceneViews
from train.stages import forward, readings
from train.stages.joint import JointStage

pytestmark = pytest.mark.usefixtures("standard_promotion")


class Scenes(SceneViews):
    """Scenes of blocks: views of 96 px have two scales."""

    def __init__(self, side):
        rng = np.random.default_rng(3)
        blocks = rng.integers(0, 255, (2, side // 8, side // 8, 3)).astype(np.uint8)
        self.views = np.kron(blocks, np.ones((1, 8, 8, 1), np.uint8))
        self.radius = rng.uniform(0.5, 6, (2, side, side)).astype(np.float16)

    def __len__(self):
        return 2

    def scene(self, number):
        return {"view": self.views[number], "radius": self.radius[number]}

    def whole(self, step, places):
        chosen = [place % 2 for place in places]
        return {"view": self.views[chosen], "radius": self.radius[chosen]}


def make_stage(config, side):
    """Two scenes per step, untrained networks without batch normalisation."""
    optimiser = dataclasses.replace(config.joint.optimiser, warmup_steps=1, decay_fraction=0.0)
    joint = dataclasses.replace(config.joint, scenes_per_step=2, steps=2, optimiser=optimiser)
    network = dataclasses.replace(config.network, normalisation="bias")
    params = dict(forward.init_variables(jax.random.key(0), network)["params"])
    weights = Weights({"params": params}, network, {}, init_parameters(network, jax.random.key(0)))
    return JointStage(dataclasses.replace(config, joint=joint), weights, (Scenes(side), Scenes(side)))


def take_step(stage, devices):
    step = parallel.map_devices(stage.step, donate_argnums=(0,), devices=devices)
    state = parallel.replicate(stage.init(jax.random.key(0)), devices=devices)
    key = parallel.replicate(jax.random.key(1), devices=devices)
    state, metrics = step(state, parallel.shard(stage.batch(0), devices=devices), key)
    return parallel.unreplicate(state), parallel.unreplicate(metrics)


def test_the_map_teaches_every_part(config):
    """On one scale: more of them repeat the same program."""
    stage = make_stage(config, 64)
    one, metrics = take_step(stage, jax.devices()[:1])
    assert metrics["loss"][1] == 2
    start = stage.init(jax.random.key(0)).params
    for part in ("f1", "f2", "b", "e", "multiscale"):
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(one.params[part]))
        moved = [
            np.abs(a - b).max()
            for a, b in zip(jax.tree.leaves(one.params[part]), jax.tree.leaves(start[part]), strict=True)
        ]
        assert max(moved) > 1e-6, part
    trained = stage.averaged(one)
    assert isinstance(trained, Weights) and trained.network == stage.network
    jax.tree.map(np.testing.assert_array_equal, trained.multiscale, one.average["multiscale"])
    assert set(trained.variables["params"]) == {"f1", "f2", "b", "e"}


@pytest.mark.slow  # the program is compiled twice, for one device and for two
def test_two_devices_take_the_step_of_one(config):
    stage = make_stage(config, 64)
    one, metrics = take_step(stage, jax.devices()[:1])
    two, others = take_step(stage, jax.devices()[:2])
    assert metrics["loss"][1] == others["loss"][1] == 2
    np.testing.assert_allclose(metrics["loss"][0], others["loss"][0], rtol=1e-4)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=3e-4), one.params, two.params)


def test_the_loss_is_that_of_the_estimate(config):
    """Map and loss by way of `jaxblur.estimate`, which shares no code with the stage above the networks."""
    stage = make_stage(config, 96)
    batch, state = stage.batch(0), stage.init(jax.random.key(0))
    view, truth = batch["view"][0], batch["radius"][0].astype(np.float32)
    result = jaxblur.estimate(view, stage.averaged(state))
    error = np.abs(result.radius - truth).mean()
    _, metrics = jax.jit(stage._loss)(state.params, view, batch["radius"][0])
    np.testing.assert_allclose(metrics["error_px"], error, rtol=1e-4)


def test_readings_count_in_pixels_of_their_scale(config):
    stage = make_stage(config, 96)
    truth = jnp.full((96, 96), 3.0).at[0, 0].set(40.0)
    edges = {0: np.zeros((96, 96), bool), 1: np.zeros((48, 48), bool)}
    edges[0][0, :2] = edges[1][3, 3] = True
    scene = {f"edges_{scale}": jnp.asarray(e) for scale, e in edges.items()}
    scene |= {"radius_0": jnp.full((96, 96), 3.0), "radius_1": jnp.full((48, 48), 2.0)}
    # 40 px counts as 6, read as 3; 3 px is read right; 1.5 px of the half is read as 2.
    wanted = (3 / 7 + 0 + 0.5 / 2.5) / 3
    assert float(stage._reading_error(scene, truth)) == pytest.approx(wanted, rel=1e-6)


def test_hosts_share_the_scenes_of_a_step(monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    assert readings.own_scenes(8) == range(4, 8)
    with pytest.raises(ValueError, match="must be a multiple of the number of processes 2, got 3"):
        readings.own_scenes(3)
