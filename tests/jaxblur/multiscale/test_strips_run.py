"""Large photos: the same result as the one program, whatever the tiles and strips."""

# ruff: noqa: F811 - fixtures are imported, and named as arguments
import dataclasses

import numpy as np
import pytest

from jaxblur import estimator
from jaxblur.config import DEFAULT, PUBLISHED, PropagationConfig
from jaxblur.multiscale import large
from jaxblur.runtime import memory
from tests.jaxblur.test_estimator import EDGES, PHOTO, assert_same, photo_like, weights  # noqa: F401

SHAPE = (75, 94)  # two tiles by two of 64 px; their bucket is 128 px wide
PLAN = {"photo_bytes": 3, "edge_shares": [0.25], "pyramid": False}  # of a photo of 8 bits
SOFT = dataclasses.replace(
    DEFAULT,
    readout="argmax",
    weighting="uniform",
    propagation=PropagationConfig(depth="soft", sigma_s=5.0, iterations=2, guide_iterations=1),
)


@pytest.fixture
def photo(rng):
    small = photo_like(rng, 60, 60)  # has both kinds of edges
    return np.pad(small, ((0, SHAPE[0] - 60), (0, SHAPE[1] - 60), (0, 0)), mode="symmetric")


def in_strips(photo, weights, *, edges=None, config=DEFAULT, max_tile=64, rows=15, progress=None):
    return estimator.BlurEstimate(
        *large.estimate_large(
            photo,
            weights,
            edges=edges,
            config=config,
            max_tile=max_tile,
            strip_pixels=128 * rows,
            progress=progress,
        )
    )


def assert_identical(got, wanted):
    for name, one, other in zip(got._fields, got, wanted, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)


@pytest.mark.parametrize("config", [DEFAULT, SOFT], ids=["default", "soft"])
def test_equals_the_one_program(config, photo, weights):
    expected = estimator.estimate(photo, weights, config=config)
    assert 0 < expected.depth_edges.sum() < expected.edges.sum() and expected.radius.std() > 1e-3
    assert_same(in_strips(photo, weights, config=config), expected)


def test_result_does_not_depend_on_tiles_and_strips(photo, weights):
    result = in_strips(photo, weights)
    for max_tile, rows in [(128, 15), (64, 1), (64, 40)]:
        assert_identical(in_strips(photo, weights, max_tile=max_tile, rows=rows), result)


def test_own_edges_types_and_flat_tiles(photo, weights, rng):
    """A photo of 16 bits, another in floats, and tiles without edges."""
    edges = rng.random(SHAPE) < 0.1
    edges[:, :64] = False
    shares = []
    result = in_strips(photo, weights, edges=edges, progress=shares.append)
    np.testing.assert_array_equal(result.edges, edges)
    assert len(shares) == 1 + 2 + 3 * 5 + 4 * 5  # edges, two of four tiles, passes of the filter
    assert shares == sorted(shares) and 0 < shares[0] and shares[-1] == pytest.approx(1)
    assert_identical(in_strips(photo.astype(np.uint16) * 257, weights, edges=edges), result)
    floats = (photo / 255).astype(np.float32)
    assert_same(in_strips(floats, weights, edges=edges), result)


def test_no_edge_gives_the_fallback(weights):
    config = dataclasses.replace(PUBLISHED, propagation=PropagationConfig(fallback_radius=2.0))
    result = in_strips(np.full((*SHAPE, 3), 90, np.uint8), weights, config=config)
    np.testing.assert_array_equal(result.radius, np.float32(2))
    assert not result.edges.any() and not result.confidence.any() and np.isnan(result.sparse_radius).all()


@pytest.fixture
def parts(monkeypatch):
    """The options with which large photos are done in parts, of which a photo here is none."""
    calls = []

    def record(photo, weights, **options):
        calls.append(options)
        return (np.zeros(photo.shape[:2]),) * 5

    monkeypatch.setattr(estimator, "estimate_large", record)
    return calls


def test_large_photos_are_done_in_parts(weights, parts, traces):
    huge = np.broadcast_to(np.uint8(9), (20_000, 20_000, 3))
    for photo, max_tile in [(PHOTO, 128), (PHOTO, 256), (huge, 512)]:
        need = memory.strips_need(*photo.shape[:2], **PLAN, max_tile=max_tile)
        result = estimator.estimate(photo, weights, max_memory=need, progress=print)
        assert isinstance(result, estimator.BlurEstimate)
        assert parts[-1] == {"edges": None, "progress": print, "config": DEFAULT, "max_tile": max_tile}
    estimator.estimate(PHOTO, weights, max_memory=memory.program_need(6, 7, pyramid=False))
    assert len(parts) == 3 and len(traces) == 1


def test_half_the_machine_is_the_limit_unless_told(weights, parts, traces, monkeypatch):
    need = memory.program_need(6, 7, pyramid=False)
    for machine, count in [(2 * need, 0), (1.9 * need, 1)]:
        monkeypatch.setattr(memory, "machine_memory", lambda machine=machine: machine)
        estimator.estimate(PHOTO, weights)
        assert len(parts) == count


def test_too_little_memory_is_told_before_any_work(weights, parts):
    with pytest.raises(
        ValueError, match=r"max_memory must be at least .* MB for a photo of 7x6 px, got 90 MB"
    ):
        estimator.estimate(PHOTO, weights, max_memory=90e6)
    least = memory.strips_need(6, 7, **PLAN | {"edge_shares": [0]}, max_tile=128)
    estimator.estimate(PHOTO, weights, edges=EDGES, max_memory=least)
    assert parts[0]["edges"] is not None
