"""Large photos: the same result as the one program, whatever the tiles and strips."""

import numpy as np
import pytest

from jaxblur import estimator
from jaxblur.config import DEFAULT, Config, GuideConfig, PropagationConfig, SingleScale
from jaxblur.inputs import as_bytes
from jaxblur.result import BlurEstimate
from jaxblur.runtime import memory
from tests.jaxblur.tiny import (
    assert_identical,
    assert_same,
    estimate_in_program,
    estimate_in_strips,
    photo_like,
)

PHOTO, EDGES = np.zeros((6, 7, 3), np.uint8), np.zeros((6, 7), bool)
SHAPE = (75, 94)  # two tiles by two of 64 px; their bucket is 128 px wide
PLAN = {"photo_bytes": 3, "edge_fractions": [0.25], "multiscale": False, "tile": 128}  # of a photo of 8 bits
OTHER = Config(
    propagation=SingleScale(
        readout="argmax",
        weighting="uniform",
        guide=GuideConfig(iterations=1),
        filter=PropagationConfig(sigma_s=5.0, iterations=2),
    )
)


@pytest.fixture
def photo(rng):
    small = photo_like(rng, 60, 60)  # has both kinds of edges
    return np.pad(small, ((0, SHAPE[0] - 60), (0, SHAPE[1] - 60), (0, 0)), mode="symmetric")


@pytest.mark.parametrize("config", [DEFAULT, OTHER], ids=["default", "other"])
def test_equals_the_one_program(config, photo, weights):
    expected = estimate_in_program(photo, weights, config=config)
    assert 0 < expected.depth_edges.sum() < expected.edges.sum() and expected.radius.std() > 1e-3
    assert_same(estimate_in_strips(photo, weights, config=config), expected)


def test_result_does_not_depend_on_tiles_strips_and_threads(photo, weights):
    result = estimate_in_strips(photo, weights)
    for tile, rows, workers in [(128, 15, 1), (64, 1, 1), (64, 40, 3)]:
        other = estimate_in_strips(photo, weights, tile=tile, rows=rows, workers=workers)
        assert_identical(other, result)


def test_own_edges_types_and_flat_tiles(photo, weights, rng):
    """A photo of 16 bits, another in floats, and tiles without edges."""
    edges = rng.random(SHAPE) < 0.1
    edges[:, :64] = False
    fractions = []
    result = estimate_in_strips(photo, weights, edges=edges, progress=fractions.append)
    np.testing.assert_array_equal(result.edges, edges)
    assert len(fractions) == 1 + 2 + 3 * 5 + 4 * 5  # edges, two of four tiles, passes of the filter
    assert fractions == sorted(fractions) and 0 < fractions[0] and fractions[-1] == pytest.approx(1)
    assert_identical(estimate_in_strips(photo.astype(np.uint16) * 257, weights, edges=edges), result)
    floats = (photo / 255).astype(np.float32)
    assert_same(estimate_in_strips(floats, weights, edges=edges), result)


def test_no_edge_gives_the_unknown_radius(weights):
    config = Config(propagation=SingleScale(filter=PropagationConfig(unknown_radius=2.0)))
    result = estimate_in_strips(np.full((*SHAPE, 3), 90, np.uint8), weights, config=config)
    np.testing.assert_array_equal(result.radius, np.float32(2))
    assert not result.edges.any() and not result.confidence.any() and np.isnan(result.sparse_radius).all()


@pytest.fixture
def parts(monkeypatch):
    """The options with which photos are done in parts, of which a photo here is none."""
    calls = []

    class Recorded:
        def __init__(self, weights, photo, config, **options):
            calls.append(options)

    monkeypatch.setattr(estimator, "InStrips", Recorded)
    monkeypatch.setattr(
        estimator, "run_stages", lambda stages, photo, edges, **options: BlurEstimate(*[edges] * 5)
    )
    monkeypatch.setattr(estimator.parallel, "count_cores", lambda: 4)
    return calls


def test_as_many_tiles_side_by_side_as_cores_and_memory_allow(weights, parts):
    for wanted in (4, 2, 1):
        need = memory.strips_need(*PHOTO.shape[:2], **PLAN, workers=wanted)
        assert estimator.estimate(PHOTO, weights, max_memory=need, progress=print).edges is None
        assert parts[-1] == {"progress": print, "workers": wanted}


def test_one_program_is_for_accelerators_that_have_room(weights, parts, traces):
    need = memory.program_need(6, 7, multiscale=False)
    estimator.estimate(PHOTO, weights, max_memory=need)
    assert len(traces) == 1 and not parts
    estimator.estimate(PHOTO, weights, max_memory=need - 1)
    assert len(traces) == 1 and len(parts) == 1


def test_half_the_machine_is_the_limit_unless_told(weights, monkeypatch):
    need = memory.program_need(6, 7, multiscale=False)
    for machine, fits in [(2 * need, True), (1.9 * need, False)]:
        monkeypatch.setattr(memory, "machine_memory", lambda machine=machine: machine)
        assert estimator.fits_program(PHOTO, weights, DEFAULT, as_bytes(None)) == fits


def test_too_little_memory_is_told_before_any_work(weights, parts):
    with pytest.raises(
        ValueError, match=r"max_memory must be at least .* MB for a photo of 7x6 px, got 90 MB"
    ):
        estimator.estimate(PHOTO, weights, max_memory=90e6)
    least = memory.strips_need(6, 7, **PLAN | {"edge_fractions": [0]})
    given = estimator.estimate(PHOTO, weights, edges=EDGES, max_memory=least).edges
    np.testing.assert_array_equal(given, EDGES)
