import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxblur.network import convolution


def xla_convolution(x, kernel, dilation):
    return lax.conv_general_dilated(
        x,
        kernel,
        (1, 1),
        "VALID",
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=lax.Precision.HIGHEST,
    )


def loop_pool(x, size, stride):
    batch, height, width, channels = x.shape
    rows, cols = (height - size) // stride + 1, (width - size) // stride + 1
    out = np.empty((batch, rows, cols, channels), x.dtype)
    for i in range(rows):
        for j in range(cols):
            window = x[:, i * stride : i * stride + size, j * stride : j * stride + size]
            out[:, i, j] = window.max((1, 2))
    return out


@pytest.mark.parametrize(
    "shape", [(2, 9, 12, 20), (1, 7, 7, 16), (3, 40, 11, 16), (1, 8, 200, 16), (2, 9, 9, 3)]
)
@pytest.mark.parametrize("size, dilation", [(3, 1), (3, 3), (1, 1), (2, 2)])
def test_value_and_gradients_are_those_of_xla(shape, size, dilation, rng):
    x = jnp.asarray(rng.normal(size=shape), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(size, size, shape[-1], 5)), jnp.float32)
    reach = dilation * (size - 1)
    out_shape = (shape[0], shape[1] - reach, shape[2] - reach, 5)
    cotangent = jnp.asarray(rng.normal(size=out_shape), jnp.float32)

    @jax.jit
    def both(x, kernel, cotangent):
        of_ours = jax.vjp(lambda x, k: convolution.convolve(x, k, dilation=dilation), x, kernel)
        of_xla = jax.vjp(lambda x, k: xla_convolution(x, k, dilation), x, kernel)
        return [(out, pullback(cotangent)) for out, pullback in (of_ours, of_xla)]

    (out, gradients), (expected, expected_gradients) = both(x, kernel, cotangent)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-4)
    for got, wanted in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-3)


def test_bfloat16_factors_and_float32_sums(rng):
    x = jnp.asarray(rng.normal(size=(2, 12, 20, 64)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(3, 3, 64, 5)), jnp.float32)
    rounded = [factor.astype(jnp.bfloat16).astype(jnp.float32) for factor in (x, kernel)]
    cotangent = jnp.asarray(rng.normal(size=(2, 10, 18, 5)), jnp.float32)
    with jax.default_matmul_precision("bfloat16"):
        out, pullback = jax.vjp(convolution.convolve, x, kernel)
        gradients = pullback(cotangent)
    expected, expected_pullback = jax.vjp(lambda x, k: xla_convolution(x, k, 1), *rounded)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-4)  # sums of 576 rounded once, not 576 times
    assert np.abs(out - xla_convolution(x, kernel, 1)).max() > 1e-3  # the factors are rounded indeed
    for got, wanted in zip(gradients, expected_pullback(cotangent), strict=True):
        assert got.dtype == jnp.float32
        np.testing.assert_allclose(got, wanted, rtol=0.02, atol=0.02 * np.abs(wanted).max())


def test_jit_and_vmap_agree_with_eager(rng):
    x = jnp.asarray(rng.normal(size=(3, 2, 10, 9, 16)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(3, 3, 16, 4)), jnp.float32)
    eager = jnp.stack([convolution.convolve(one, kernel) for one in x])
    np.testing.assert_allclose(
        jax.vmap(lambda one: convolution.convolve(one, kernel))(x), eager, rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(jax.jit(convolution.convolve)(x[0], kernel), eager[0], rtol=1e-5, atol=1e-5)


def test_channels_and_sizes_are_checked(unchecked):
    kernel = jnp.zeros((3, 3, 16, 4))
    with pytest.raises(ValueError, match="x must have 16 channels as the kernel has, got 8"):
        convolution.convolve(jnp.zeros((1, 9, 9, 8)), kernel)
    with pytest.raises(ValueError, match="larger than the dilated filter .7 px., got .5, 9."):
        convolution.convolve(jnp.zeros((1, 5, 9, 16)), kernel, dilation=3)


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("shape", [(2, 9, 12, 2), (1, 3, 5, 1), (1, 10, 4, 3)])
def test_max_pool(shape, stride, rng):
    x = rng.normal(size=shape).astype(np.float32)
    np.testing.assert_array_equal(
        convolution.max_pool(jnp.asarray(x), size=3, stride=stride), loop_pool(x, 3, stride)
    )
