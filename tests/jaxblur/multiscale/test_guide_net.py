"""The guide network: what it sees, and from how far; its numbers are tested with `fuse.gather`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur.multiscale.guide_net import REACH, guide_gain, init_guide
from jaxblur.network.readout import EdgeReading, ScaleReading
from tests.jaxblur.multiscale.fuse_oracle import some_reading


@pytest.fixture(scope="module")
def parameters():
    plain = init_guide(jax.random.key(0))
    return plain | {"kernel_last": jax.random.normal(jax.random.key(1), plain["kernel_last"].shape)}


def readings_of(rng, shape, *, fraction=0.1, scales=3):
    made = []
    for scale in range(scales):
        own = shape[0] >> scale, shape[1] >> scale
        made.append(ScaleReading(some_reading(rng, own), rng.random(own) < fraction))
    return made


def test_before_training_all_gradients_block_alike(rng):
    gain = guide_gain(init_guide(jax.random.key(3)), readings_of(rng, (40, 30)), shape=(40, 30))
    np.testing.assert_array_equal(gain, np.zeros((40, 30)))


def test_without_edges_it_has_no_opinion(parameters, rng):
    gain = guide_gain(parameters, readings_of(rng, (21, 30), fraction=0), shape=(21, 30))
    np.testing.assert_array_equal(gain, np.zeros((21, 30)))


def test_an_edge_is_seen_from_no_further_than_the_reach(parameters, rng):
    shape, (row, col) = (160, 150), (80, 71)
    readings = readings_of(rng, shape, fraction=0)
    readings[0][1][row, col] = True
    gain = np.asarray(guide_gain(parameters, readings, shape=shape))
    rows, cols = np.nonzero(gain)
    first, last = 2 * (row // 2 - REACH), 2 * (row // 2 + REACH) + 1
    assert (rows.min(), rows.max()) == (first, last)
    assert cols.min() == first - row // 2 * 2 + col // 2 * 2 and cols.max() < col + 2 * REACH + 2
    assert np.abs(gain[row, col]) > np.median(np.abs(gain[gain != 0]))


def test_radius_and_weight_do_not_matter(parameters, rng):
    shape = (40, 30)
    readings = readings_of(rng, shape)
    other = [
        ScaleReading(EdgeReading(r.radius + 1, r.deviation * 2, r.reliability / 2, r.depth), edges)
        for r, edges in readings
    ]
    gain = guide_gain(parameters, readings, shape=shape)
    assert np.std(gain) > 0.01
    np.testing.assert_array_equal(guide_gain(parameters, other, shape=shape), gain)


@pytest.mark.parametrize("shape", [(37, 30), (16, 23), (1, 9)])
def test_padding_leaves_no_trace(shape, parameters, rng):
    """In a bucket, in which every scale has room of its own; a last odd row or column gets no answer."""
    readings = readings_of(rng, shape)
    alone = np.asarray(guide_gain(parameters, readings, shape=shape))
    assert not alone[shape[0] // 2 * 2 :].any() and not alone[:, shape[1] // 2 * 2 :].any()
    padded = [
        ScaleReading(
            EdgeReading(*(np.pad(p, ((0, 64 - p.shape[0]), (0, 96 - p.shape[1]))) for p in reading)),
            np.pad(edges, ((0, 64 - edges.shape[0]), (0, 96 - edges.shape[1]))),
        )
        for reading, edges in readings
    ]
    size = jnp.int32(shape[0]), jnp.int32(shape[1])
    got = np.asarray(jax.jit(lambda r: guide_gain(parameters, r, shape=(64, 96), size=size))(padded))
    np.testing.assert_allclose(got[: shape[0], : shape[1]], alone, rtol=2e-5, atol=1e-6)
    assert not got[shape[0] :].any() and not got[:, shape[1] :].any()
