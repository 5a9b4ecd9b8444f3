import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal

from jaxblur.synthesis import blur, convolve, disk_kernel, linear_to_srgb, srgb_to_linear, valid_part

fast_disk = jax.jit(disk_kernel, static_argnames="size")
fast_blur = jax.jit(blur, static_argnames=("linear_light", "border"))
fast_convolve = jax.jit(convolve, static_argnames="border")


def decode(v):
    return np.where(v <= 0.04045, v / 12.92, ((np.maximum(v, 0.04045) + 0.055) / 1.055) ** 2.4)


def encode(v):
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * np.maximum(v, 0.0031308) ** (1 / 2.4) - 0.055)


def convolve_oracle(image, kernel, border):
    image = image.astype(np.float64)
    if border == "reflect":
        half = kernel.shape[0] // 2
        image = np.pad(image, [(half, half)] * 2 + [(0, 0)], mode="symmetric")
    return np.stack(
        [signal.convolve2d(plane, kernel, mode="valid") for plane in np.moveaxis(image, -1, 0)], -1
    )


def blur_oracle(image, kernel, border, linear_light):
    return (
        encode(convolve_oracle(decode(image), kernel, border))
        if linear_light
        else convolve_oracle(image, kernel, border)
    )


def test_srgb_curve(rng):
    values = np.concatenate([np.linspace(0, 1, 1001), [0.04045, 0.0031308, -0.1]]).astype(np.float32)
    np.testing.assert_allclose(srgb_to_linear(jnp.asarray(values)), decode(values), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(linear_to_srgb(jnp.asarray(values)), encode(values), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(jnp.asarray(values))), values, atol=2e-6)
    assert abs(float(srgb_to_linear(jnp.float32(0.5))) - 0.21404) < 1e-5  # IEC 61966-2-1
    slope = jax.vmap(jax.grad(lambda v: linear_to_srgb(v)))(jnp.asarray([-0.1, 0.0, 0.5], jnp.float32))
    np.testing.assert_allclose(slope, [12.92, 12.92, 1.055 / 2.4 * 0.5 ** (1 / 2.4 - 1)], rtol=1e-5)


@pytest.mark.parametrize("border", ["valid", "reflect"])
@pytest.mark.parametrize(
    "shape, size", [((31, 23, 3), 7), ((16, 17, 1), 15), ((13, 13, 2), 13), ((9, 20, 3), 1)]
)
def test_convolve_equals_direct_sums(rng, border, shape, size):
    image = rng.random(shape, np.float32)
    kernel = rng.random((size, size), np.float32)  # not symmetric: a correlation would differ
    kernel /= kernel.sum()
    result = fast_convolve(jnp.asarray(image), jnp.asarray(kernel), border=border)
    assert result.dtype == jnp.float32
    np.testing.assert_allclose(result, convolve_oracle(image, kernel, border), atol=2e-6)


def test_one_pixel_wide_image(rng):
    image = rng.random((20, 1, 3), np.float32)
    kernel = np.asarray(fast_disk(2.0, size=5))
    np.testing.assert_allclose(
        fast_convolve(jnp.asarray(image), kernel, border="reflect"),
        convolve_oracle(image, kernel, "reflect"),
        atol=2e-6,
    )


@pytest.mark.parametrize("linear_light", [False, True])
@pytest.mark.parametrize("border", ["valid", "reflect"])
def test_blur_in_both_lights(rng, linear_light, border):
    image = rng.random((24, 29, 3), np.float32)
    kernel = np.asarray(fast_disk(3.3, size=9))
    result = fast_blur(jnp.asarray(image), jnp.asarray(kernel), linear_light=linear_light, border=border)
    np.testing.assert_allclose(result, blur_oracle(image, kernel, border, linear_light), atol=5e-6)


@pytest.mark.parametrize("linear_light", [False, True])
def test_constant_stays_constant(linear_light):
    image = jnp.broadcast_to(jnp.asarray([0.0, 0.3, 1.0], jnp.float32), (19, 23, 3))
    result = fast_blur(image, fast_disk(2.5, size=7), linear_light=linear_light, border="reflect")
    np.testing.assert_allclose(result, image, atol=5e-6)


