"""Frames in strips: cutting, and the recursive filter with a carry against the filter of the whole frame."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur.image.size import inside_mask
from jaxblur.image.strips import FramePoints, Strips, apply_to_strips
from jaxblur.propagation.domain_transform import (
    coupled_pixels,
    domain_distances,
    domain_weights,
    filter_by_distances,
)
from jaxblur.propagation.domain_transform_strips import filter_in_place


def test_cut_and_put_are_inverse_and_zero_outside(rng):
    strips = Strips(height=10, width=5, rows=4, columns=8)
    frame = rng.random((10, 5, 3))
    assert list(strips.starts()) == [0, 4, 8]
    whole = np.zeros((13, 8, 3))
    whole[1:11, :5] = frame
    for start in strips.starts():
        np.testing.assert_array_equal(strips.cut(frame, start), whole[start + 1 : start + 5])
        np.testing.assert_array_equal(strips.cut(frame, start, above=1), whole[start : start + 5])
    copy = apply_to_strips(lambda strip: strip, strips, frame, out=np.full_like(frame, np.nan))
    np.testing.assert_array_equal(copy, frame)


def test_strips_have_about_so_many_pixels():
    frame = np.zeros((10, 5, 3), np.uint8)
    assert Strips.of(frame, pixels=64 * 3) == (10, 5, 3, 64)
    assert Strips.of(frame, pixels=1).rows == 1
    assert Strips.of(frame, pixels=10**9).rows == 64


def test_a_strip_that_fits_is_not_copied(rng):
    frame = rng.random((6, 5))
    assert np.shares_memory(Strips(6, 5, 3, 5).cut(frame, 3), frame)


def test_inside_mask_of_a_strip():
    size = jnp.asarray([5, 3], jnp.int32)
    inside = [np.asarray(inside_mask((3, 4), size, first=(jnp.int32(first), 0))) for first in (-1, 2)]
    photo = np.pad(np.ones((5, 3), bool), ((1, 0), (0, 1)))
    np.testing.assert_array_equal(inside[0], photo[:3])
    np.testing.assert_array_equal(inside[1], photo[3:])


@pytest.mark.parametrize(
    ("shape", "rows", "method"),
    [((23, 14), 1, "scan"), ((23, 14), 8, "scan"), ((23, 14), 40, "scan"), ((23, 14), 8, "associative")]
    + [((1, 9), 8, "scan"), ((9, 1), 8, "scan")],
)
def test_filter_is_that_of_the_whole_frame(rng, method, rows, shape):
    signal, guide = (rng.random((*shape, channels), np.float32) for channels in (1, 3))
    options = {"sigma_s": 9.0, "num_iterations": 3}
    distances = domain_distances(jnp.asarray(guide), sigma_s=9.0, sigma_r=0.8)
    expected = filter_by_distances(jnp.asarray(signal), distances, method=method, **options)
    weights = domain_weights(distances, coupled_pixels(jnp.ones(shape, bool)), **options)
    plane, calls = signal[..., 0].copy(), []
    filter_in_place(
        plane,
        (np.asarray(weights[0]), np.asarray(weights[1])),
        Strips(*shape, rows, 16),
        num_iterations=3,
        method=method,
        advance=lambda: calls.append(1),
    )
    assert len(calls) == 3
    if method == "scan":
        np.testing.assert_array_equal(plane, expected[..., 0])
    else:  # the tree of the parallel scan depends on the length, hence its rounding
        np.testing.assert_allclose(plane, expected[..., 0], atol=1e-6)


def test_filter_by_barriers(rng):
    """Barriers in extents, infinite where there is no neighbour, instead of weights."""
    signal, barriers = rng.random((23, 14), np.float32), rng.random((2, 23, 14)).astype(np.float32)
    extent, coupled = 5.0, coupled_pixels(jnp.ones((23, 14), bool))
    distances = tuple(1 + extent * jnp.asarray(plane) for plane in barriers)
    expected = filter_by_distances(
        jnp.asarray(signal)[..., None], distances, sigma_s=extent, num_iterations=3, method="scan"
    )
    stops = tuple(np.where(mask, plane, np.inf) for mask, plane in zip(coupled, barriers, strict=True))
    options = {"num_iterations": 3, "method": "scan", "advance": list, "extent": extent}
    plane = signal.copy()
    filter_in_place(plane, stops, Strips(23, 14, 8, 16), **options)
    np.testing.assert_allclose(plane, expected[..., 0], rtol=1e-6)
    assert np.abs(plane - signal).max() > 0.01


def test_frame_points(rng):
    frame = rng.random((7, 5), np.float32)
    chosen = frame < 0.4
    points = FramePoints(chosen, Strips(7, 5, 3, 6))
    planes = [(points.strip(frame[chosen], start), points.mask(start)) for start in (0, 3, 6)]
    values, masks = (np.concatenate(strips)[:7, :5] for strips in zip(*planes, strict=True))
    np.testing.assert_array_equal(masks, chosen)
    np.testing.assert_array_equal(values, np.where(chosen, frame, 0))
