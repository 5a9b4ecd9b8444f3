"""Hand-crafted features against plain NumPy, and what the paper says of them."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft
import scipy.ndimage

from eval.methods.readings import park

SIDE, COUNT = park.SCALES[0]


@pytest.fixture
def patch(rng):
    return rng.random((SIDE, SIDE)).astype(np.float32)


def test_bands_of_the_cosine_transform(patch):
    magnitude = np.abs(scipy.fft.dctn(patch.astype(np.float64), norm="ortho"))
    sums = np.zeros(COUNT)
    for row in range(SIDE):
        for col in range(SIDE):
            if row + col:
                sums[(row + col - 1) * COUNT // (2 * SIDE - 2)] += magnitude[row, col]
    found = park.dct_bands(jnp.asarray(patch[None]), count=COUNT)[0]
    np.testing.assert_allclose(found, sums / sums.sum(), rtol=1e-4)


def test_histogram_of_gradients(rng):
    magnitude = (0.7 * rng.random((SIDE, SIDE))).astype(np.float32)
    counts = np.zeros(COUNT)
    for value in magnitude.ravel():
        counts[min(int(np.float32(np.sqrt(value / np.float32(0.5))) * COUNT), COUNT - 1)] += 1
    found = park.gradient_histogram(jnp.asarray(magnitude[None]), count=COUNT)[0]
    np.testing.assert_allclose(found, counts / SIDE**2, atol=1.5 / SIDE**2)


def test_singular_values(patch):
    values = np.linalg.svd(patch.astype(np.float64), compute_uv=False)
    found = park.singular_fractions(jnp.asarray(patch[None]), count=COUNT)[0]
    np.testing.assert_allclose(found, values[:COUNT] / values.sum(), rtol=1e-4, atol=1e-6)


def test_blur_moves_features_to_low_frequencies_small_gradients_and_few_singular_values(rng):
    noise = rng.random((SIDE + 2, SIDE + 2))
    blurred = [scipy.ndimage.gaussian_filter(noise, sigma) for sigma in (0.01, 0.7, 1.4, 2.8)]
    features = np.asarray(park.patch_features(jnp.asarray(np.stack(blurred), jnp.float32), count=COUNT))
    assert features.shape == (4, 3 * COUNT)
    bands, gradients, singular = np.split(features, 3, axis=1)
    for first in (bands[:, 0], gradients[:, : COUNT // 3].sum(1), singular[:, 0]):
        assert (np.diff(first) > 0).all()
    assert (np.diff(bands[:, -1]) < 0).all()


def test_features_at_points_are_those_of_their_patches(rng):
    image = np.repeat(rng.random((40, 50, 1)).astype(np.float32), 3, axis=-1)
    edges = np.zeros((40, 50), bool)
    edges[20, 25] = True
    (strong, weak) = park.features_at(image, edges)
    points, features = strong if len(strong[0]) else weak
    side, count = park.SCALES[0] if len(strong[0]) else park.SCALES[1]
    half = side // 2 + 1
    patch = image[20 - half : 21 + half, 25 - half : 26 + half, 0]
    expected = park.patch_features(jnp.asarray(patch[None]), count=count)[0]
    assert points.tolist() == [[20, 25]]
    np.testing.assert_allclose(features[0], expected, rtol=1e-4, atol=1e-6)
