"""What every map of the detection field must do, and each against plain NumPy."""

import cv2
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft

from eval.methods.maps import MAPS, gradient_tail, hifst, lbp, singular_values, spectrum, windows


@pytest.fixture
def texture():
    """Blots of all sizes, as in photos."""
    rng = np.random.default_rng(3)
    image = sum(
        cv2.resize(rng.random((96 // k, 120 // k)), (120, 96), interpolation=cv2.INTER_NEAREST)
        for k in (2, 4, 8)
    )
    return np.round(image / image.max() * 255).astype(np.uint8)[..., None].repeat(3, -1)


@pytest.mark.parametrize("name", MAPS)
def test_the_blurred_half_scores_higher(name, texture):
    photo = texture.copy()
    photo[:, 60:] = cv2.GaussianBlur(texture, (0, 0), 3.0)[:, 60:]
    score = MAPS[name](photo)
    assert score.shape == (96, 120) and score.dtype == np.float32
    assert np.isfinite(score).all() and score.min() >= 0 and score.max() <= 1
    assert np.median(score[:, 72:]) > np.median(score[:, :48])


@pytest.mark.parametrize("name", [name for name in MAPS if name != "hifst"])
def test_scores_rise_with_blur(name, texture):
    """Those of hifst compare within a photo only."""
    means = [MAPS[name](cv2.GaussianBlur(texture, (0, 0), sigma)).mean() for sigma in (1.0, 2.0, 4.0)]
    assert means == sorted(means) and means[0] < means[-1]


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("shape", [(1, 1), (9, 70)])
def test_odd_and_featureless_photos(name, shape):
    score = MAPS[name](np.full((*shape, 3), 90, np.uint8))
    assert score.shape == shape and (score > 0.49).all() and (score <= 1).all()


def test_windows_are_centred_and_the_map_is_linear_between(rng):
    plane = rng.random((7, 9)).astype(np.float32)
    centres = windows.on_grid(lambda p: p[:, 1, 1], jnp.asarray(plane), side=3, step=2)
    np.testing.assert_array_equal(centres, plane[::2, ::2])
    found = np.asarray(windows.to_pixels(centres, (7, 9), step=2))
    np.testing.assert_array_equal(found[::2, ::2], plane[::2, ::2])
    np.testing.assert_allclose(found[0, 1], (plane[0, 0] + plane[0, 2]) / 2, rtol=1e-6)


def test_first_singular_values(rng):
    patch = rng.random((20, 20)).astype(np.float32)
    values = np.linalg.svd(patch.astype(np.float64), compute_uv=False)
    (found,) = singular_values.first_fraction(jnp.asarray(patch[None]))
    assert float(found) == pytest.approx(values[: singular_values.FIRST].sum() / values.sum(), rel=1e-4)
    low_rank = np.outer(rng.random(20), rng.random(20)).astype(np.float32)
    assert float(singular_values.first_fraction(jnp.asarray(low_rank[None]))[0]) == pytest.approx(1, abs=1e-4)


def test_power_by_frequency(rng):
    side = spectrum.SIDE
    patch = rng.random((side, side)).astype(np.float32)
    window = np.outer(*[np.hanning(side + 2)[1:-1]] * 2)
    power = np.abs(np.fft.fft2((patch - patch.mean()) * window)) ** 2 / (window**2).sum()
    rings = [[] for _ in range(side)]
    for row in range(side):
        for col in range(side):
            u, v = (n if n <= side // 2 else n - side for n in (row, col))
            rings[round(np.hypot(u, v))].append(power[row, col])
    logs = [np.log(np.mean(rings[k]) + 1e-6) for k in range(1, side // 2 + 1)]
    (found,) = spectrum.mean_log_power(jnp.asarray(patch[None]))
    assert float(found) == pytest.approx(np.mean(logs), rel=1e-3)


def test_kurtosis_of_a_window(rng):
    slope = rng.normal(size=(30, 32)).astype(np.float32)
    near = slope[15 - 10 : 15 + 11, 16 - 10 : 16 + 11].astype(np.float64)
    found = gradient_tail.raw_kurtosis(jnp.asarray(slope))[15, 16]
    assert float(found) == pytest.approx((near**4).mean() / (near**2).mean() ** 2, rel=1e-3)


def test_kurtosis_of_a_sine_is_that_of_the_book():
    """E[x^4] / E[x^2]^2 of a whole number of waves is 3/2."""
    wave = np.sin(2 * np.pi * np.arange(63) / gradient_tail.SIDE).astype(np.float32)
    found = gradient_tail.raw_kurtosis(jnp.asarray(np.tile(wave, (63, 1))))
    assert float(found[31, 31]) == pytest.approx(1.5, rel=1e-3)


def test_patterns_are_those_of_a_slow_form(rng):
    value = rng.random((9, 11)).astype(np.float32)
    value[3:6, 3:7] = 0.5  # a flat has the pattern 0
    found = np.asarray(lbp.patterns(jnp.asarray(value)))
    for row in range(1, 8):
        for col in range(1, 10):
            bits = []
            for point in range(8):
                y = row - np.sin(2 * np.pi * point / 8)
                x = col + np.cos(2 * np.pi * point / 8)
                top, left = int(np.floor(y + 1e-9)), int(np.floor(x + 1e-9))
                a, b = y - top, x - left
                corner = [value[min(top + i, 8), min(left + j, 10)] for i in (0, 1) for j in (0, 1)]
                mean = np.dot(corner, [(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b])
                bits.append(int(mean - value[row, col] >= lbp.THRESHOLD))
            changes = sum(bits[k] != bits[k - 1] for k in range(8))
            assert found[row, col] == (sum(bits) if changes <= 2 else 9)
    assert found[4, 4] == 0


def test_hifst_keeps_the_smallest_high_frequencies_of_all_patches(rng):
    gradient = rng.random((72, 76)).astype(np.float32)
    layers = np.asarray(hifst.sorted_layers(jnp.asarray(gradient)))
    row, col = 36, 40  # far from the border, on the grid
    expected = []
    for side in hifst.SIDES:
        half = side // 2
        patch = gradient[row - half : row + half + 1, col - half : col + half + 1].astype(np.float64)
        coefficients = np.abs(scipy.fft.dctn(patch, norm="ortho"))
        expected += [coefficients[i, j] for i in range(side) for j in range(side) if i + j >= side - 1]
    expected = np.sort(expected)[: hifst.LAYERS]
    np.testing.assert_allclose(layers[row // hifst.STEP, col // hifst.STEP], expected, atol=2e-4)


def test_entropy_of_a_window():
    values = np.zeros((15, 15), np.float32)
    values[:, 8:] = 0.9
    entropy = np.asarray(hifst.local_entropy(jnp.asarray(values)))
    assert entropy[7, 2] == pytest.approx(0, abs=1e-5)
    p = 3 / 7  # of the columns around column 7
    assert entropy[7, 7] == pytest.approx(-p * np.log2(p) - (1 - p) * np.log2(1 - p), rel=1e-4)
