"""The two forms in which training computes the networks, against each other."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur.network.config import NetworkConfig
from jaxblur.network.defocus_net import apply
from train.stages import forward

NETWORK = NetworkConfig(
    width=6, hidden=(8, 8), normalisation="batch", level_head="ordinal", input_offset=0.5, input_scale=3.0
)
VIEWS, SIDE = 2, 12  # px of a view without its margin


@pytest.fixture(scope="module")
def variables() -> Any:
    """Fresh, but for batch statistics and biases that a wrong order would show."""
    keys = iter(jax.random.split(jax.random.key(1), 1000))

    def stir(path: Any, leaf: jax.Array) -> jax.Array:
        if "kernel" in jax.tree_util.keystr(path):
            return leaf
        return leaf + 0.1 * jax.random.uniform(next(keys), leaf.shape)

    return jax.tree_util.tree_map_with_path(stir, forward.init_variables(jax.random.key(0), NETWORK))


@pytest.mark.parametrize("logits", [forward.blur_logits, forward.depth_logits])
def test_few_points_are_read_as_many(variables: Any, logits: Any) -> None:
    rng = np.random.default_rng(0)
    side = SIDE + 2 * NETWORK.margin
    views = jnp.asarray(rng.uniform(size=(VIEWS, side, side, 3)), jnp.float32)
    many = jnp.asarray(rng.integers(SIDE, size=(VIEWS, forward.FEW + 1, 2)), jnp.int32)
    few = many[:, : forward.FEW]
    both = jax.jit(
        lambda points: apply(variables, NETWORK, logits, views, points, jnp.ones(points.shape[:2], bool))
    )
    dense, patchwise = both(many), both(few)
    dense = dense.reshape(VIEWS, forward.FEW + 1, -1)[:, : forward.FEW].reshape(patchwise.shape)
    spread = np.ptp(dense, axis=0).max()  # from point to point
    assert spread > 1e-3
    np.testing.assert_allclose(patchwise, dense, atol=1e-3 * spread)


def test_batch_statistics_leave_out_points_that_are_not_there(variables: Any) -> None:
    rng = np.random.default_rng(0)
    side = SIDE + 2 * NETWORK.margin
    views = jnp.asarray(rng.uniform(size=(1, side, side, 3)), jnp.float32)
    points = jnp.asarray(rng.integers(SIDE, size=(1, 3, 2)), jnp.int32)

    @jax.jit
    def mean_of(valid: jax.Array) -> jax.Array:
        _, updates = forward.DefocusNet(NETWORK).apply(
            variables,
            views,
            points,
            valid,
            True,
            method=forward.blur_logits,
            mutable=["batch_stats"],
        )
        return updates["batch_stats"]["b"]["trunk"]["convolutions_0"]["normalise"]["mean"]

    def mean_of_trunk(valid: list[bool]) -> np.ndarray:
        return np.asarray(mean_of(jnp.asarray([valid])))

    each = [mean_of_trunk([place == kept for place in range(3)]) for kept in range(3)]
    assert not np.allclose(each[0], each[1], rtol=1e-3)
    np.testing.assert_allclose(mean_of_trunk([True, False, True]), (each[0] + each[2]) / 2, rtol=1e-4)
