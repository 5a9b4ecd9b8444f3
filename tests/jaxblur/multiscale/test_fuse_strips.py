"""Large photos with multiscale fusion: the same result as the one program, whatever the tiles and strips."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur import estimator
from jaxblur.config import DEFAULT
from jaxblur.image.pyramid import cover
from jaxblur.image.strips import FramePoints, Strips
from jaxblur.multiscale import fuse_strips
from jaxblur.multiscale.guide_net import guide_gain
from jaxblur.multiscale.guide_net_strips import gain_of_strip
from jaxblur.network.readout import EdgeReading, ScaleReading
from tests.jaxblur.multiscale.fuse_oracle import GATHER, WEIGH
from tests.jaxblur.tiny import assert_identical, estimate_in_program, photo_like
from tests.jaxblur.tiny import estimate_in_strips as in_strips

GUIDE_GAIN = jax.jit(guide_gain, static_argnames="shape")
SHAPE = (97, 131)  # odd; two scales; two tiles by three of 64 px


@pytest.fixture
def photo(rng):
    return photo_like(rng, *SHAPE)


def assert_close(got, wanted):
    for name in ("edges", "depth_edges"):
        np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name), err_msg=name)
    for name in ("radius", "confidence", "sparse_radius", "read_radius", "read_weight"):
        np.testing.assert_allclose(getattr(got, name), getattr(wanted, name), rtol=2e-5, err_msg=name)


def test_equals_the_one_program(multiscale_weights, photo):
    wanted = estimate_in_program(photo, multiscale_weights)
    assert 0 < wanted.depth_edges.sum() < wanted.edges.sum() and wanted.radius.std() > 0.05
    assert_close(in_strips(photo, multiscale_weights), wanted)


def test_result_does_not_depend_on_tiles_and_strips(multiscale_weights, photo):
    result = in_strips(photo, multiscale_weights)
    for tile, rows in [(128, 15), (64, 1)]:
        assert_identical(in_strips(photo, multiscale_weights, tile=tile, rows=rows), result)


def test_own_edges_are_used_at_every_scale(multiscale_weights, photo, rng):
    """And a photo of 16 bits is that of 8; progress covers all scales."""
    edges = rng.random(SHAPE) < 0.05
    fractions = []
    given = edges.copy()
    result = in_strips(photo, multiscale_weights, edges=edges, progress=fractions.append)
    np.testing.assert_array_equal(result.edges, given)
    assert not np.shares_memory(result.edges, edges)
    assert_close(result, estimate_in_program(photo, multiscale_weights, edges=edges))
    assert (
        len(fractions) == (1 + 2 * 3) + (1 + 2) + 3 * 5 + 3 * 3 * 4
    )  # edges and tiles of two scales; filter
    assert fractions == sorted(fractions) and 0 < fractions[0] and fractions[-1] == pytest.approx(1)
    assert_identical(in_strips(photo.astype(np.uint16) * 257, multiscale_weights, edges=edges), result)


def test_the_readings_of_all_scales_are_at_their_places(multiscale_weights, photo):
    """Those of the photo at its edges, those of the half in the middle of the pixels that it stands for."""
    result = in_strips(photo, multiscale_weights)
    read = result.read_weight > 0
    np.testing.assert_array_equal(np.isfinite(result.read_radius), read)
    half = np.zeros(SHAPE, bool)
    half[1::2, 1::2] = True
    assert (read & ~half)[result.edges & ~half].all() and not (read & ~half & ~result.edges).any()
    assert (read & half & ~result.edges).any()
    assert result.read_radius[read].min() >= 0 and result.read_radius[read].max() <= 2 * 6.0


def test_no_edge_gives_the_middle(multiscale_weights):
    result = in_strips(np.full((*SHAPE, 3), 90, np.uint8), multiscale_weights)
    np.testing.assert_array_equal(result.radius, np.float32(3.25))
    assert not result.edges.any() and not result.confidence.any() and np.isnan(result.sparse_radius).all()


def test_points_are_weighed_in_chunks(multiscale_weights, rng, monkeypatch):
    monkeypatch.setattr(fuse_strips, "_CHUNK", 8)
    parameters = multiscale_weights.multiscale
    reading = EdgeReading(*rng.uniform(0.5, 1.0, (4, 19)).astype(np.float32))
    edges = np.ones((19, 1), bool)
    got = fuse_strips.weigh_points(
        ScaleReading(reading, edges), parameters, multiscale_weights.network, scale=1, scales=2
    )
    wanted = WEIGH(parameters, reading, edges[:, 0], multiscale_weights.network, scale=1, scales=np.int32(2))
    np.testing.assert_allclose(got[1:], wanted, rtol=1e-6)


@pytest.mark.parametrize("shape", [(37, 23), (8, 9)])
def test_signals_are_where_the_one_program_has_them(shape, multiscale_weights, rng):
    """Of four scales at once, whatever the strips."""
    network, parameters = multiscale_weights.network, multiscale_weights.multiscale
    points, readings = [], []
    for scale in range(4):
        own = (shape[0] >> scale, shape[1] >> scale)
        edges = rng.random(own) < 0.4
        values = EdgeReading(*rng.uniform(0.5, 1.0, (4, *own)).astype(np.float32))
        # `place` takes planes that may be larger than needed, as in a bucket.
        more = ((0, 2), (0, 2)) if scale else ((0, 0), (0, 0))
        readings.append(
            jax.tree.map(lambda plane, more=more: np.pad(plane, more), ScaleReading(values, edges))
        )
        at_edges = ScaleReading(EdgeReading(*(plane[edges] for plane in values)), edges)
        points.append(fuse_strips.weigh_points(at_edges, parameters, network, scale=scale, scales=4))
    evidence = GATHER(parameters, readings, network, shape=shape, scales=np.int32(4))
    for power, wanted in enumerate(evidence[:3]):
        for rows in (1, 5, 50):
            got = fuse_strips._signal(points, power, Strips(*shape, rows, 64))
            np.testing.assert_allclose(got, wanted, rtol=1e-5)


@pytest.mark.parametrize("shape", [(37, 23), (8, 9)])
def test_depth_edges_are_where_the_one_program_has_them(shape, rng):
    """Of four scales, whatever the strips."""
    points, planes = [], []
    for scale in range(4):
        own = (shape[0] >> scale, shape[1] >> scale)
        edges, depth = rng.random(own) < 0.4, rng.random(own).astype(np.float32)
        points.append((edges, depth[edges]))
        planes.append(np.asarray(cover(jnp.asarray(np.where(edges, depth, 0)), scale, shape)))
    for rows in (1, 5, 8, 50):
        strips = Strips(*shape, rows, 64)
        for scale, (edges, values) in enumerate(points):
            where = FramePoints(edges, strips)
            for start in strips.starts():
                got = fuse_strips._cover_in_strip(where, values, scale, strips, start)
                wanted = planes[scale][start : start + rows]
                np.testing.assert_array_equal(got[: len(wanted), : shape[1]], wanted)
                assert not got[len(wanted) :].any() and not got[:, shape[1] :].any()


@pytest.mark.parametrize("shape", [(97, 40), (9, 8)])
def test_the_guide_says_what_it_does_in_the_one_program(shape, multiscale_weights, rng):
    """Of four scales, of which it sees three, whatever the strips."""
    parameters, points, readings = multiscale_weights.multiscale.guide, [], []
    for scale in range(4):
        own = (shape[0] >> scale, shape[1] >> scale)
        edges, planes = rng.random(own) < 0.2, rng.random((4, *own)).astype(np.float32)
        points.append((edges, planes[3][edges]))
        readings.append(ScaleReading(EdgeReading(*planes), edges))
    wanted = np.asarray(GUIDE_GAIN(parameters, readings, shape=shape))
    assert wanted.std() > 0.01
    for rows in (7, 100):
        strips = Strips(*shape, rows, 64)
        where = [FramePoints(edges, strips) for edges, _ in points]
        for start in strips.starts():
            got = gain_of_strip(where, [depth for _, depth in points], parameters, strips, start)
            here = wanted[start : start + rows]
            np.testing.assert_allclose(got[: len(here), : shape[1]], here, rtol=1e-5, atol=1e-6)


def test_plan_of_the_fusion(weights, multiscale_weights, monkeypatch):
    """More memory than without it; and what the plan refuses, `estimate` does."""
    monkeypatch.setattr(estimator.parallel, "count_cores", lambda: 10)
    huge = np.broadcast_to(np.uint8(9), (10_000, 10_000, 3))
    workers = estimator.plan_workers(huge, None, multiscale_weights, DEFAULT, 4e9)
    assert 1 <= workers < estimator.plan_workers(huge, None, weights, DEFAULT, 4e9) <= 10
    with pytest.raises(ValueError, match="max_memory must be at least"):
        estimator.estimate(huge, multiscale_weights, max_memory=3e9)
