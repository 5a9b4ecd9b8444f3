import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur.multiscale import fuse
from jaxblur.multiscale.parameters import init_parameters
from jaxblur.network.config import NetworkConfig
from train.stages import confidence

NETWORK = NetworkConfig()
conclude = jax.jit(fuse.conclude)


def scene(rng, parameters, truth_weights):
    """Evidence all over, and a truth that is within reach with the probability that `truth_weights` give."""
    weight = np.exp(rng.normal(size=(80, 90)))
    radius, disagreement = 3.0 + rng.random((80, 90)), rng.uniform(0.05, 0.8, (80, 90))
    square = radius**2 + (disagreement * (radius + 0.5)) ** 2
    smoothed = jnp.asarray([weight, weight * radius, weight * square], jnp.float32)
    means = jnp.zeros(3)
    seen, sure = conclude(parameters.replace(confidence=jnp.asarray(truth_weights)), smoothed, means)
    right = rng.random(sure.shape) < np.asarray(sure)
    return smoothed, means, jnp.where(right, seen, seen + 5.0)


@pytest.fixture
def parameters():
    return init_parameters(NETWORK, jax.random.key(0))


def test_finds_the_weights_that_made_the_truth(parameters, rng):
    wanted = [0.4, 0.6, -1.5]
    scenes = [scene(rng, parameters, wanted) for _ in range(4)]
    found = confidence.calibrate(parameters, scenes)
    np.testing.assert_allclose(found.confidence, wanted, atol=0.15)
    same = found.replace(confidence=parameters.confidence)
    jax.tree.map(np.testing.assert_array_equal, same, parameters)
    right = [np.asarray(fuse.is_right(conclude(found, *s[:2])[0], s[2])) for s in scenes]
    sure = [np.asarray(conclude(found, *s[:2])[1]) for s in scenes]
    assert np.mean(sure) == pytest.approx(np.mean(right), abs=1e-4)


def test_all_right_gives_finite_weights(parameters, rng):
    smoothed, means, _ = scene(rng, parameters, [0.0, 0.0, 0.0])
    radius, _ = conclude(parameters, smoothed, means)
    found = confidence.calibrate(parameters, [(smoothed, means, radius)])
    assert np.isfinite(found.confidence).all()
    assert conclude(found, smoothed, means)[1].mean() > 0.98


def test_cross_entropy():
    sure, right = jnp.asarray([[0.5, 0.9, 1.0]]), jnp.asarray([[True, False, False]])
    expected = -np.mean([np.log(0.5), np.log(0.1), np.log(1e-4)])
    np.testing.assert_allclose(confidence.entropy(sure, right), expected, rtol=1e-4)


def test_what_cannot_be_calibrated_is_an_error(parameters, rng):
    smoothed, means, truth = scene(rng, parameters, [0.0, 0.0, 0.0])
    with pytest.raises(FloatingPointError, match="cannot be calibrated"):
        confidence.calibrate(parameters.replace(confidence=jnp.full(3, jnp.nan)), [(smoothed, means, truth)])
