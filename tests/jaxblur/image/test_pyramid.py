import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur.image import pyramid


@pytest.mark.parametrize(
    ("size", "scales"),
    [
        ((1, 1), 1),
        ((95, 400), 1),
        ((96, 96), 2),
        ((400, 191), 2),
        ((192, 200), 3),
        ((384, 384), 4),
        ((9999, 9999), 4),
    ],
)
def test_count_scales(size, scales):
    assert pyramid.count_scales(*size) == scales
    traced = jax.jit(pyramid.count_scales_traced)(jnp.asarray(size, jnp.int32))
    assert int(traced) == scales


@pytest.mark.parametrize("shape", [(6, 8, 3), (7, 5, 3), (2, 3), (9, 2)])
def test_halve_is_area_reduction(shape, rng):
    image = rng.random(shape, np.float32)
    rows, cols = shape[0] // 2, shape[1] // 2
    expected = cv2.resize(image[: 2 * rows, : 2 * cols], (cols, rows), interpolation=cv2.INTER_AREA)
    for halve in (pyramid.halve, jax.jit(pyramid.halve)):
        np.testing.assert_allclose(
            np.asarray(halve(image)), expected.reshape(rows, cols, *shape[2:]), atol=1e-6
        )
    np.testing.assert_array_equal(pyramid.halve(image), np.asarray(pyramid.halve(jnp.asarray(image))))


def test_halve_edges_keeps_every_edge(rng):
    edges = rng.random((9, 14)) < 0.1
    halved = np.asarray(pyramid.halve_edges(edges))
    expected = np.zeros((4, 7), bool)
    for row, col in np.argwhere(edges[:8]):
        expected[row // 2, col // 2] = True
    np.testing.assert_array_equal(halved, expected)


@pytest.mark.parametrize("scale", [0, 1, 2, 3])
@pytest.mark.parametrize("shape", [(37, 23), (8, 8), (5, 3)])
def test_place_puts_values_into_the_middle_of_their_pixels(scale, shape, rng):
    plane = rng.random((shape[0] // 2**scale + 2, shape[1] // 2**scale + 2), np.float32) + 1
    full = np.asarray(pyramid.place(jnp.asarray(plane), scale, shape))
    expected = np.zeros(shape, np.float32)
    middle = 2**scale // 2
    for row in range(plane.shape[0]):
        for col in range(plane.shape[1]):
            at = (row * 2**scale + middle, col * 2**scale + middle)
            if at[0] < shape[0] and at[1] < shape[1]:
                expected[at] = plane[row, col]
    if scale == 0:
        full, expected = full[: shape[0], : shape[1]], plane[: shape[0], : shape[1]]
    np.testing.assert_array_equal(full, expected)
