import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur.network.config import NetworkConfig
from train.stages import losses

SOFTMAX, ORDINAL = NetworkConfig(), NetworkConfig(level_head="ordinal")


def test_softmax_loss_shares_a_radius_between_its_neighbours(rng):
    logits = rng.normal(size=(1, 23)).astype(np.float32)
    log_probability = logits[0] - np.log(np.exp(logits[0]).sum())
    expected = -(
        0.6 * log_probability[2] + 0.4 * log_probability[3]
    )  # 1.1 px lies 0.4 of the way from 1.0 to 1.25
    got = losses.level_loss(jnp.asarray(logits), jnp.asarray([1.1], jnp.float32), SOFTMAX)
    np.testing.assert_allclose(got, [expected], rtol=1e-5)


def test_ordinal_loss_is_a_sum_of_binary_cross_entropies(rng):
    logits = rng.normal(size=(1, 22)).astype(np.float32)
    above = np.zeros(22)
    above[:2], above[2] = 1, 0.4
    probability = 1 / (1 + np.exp(-logits[0].astype(float)))
    expected = -(above * np.log(probability) + (1 - above) * np.log(1 - probability)).sum()
    got = losses.level_loss(jnp.asarray(logits), jnp.asarray([1.1], jnp.float32), ORDINAL)
    np.testing.assert_allclose(got, [expected], rtol=1e-5)


@pytest.mark.parametrize("radius", [0.2, 0.5, 6.0, 9.0])
def test_radii_at_and_beyond_the_ends_are_the_end_levels(radius):
    level = 0 if radius < 1 else 22
    softmax = jnp.full((1, 23), -9.0).at[0, level].set(9.0)
    ordinal = jnp.full((1, 22), 9.0 if level else -9.0)
    for logits, network in ((softmax, SOFTMAX), (ordinal, ORDINAL)):
        assert float(losses.level_loss(logits, jnp.asarray([radius], jnp.float32), network)[0]) < 0.01
        metrics = losses.level_metrics(logits, jnp.asarray([radius], jnp.float32), network)
        assert float(metrics["accuracy"][0]) == float(metrics["within_one"][0]) == 1.0


def test_metrics_by_hand():
    logits = jnp.full((3, 23), -20.0).at[jnp.arange(3), jnp.asarray([4, 5, 9])].set(20.0)
    metrics = losses.level_metrics(logits, jnp.full((3,), 1.5, jnp.float32), SOFTMAX)
    np.testing.assert_array_equal(metrics["accuracy"], [1, 0, 0])
    np.testing.assert_array_equal(metrics["within_one"], [1, 1, 0])
    np.testing.assert_allclose(metrics["error_px"], [0, 0.25, 1.25], atol=1e-5)


def test_depth_loss_by_hand():
    logits = jnp.asarray([[0.0, 2.0], [1.0, -1.0]])
    expected = np.log1p(np.exp([-2.0, 2.0]))
    got = losses.depth_loss(logits, jnp.asarray([1, 1], jnp.int32))
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    np.testing.assert_array_equal(losses.depth_metrics(logits, jnp.asarray([1, 1]))["accuracy"], [1, 0])


def test_the_gradient_points_at_the_label():
    radius = jnp.asarray([3.0], jnp.float32)
    logits = jnp.zeros((1, 23))
    for _ in range(200):
        logits = logits - jax.grad(lambda x: losses.level_loss(x, radius, SOFTMAX).sum())(logits)
    assert SOFTMAX.levels[int(logits.argmax())] == 3.0
