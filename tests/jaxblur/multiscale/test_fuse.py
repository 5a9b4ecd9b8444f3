"""Multiscale fusion against slow NumPy versions of its steps, and what it must do whatever its parameters are."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur.multiscale import fuse
from jaxblur.network.readout import EdgeReading, ScaleReading
from tests.jaxblur.multiscale.fuse_oracle import (
    FUSE,
    GATHER,
    NETWORK,
    WEIGH,
    oracle_barrier,
    oracle_evidence,
    oracle_fuse,
    oracle_gain,
    oracle_reading,
    some_gradient,
    some_parameters,
    some_reading,
    some_readings,
)
from tests.jaxblur.tiny import plain_multiscale

MIDDLE = 3.25  # of the levels, px
SHAPE = (13, 10)


@pytest.mark.parametrize(("scale", "scales"), [(0, 1), (0, 3), (1, 3), (2, 3), (2, 2)])
def test_weigh_reading(scale, scales, rng):
    parameters, reading = some_parameters(rng), some_reading(rng, (60,))
    reading.radius[:3] = 0.5, 6.0, 0.6  # ends of the levels
    reading.deviation[:3] = 1e-3, 1e-3, 0.8
    edges = rng.random(60) < 0.8
    got = WEIGH(parameters, reading, edges, NETWORK, scale=scale, scales=np.int32(scales))
    wanted = np.array(
        [
            oracle_reading(parameters, *map(float, values), scale, scales)
            for values in zip(*reading, strict=True)
        ]
    )
    np.testing.assert_allclose(got[0], np.where(edges, wanted[:, 0], 0), rtol=2e-4)
    np.testing.assert_allclose(got[1], wanted[:, 1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scales", [1, 2, 3])
def test_gather(scales, rng):
    parameters, readings = some_parameters(rng), some_readings(rng, SHAPE)
    got = GATHER(parameters, readings, NETWORK, shape=SHAPE, scales=np.int32(scales))
    wanted = oracle_evidence(parameters, readings, SHAPE, scales)
    assert (wanted[0] > 0).sum() > 20
    np.testing.assert_allclose(np.stack(got[:3]), wanted, rtol=2e-4)
    barrier = oracle_barrier(parameters, readings, SHAPE, scales)
    assert (barrier > 0).sum() > 20
    np.testing.assert_allclose(got.depth_barrier, barrier, rtol=1e-5)
    gain = oracle_gain(parameters.guide, readings, SHAPE, scales)
    assert gain.std() > 0.05 and np.abs(gain).max() < 8
    np.testing.assert_allclose(got.gradient_barrier, np.exp(gain - parameters.gradient_range), rtol=1e-4)


@pytest.mark.parametrize("shape", [SHAPE, (1, 12), (12, 1)])
def test_fuse(shape, rng):
    parameters, gradient = some_parameters(rng), some_gradient(rng, shape)
    evidence = some_evidence(rng, shape)
    wanted = oracle_fuse(parameters, np.stack(evidence[:3]), *evidence[3:], gradient)
    radius, confidence = FUSE(parameters, evidence, gradient)
    np.testing.assert_allclose(radius, wanted[0], rtol=1e-4)
    np.testing.assert_allclose(confidence, wanted[1], atol=1e-3)
    assert wanted[0].std() > 0.05 and wanted[1].std() > 1e-3


def some_evidence(rng, shape, fraction=0.3):
    known = rng.random(shape) < fraction
    known[0, 0] = True
    weight = np.where(known, rng.uniform(0.5, 3, shape), 0).astype(np.float32)
    radius = rng.uniform(0.5, 8, shape).astype(np.float32)
    depth = np.where(known, rng.random(shape), 0).astype(np.float32)
    stop = rng.uniform(0.1, 3, shape).astype(np.float32)
    return fuse.Evidence(weight, weight * radius, weight * radius**2, depth, stop)


def test_float64_is_exact_and_stays(rng):
    parameters, gradient = some_parameters(rng, np.float64), some_gradient(rng, SHAPE)
    evidence = some_evidence(rng, SHAPE)
    wanted = oracle_fuse(parameters, np.stack(evidence[:3]).astype(float), *evidence[3:], gradient)
    with jax.enable_x64(True):
        as_double = jax.tree.map(
            lambda leaf: jnp.asarray(leaf, jnp.float64), (parameters, evidence, gradient)
        )
        radius, confidence = FUSE(*as_double)
        reading = EdgeReading(*map(jnp.asarray, some_reading(rng, (5,), np.float64)))
        weighed = WEIGH(as_double[0], reading, np.ones(5, bool), NETWORK, scale=1, scales=np.int32(2))
        assert all(leaf.dtype == np.float64 for leaf in (radius, confidence, *weighed))
        points = [oracle_reading(parameters, *map(float, p), 1, 2) for p in zip(*reading, strict=True)]
        np.testing.assert_allclose(np.stack(weighed, 1), points, rtol=1e-11)
    np.testing.assert_allclose(radius, wanted[0], rtol=1e-6)  # sums of the means are of float32 products
    np.testing.assert_allclose(confidence, wanted[1], rtol=1e-5)


def test_vmap_is_one_by_one(rng):
    parameters = some_parameters(rng)
    photos = [(some_evidence(rng, SHAPE), some_gradient(rng, SHAPE)) for _ in range(2)]
    batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), *photos)
    together = jax.vmap(lambda photo: FUSE(parameters, *photo))(batch)
    for index, photo in enumerate(photos):
        alone = FUSE(parameters, *jax.tree.map(jnp.asarray, photo))
        for got, wanted in zip(together, alone, strict=True):
            np.testing.assert_allclose(got[index], wanted, rtol=1e-5)


def test_equal_readings_give_an_even_map(rng):
    """Whatever the guide and the weights."""
    parameters, gradient = some_parameters(rng), some_gradient(rng, SHAPE)
    weight = np.where(rng.random(SHAPE) < 0.2, rng.uniform(0.1, 5, SHAPE), 0).astype(np.float32)
    barrier, stop = rng.random((2, *SHAPE)).astype(np.float32)
    evidence = fuse.Evidence(weight, weight * 4, weight * 16, barrier, stop)
    radius, confidence = FUSE(parameters, evidence, gradient)
    np.testing.assert_allclose(radius, 4, rtol=1e-5)
    uneven = evidence._replace(weighted_square=weight * 25)  # the same mean, but the readings disagree
    assert (FUSE(parameters, uneven, gradient)[1] < confidence).all()


def test_units_of_radius_and_weight(rng):
    parameters, gradient, evidence = (
        some_parameters(rng),
        some_gradient(rng, SHAPE),
        some_evidence(rng, SHAPE),
    )
    radius, confidence = FUSE(parameters, evidence, gradient)
    weight, first, second, *stops = evidence
    twice = fuse.Evidence(weight, 2 * first, 4 * second, *stops)
    np.testing.assert_allclose(FUSE(parameters, twice, gradient)[0], 2 * radius, rtol=1e-5)
    stronger = fuse.Evidence(8 * weight, 8 * first, 8 * second, *stops)
    same, surer = FUSE(parameters, stronger, gradient)
    np.testing.assert_allclose(same, radius, rtol=1e-5)
    assert (surer > confidence).all()


def test_a_reading_near_the_end_of_a_scale_counts_little():
    """Where the next scale knows better; and with one scale there is none."""
    parameters = plain_multiscale(NETWORK)
    ends = np.float32([0.5, 3.0, 6.0])
    reading = EdgeReading(ends, np.full(3, 0.3, np.float32), np.ones(3, np.float32), np.zeros(3, np.float32))

    def weights(scale, scales):
        out = WEIGH(parameters, reading, np.ones(3, bool), NETWORK, scale=scale, scales=np.int32(scales))
        return np.asarray(out[0])

    alone, finest, between, coarsest = weights(0, 1), weights(0, 3), weights(1, 3), weights(2, 3)
    np.testing.assert_allclose(alone, alone[1], rtol=1e-6)
    assert finest[2] < 0.01 * finest[1] and finest[0] == pytest.approx(finest[1])
    assert max(between[0], between[2]) < 0.01 * between[1]
    assert coarsest[0] < 0.01 * coarsest[1] and coarsest[2] == pytest.approx(coarsest[1])


def test_no_evidence_is_the_middle_without_confidence(rng):
    """And nothing is lost to NaN, in values or gradients."""
    parameters, gradient = plain_multiscale(NETWORK), some_gradient(rng, (6, 7))
    reading = EdgeReading(*np.zeros((4, 6, 7), np.float32))
    none = np.zeros((6, 7), bool)

    @jax.jit
    @functools.partial(jax.grad, argnums=(0, 1, 2), has_aux=True)
    def estimate(parameters, reading, gradient, edges):
        evidence = fuse.gather(
            parameters, [ScaleReading(reading, edges)], NETWORK, shape=(6, 7), scales=jnp.int32(1)
        )
        result = fuse.fuse(parameters, evidence, gradient)
        return sum(map(jnp.sum, result)), result

    _, (radius, confidence) = estimate(parameters, reading, gradient, none)
    np.testing.assert_array_equal(radius, np.float32(MIDDLE))
    assert not np.asarray(confidence).any()
    one = none.copy()
    one[3, 3] = True
    for edges, given in [(none, reading), (one, reading), (one, some_reading(rng, (6, 7)))]:
        slopes, _ = estimate(parameters, given, gradient, edges)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
        assert (np.abs(slopes[0].confidence).max() > 0) == edges.any()


def test_padding_leaves_no_trace(rng):
    parameters, gradient, evidence = (
        some_parameters(rng),
        some_gradient(rng, SHAPE),
        some_evidence(rng, SHAPE),
    )
    alone = FUSE(parameters, evidence, gradient)
    fill = ((0, 6), (0, 3))
    padded = jax.tree.map(lambda plane: np.pad(plane, fill, constant_values=7), (evidence, gradient))
    size = (jnp.int32(SHAPE[0]), jnp.int32(SHAPE[1]))
    for got, wanted in zip(FUSE(parameters, *padded, size=size), alone, strict=True):
        np.testing.assert_allclose(got[: SHAPE[0], : SHAPE[1]], wanted, rtol=2e-5)


def test_a_depth_edge_stops_the_spreading():
    """Two sides, two radii: the certain depth edge between them keeps them apart."""
    parameters = plain_multiscale(NETWORK)
    weight = np.zeros((5, 21), np.float32)
    weight[:, [2, 18]] = 1
    radius = np.where(np.arange(21) < 10, 1, 5).astype(np.float32) * np.ones_like(weight)
    wall = np.zeros_like(weight)
    wall[:, 10] = 1
    gradient = np.zeros_like(weight), np.zeros_like(weight)

    def difference(penalty, depth):
        changed = parameters.replace(depth_penalty=jnp.full(4, penalty, jnp.float32))
        barrier = fuse.depth_barrier(changed, jnp.asarray(depth), 0)
        evidence = fuse.Evidence(weight, weight * radius, weight * radius**2, barrier, gradient[0])
        result = np.asarray(FUSE(parameters, evidence, gradient)[0])
        return (result[:, 15] - result[:, 5]).mean()

    assert difference(9, wall) > difference(1, wall) > difference(1, 0 * wall) > 0
    assert difference(9, wall) > 3.5


def oracle_photo(height, width, factor):
    """What networks without fault say of a photo with two blurred sides, at all its scales of 12 rows or more."""
    readings = []
    scales = sum(height >> scale >= 12 for scale in range(4))
    for scale in range(scales):
        shape = (height >> scale, width >> scale)
        blur = np.where(np.arange(shape[1]) < shape[1] / 2, 2.0, 9.0) * factor / 2**scale
        radius = np.clip(np.broadcast_to(blur, shape), 0.5, 6.0).astype(np.float32)
        spacing = 16 >> scale  # of the edges, px of the scale
        edges = np.zeros(shape, bool)
        edges[:, round(spacing * factor) // 2 :: max(round(spacing * factor), 1)] = True
        level = np.full(shape, 0.2, np.float32)
        reading = EdgeReading(radius, level, np.ones_like(level), np.zeros_like(level))
        readings.append(ScaleReading(reading, edges))
    return readings, scales


def test_a_photo_and_its_half_agree():
    """In pixels of their own: half the radius."""
    maps = {}
    for factor, shape in [(1, (48, 200)), (0.5, (24, 100))]:
        readings, scales = oracle_photo(*shape, factor)
        parameters = plain_multiscale(NETWORK)
        evidence = GATHER(parameters, readings, NETWORK, shape=shape, scales=np.int32(scales))
        middle = np.zeros(shape, np.float32)
        middle[:, shape[1] // 2] = 50  # the guide's border between the two sides
        gradient = middle, np.zeros_like(middle)
        maps[factor] = np.asarray(FUSE(parameters, evidence, gradient)[0])
    for factor, radius in maps.items():
        left, right = np.split(radius, 2, axis=1)
        np.testing.assert_allclose(left, 2 * factor, rtol=0.15)
        np.testing.assert_allclose(right, 9 * factor, rtol=0.15)
    np.testing.assert_allclose(maps[0.5], maps[1][::2, ::2] / 2, rtol=0.12)