def test_energy_is_preserved(rng):
    image = np.zeros((41, 41, 1), np.float32)
    image[15:26, 15:26] = rng.random((11, 11, 1))
    for linear_light in (False, True):
        result = np.asarray(fast_blur(jnp.asarray(image), fast_disk(4.2, size=9), linear_light=linear_light))
        of = decode if linear_light else np.asarray
        np.testing.assert_allclose(of(result).sum(), of(image).sum(), rtol=1e-4)


def test_a_point_becomes_the_kernel():
    kernel = fast_disk(2.0, size=7)
    point = jnp.zeros((13, 13, 1), jnp.float32).at[6, 6, 0].set(1.0)
    np.testing.assert_allclose(fast_blur(point, kernel)[..., 0], kernel, atol=1e-6)
    lit = fast_blur(point, kernel, linear_light=True)[..., 0]
    np.testing.assert_allclose(lit, encode(np.asarray(kernel)), atol=1e-5)
    assert float(lit.max()) > 2 * float(kernel.max())  # highlights stay bright only in linear light


def test_traced_light_in_one_batch(rng):
    images = jnp.asarray(rng.random((4, 21, 22, 3), np.float32))
    kernels = jax.vmap(lambda r: fast_disk(r, size=7))(jnp.asarray([0.5, 1.0, 2.0, 3.0], jnp.float32))
    linear = np.array([True, False, True, False])
    batch = jax.jit(jax.vmap(lambda i, k, on: blur(i, k, linear_light=on)))(
        images, kernels, jnp.asarray(linear)
    )
    for image, kernel, light, result in zip(images, kernels, linear, batch, strict=True):
        np.testing.assert_allclose(result, blur(image, kernel, linear_light=bool(light)), atol=3e-6)
    np.testing.assert_allclose(batch[0], images[0, 3:-3, 3:-3], atol=1e-5)  # radius 0.5 is sharp


def test_gradients_are_finite_and_right(rng):
    image = jnp.asarray(rng.random((9, 9, 1), np.float32)).at[4, 4].set(0.0)

    @jax.jit
    def loss(image, radius):
        return jnp.sum(blur(image, fast_disk(radius, size=5), linear_light=True) ** 2)

    by_image, by_radius = jax.jit(jax.grad(loss, argnums=(0, 1)))(image, jnp.float32(1.3))
    assert np.isfinite(by_image).all()
    step = (loss(image, jnp.float32(1.31)) - loss(image, jnp.float32(1.29))) / 0.02
    np.testing.assert_allclose(by_radius, step, rtol=1e-2)


def test_float64_in_float64_out(rng):
    with jax.enable_x64(True):
        image = rng.random((15, 15, 1))
        kernel = rng.random((5, 5))
        kernel /= kernel.sum()
        result = fast_blur(jnp.asarray(image), jnp.asarray(kernel), linear_light=True)
        assert result.dtype == jnp.float64
        np.testing.assert_allclose(result, blur_oracle(image, kernel, "valid", True), atol=1e-12)


def test_valid_part_is_what_valid_leaves():
    image = jnp.arange(17 * 13 * 2, dtype=jnp.float32).reshape(17, 13, 2)
    for size in (1, 5):
        delta = fast_disk(0.0, size=size)
        np.testing.assert_allclose(fast_convolve(image, delta), valid_part(image, size=size), atol=1e-4)


@pytest.mark.parametrize(
    "error, shape, kernel, border, message",
    [
        (ValueError, (9, 9), (3, 3), "valid", r"image must have shape \(H, W, C\)"),
        (ValueError, (9, 9, 0), (3, 3), "valid", "image must not be empty"),
        (ValueError, (9, 9, 1), (4, 4), "valid", r"kernel must be square with odd side, got \(4, 4\)"),
        (ValueError, (9, 9, 1), (3, 5), "valid", r"kernel must be square with odd side, got \(3, 5\)"),
        (ValueError, (9, 4, 1), (5, 5), "valid", r"at least as large as kernel \(5 px\), got \(9, 4, 1\)"),
        (ValueError, (9, 9, 1), (3, 3), "zero", "border must be valid or reflect, got 'zero'"),
    ],
)
def test_bad_arguments(error, shape, kernel, border, message, unchecked):
    with pytest.raises(error, match=message):
        blur(jnp.zeros(shape, jnp.float32), jnp.zeros(kernel, jnp.float32), border=border)


def test_integer_images_are_refused(unchecked):
    with pytest.raises(TypeError, match="image must hold floating-point numbers, got uint8"):
        blur(jnp.zeros((9, 9, 3), jnp.uint8), fast_disk(1.0, size=3))
