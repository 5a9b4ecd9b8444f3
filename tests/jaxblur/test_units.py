import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur.units import TABLE_RADIUS, TABLE_SIGMA, radius_to_sigma, sigma_to_radius


def _oracle(radius: float) -> float:
    """Walk the table row by row."""
    rows = [(0.0, 0.0), *zip(TABLE_RADIUS, TABLE_SIGMA, strict=True)]
    for (r0, s0), (r1, s1) in zip(rows, rows[1:], strict=False):
        if r0 <= radius <= r1:
            return s0 + (s1 - s0) * (radius - r0) / (r1 - r0)
    return radius * TABLE_SIGMA[-1] / TABLE_RADIUS[-1]


def test_table_rows_are_met_both_ways():
    np.testing.assert_allclose(radius_to_sigma(jnp.array(TABLE_RADIUS)), TABLE_SIGMA, rtol=1e-6)
    np.testing.assert_allclose(sigma_to_radius(jnp.array(TABLE_SIGMA)), TABLE_RADIUS, rtol=1e-6)


def test_matches_the_walk_through_the_table(rng):
    radius = np.concatenate([rng.uniform(0, 9, 200), [0, 0.2, 5.999, 6.0, 6.001, 60]]).astype(np.float32)
    np.testing.assert_allclose(
        radius_to_sigma(jnp.array(radius)), [_oracle(float(r)) for r in radius], rtol=2e-6
    )


def test_inverse_increasing_and_finite_gradient():
    radius = jnp.linspace(0.0, 20.0, 500)
    sigma = radius_to_sigma(radius)
    np.testing.assert_allclose(sigma_to_radius(sigma), radius, rtol=1e-5, atol=1e-6)
    assert bool(jnp.all(jnp.diff(sigma) > 0))
    gradient = jax.vmap(jax.grad(radius_to_sigma))(radius)
    assert bool(jnp.all((gradient > 0.4) & (gradient < 0.9)))


def test_large_blur_scales_with_the_image():
    assert float(radius_to_sigma(jnp.float32(60.0))) == pytest.approx(32.75)
    assert float(sigma_to_radius(jnp.float32(32.75))) == pytest.approx(60.0)


def test_eager_jit_and_vmap_agree_and_nan_stays(rng):
    radius = jnp.array(rng.uniform(0, 8, (5, 7)), jnp.float32).at[2, 3].set(jnp.nan)
    eager = radius_to_sigma(radius)
    np.testing.assert_array_equal(eager, jax.jit(radius_to_sigma)(radius))
    np.testing.assert_array_equal(eager, jax.vmap(radius_to_sigma)(radius))
    assert bool(jnp.isnan(eager[2, 3])) and int(jnp.isnan(eager).sum()) == 1


def test_float64_stays_float64():
    with jax.enable_x64(True):
        assert radius_to_sigma(jnp.array([1.1], jnp.float64)).dtype == jnp.float64


@pytest.mark.parametrize(("convert", "name"), [(radius_to_sigma, "radius"), (sigma_to_radius, "sigma")])
def test_integers_are_refused(convert, name, unchecked):
    with pytest.raises(TypeError, match=f"{name} must hold floating-point numbers, got int32"):
        convert(jnp.array([1, 2]))
