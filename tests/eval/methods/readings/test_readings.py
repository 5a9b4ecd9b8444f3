"""What every reading must do, and what the papers say of a step edge of known blur."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from eval.methods.readings import READINGS, gradient_ratio, karaali_jung
from jaxblur import radius_to_sigma
from tests.eval.methods.edges import blurred_step, edge_of_step


def _sigma(reading, photo, edges):
    radius, weight, _ = reading(photo, edges)
    return np.asarray(radius_to_sigma(jnp.asarray(radius)[weight > 0]))


@pytest.mark.parametrize("name", ["zhuo-sim", "karaali-jung"])
@pytest.mark.parametrize("sigma", [0.8, 1.5, 2.5, 3.5])
def test_a_step_of_known_blur_reads_as_its_sigma(name, sigma):
    found = _sigma(READINGS[name], blurred_step(sigma), edge_of_step())
    assert np.median(found) == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("name", READINGS)
def test_readings_rise_with_blur(name):
    medians = [np.median(_sigma(READINGS[name], blurred_step(s), edge_of_step())) for s in (0.5, 1.2, 2.4)]
    assert medians == sorted(medians) and medians[0] < medians[-1]


@pytest.mark.parametrize("name", READINGS)
@pytest.mark.parametrize("shape", [(1, 1), (5, 70), (33, 47)])
def test_odd_and_featureless_photos(name, shape):
    photo = np.full((*shape, 3), 0.4, np.float32)
    for edges in (np.zeros(shape, bool), np.ones(shape, bool)):
        radius, weight, depth = READINGS[name](photo, edges)
        assert radius.shape == weight.shape == shape and depth is None
        assert np.isfinite(radius[edges]).all() and (weight[~edges] == 0).all() and (weight >= 0).all()


def test_a_larger_second_blur_is_taken_where_an_edge_is_alone():
    """Beside another edge, 5 px away, only a small one fits; Karaali and Jung choose by point."""
    alone = blurred_step(1.2, angle=0.0)
    value = alone[..., 0].astype(np.float64)
    double = value - np.roll(value, 5, axis=1) + 0.15
    edges = edge_of_step(angle=0.0)
    _, far = karaali_jung.edge_sigma(jnp.asarray(value, jnp.float32), jnp.asarray(edges))
    sigma, near = karaali_jung.edge_sigma(jnp.asarray(double, jnp.float32), jnp.asarray(edges))
    assert (np.asarray(far)[edges] == karaali_jung.SCALES[-1]).all()
    assert np.median(np.asarray(near)[edges]) < karaali_jung.SCALES[-1]
    assert np.isfinite(np.asarray(sigma)).all()


def test_readings_at_one_scale_are_those_of_a_slow_form():
    value = blurred_step(1.7, noise=0.02)[..., 0].astype(np.float64)
    edges = edge_of_step()
    found, chosen = karaali_jung.edge_sigma(jnp.asarray(value, jnp.float32), jnp.asarray(edges))

    def gradient(scale):
        parts = [
            ndimage.gaussian_filter(value, scale, order=order, mode="nearest") for order in ((1, 0), (0, 1))
        ]
        return np.hypot(*parts)

    for row, col in np.argwhere(edges)[::9]:
        scale = max(float(chosen[row, col]), karaali_jung.SCALES[0])
        ratio = gradient(karaali_jung.BASE_SCALE)[row, col] / gradient(scale)[row, col]
        square = (scale**2 - ratio**2 * karaali_jung.BASE_SCALE**2) / (ratio**2 - 1)
        assert float(found[row, col]) == pytest.approx(np.sqrt(square), rel=0.05)


def test_connected_edge_filter_stays_on_its_contour():
    weight = np.zeros((9, 12), np.float32)
    weight[:, 3] = weight[:, 8] = 1
    values = np.where(np.arange(12) < 6, 1.0, 4.0).astype(np.float32)[None] * weight
    values[4, 3] = 2.0
    found = np.asarray(karaali_jung.smooth_along_edges(jnp.asarray(values), jnp.asarray(weight)))
    np.testing.assert_allclose(found[:, 8], 4, rtol=1e-6)
    assert 1 < found[4, 3] < 1.5 and (found[:, 5] == 0).all()


def test_gradient_ratio_has_its_limits():
    assert _sigma(gradient_ratio.read, blurred_step(30.0), edge_of_step()).max() <= 5.01
