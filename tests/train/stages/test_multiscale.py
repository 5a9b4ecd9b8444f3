import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur.multiscale import fuse
from jaxblur.multiscale.parameters import init_parameters
from tests.train.tiny import tiny_config
from train.stages import map_loss, multiscale

conclude = jax.jit(fuse.conclude)


def test_near_steps_is_where_the_radius_jumps():
    truth = np.full((20, 30), 2.0, np.float32)
    truth[:, 15:] = 5.0
    near = np.asarray(map_loss.near_steps(jnp.asarray(truth)))
    np.testing.assert_array_equal(np.flatnonzero(near[10]), np.arange(11, 20))
    smooth = np.linspace(0, 6, 600, dtype=np.float32)[None].repeat(3, 0)
    assert not np.asarray(map_loss.near_steps(jnp.asarray(smooth))).any()


@pytest.mark.parametrize(
    ("radius", "truth", "right"),
    [(0.2, 0.7, True), (0.2, 0.71, False), (8.0, 6.0, True), (8.0, 5.9, False), (8.0, 10.0, True)],
)
def test_right_is_within_half_a_pixel_or_a_quarter(radius, truth, right):
    value = fuse.is_right(jnp.full((1, 1), radius), jnp.full((1, 1), truth))
    assert bool(value[0, 0]) is right


@pytest.fixture
def stage():
    """A stage without its readings: scenes are made by hand."""
    made = multiscale.MultiscaleStage.__new__(multiscale.MultiscaleStage)
    config = tiny_config(None)
    made.config, made.stage, made.network = config, config.multiscale, config.network
    return made


@pytest.fixture
def parameters(stage):
    return init_parameters(stage.network, jax.random.key(0))


def scene(rng, value, *, reading=None):
    """A scene of one radius (px, up to 6), read as `reading` at a tenth of its pixels."""
    reading = value if reading is None else reading
    edges = rng.random((40, 50)) < 0.1
    planes = {"radius": reading, "deviation": 0.1, "reliability": 1.0, "depth": 0.0}
    return {
        "radius": np.full((40, 50), value, np.float32),
        "across": np.zeros((40, 50), np.float16),
        "down": np.zeros((40, 50), np.float16),
        "edges_0": edges,
        **{f"{name}_0": np.where(edges, v, 0).astype(np.float16) for name, v in planes.items()},
    }


def test_errors_add_up(stage, parameters, rng):
    one = scene(rng, 3.0, reading=3.5)
    smoothed = jax.jit(stage._smooth)(parameters, one)
    errors = jax.jit(multiscale._errors)(parameters, *smoothed, one["radius"])
    sums = {k: np.asarray(v) for k, v in errors.items()}
    radius, _ = conclude(parameters, *smoothed)
    assert 3.4 < float(radius.min()) <= float(radius.max()) < 3.7
    assert sums["pixels"] == 2000 == sums["pixels_to_6"] == sums["pixels_by_bin"].sum()
    np.testing.assert_allclose(sums["relative"] * 4, sums["error"], rtol=1e-5)
    np.testing.assert_allclose(sums["error"] / 2000, np.abs(np.asarray(radius) - 3).mean(), rtol=0.02)
    np.testing.assert_allclose(sums["sure_by_bin"].sum(), sums["sure"], rtol=1e-5)
    np.testing.assert_allclose(sums["right_by_bin"].sum(), sums["right"], rtol=1e-5)


def test_the_loss_teaches_map_and_confidence_apart(stage, parameters, rng):
    """Gradient of the confidence's loss reaches its own parameters only; a perfect map leaves it alone."""
    loss = jax.jit(jax.value_and_grad(lambda parameters, one: stage._loss(parameters, one)[0]))
    _, wrong = loss(parameters, scene(rng, 2.0, reading=4.0))
    assert np.abs(wrong.confidence).max() > 0.1  # far off: less sure
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(wrong))
    right, off = (loss(parameters, one)[0] for one in (scene(rng, 3.0), scene(rng, 3.0, reading=4.5)))
    assert float(right) < float(off)


@pytest.mark.parametrize(("radius", "truth"), [(3.0, 3.0), (2.0, 4.0), (1.0, 14.0)])
def test_large_errors_count_by_their_logarithm(parameters, radius, truth):
    smoothed = jnp.asarray([1.0, radius, radius**2])[:, None, None] * jnp.ones((1, 6, 7))
    means = smoothed[:, 0, 0]
    loss, metrics = jax.jit(map_loss.map_loss)(parameters, smoothed, means, jnp.full((6, 7), truth))
    _, sure = conclude(parameters, smoothed, means)
    entropy = -np.log(sure if radius == truth else 1 - sure).mean()
    error = abs(radius - truth)
    assert float(loss) - entropy == pytest.approx(np.log(1 + error / (0.25 + truth / 8)), abs=0.02)
    assert float(metrics["error_px"]) == pytest.approx(error, abs=1e-5)


def test_batches_depend_on_seed_and_step_alone(stage):
    stage._scenes = [{"radius": np.full((8, 2, 2), i)} for i in range(50)]
    drawn = [int(stage.batch(step)["radius"][0, 0, 0]) for step in range(20)]
    assert drawn == [int(stage.batch(step)["radius"][0, 0, 0]) for step in range(20)]
    assert len(set(drawn)) > 5
    stage.config = dataclasses.replace(stage.config, seed=1)
    assert drawn != [int(stage.batch(step)["radius"][0, 0, 0]) for step in range(20)]


def test_hosts_share_a_batch_or_it_is_refused(stage, monkeypatch):
    stage._scenes = [{"radius": np.arange(8)}]
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    monkeypatch.setattr(jax, "process_count", lambda: 4)
    np.testing.assert_array_equal(stage.batch(0)["radius"], [2, 3])
    monkeypatch.setattr(jax, "process_count", lambda: 3)
    with pytest.raises(ValueError, match="multiple of the number of processes 3, got 8"):
        stage.batch(0)
