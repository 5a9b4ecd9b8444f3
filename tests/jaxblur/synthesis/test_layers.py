import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal

from jaxblur.synthesis import (
    blur,
    composite_layers,
    disk_kernel,
    layer_radius,
    linear_to_srgb,
    srgb_to_linear,
)

SIZE = 9
composite = jax.jit(composite_layers, static_argnames=("linear_light", "border"))
kernels_of = jax.jit(jax.vmap(lambda r: disk_kernel(r, size=SIZE)))


def kernels(*radii):
    return kernels_of(jnp.asarray(radii, jnp.float32))


def composite_oracle(images, alphas, kernels, linear_light, border):
    """Layers one by one, channels one by one, in float64."""
    half = kernels.shape[-1] // 2

    def spread(plane, kernel):
        plane = np.pad(plane, half, mode="symmetric") if border == "reflect" else plane
        return signal.convolve2d(plane, kernel, mode="valid")

    images, alphas, kernels = (np.asarray(x, np.float64) for x in (images, alphas, kernels))
    if linear_light:
        images = np.asarray(srgb_to_linear(jnp.asarray(images, jnp.float32)), np.float64)
    channels = []
    for c in range(images.shape[-1]):
        seen = spread(images[0, ..., c], kernels[0])
        for image, alpha, kernel in zip(images[1:], alphas[1:], kernels[1:], strict=True):
            seen = spread(alpha * image[..., c], kernel) + (1 - spread(alpha, kernel)) * seen
        channels.append(seen)
    light = np.stack(channels, -1)
    return np.asarray(linear_to_srgb(jnp.asarray(light, jnp.float32))) if linear_light else light


def half_plane(height=31, width=33, column=16):
    alphas = np.ones((2, height, width), np.float32)
    alphas[1, :, :column] = 0
    return jnp.asarray(alphas)


def flat(*values, shape=(31, 33, 3)):
    return jnp.stack([jnp.full(shape, value, jnp.float32) for value in values])


@pytest.mark.parametrize("linear_light", [False, True])
@pytest.mark.parametrize("border", ["valid", "reflect"])
def test_three_layers_equal_the_oracle(rng, linear_light, border):
    images = rng.random((3, 23, 19, 3), np.float32)
    alphas = rng.random((3, 23, 19), np.float32)
    k = kernels(2.0, 0.5, 3.6)
    result = composite(images, alphas, k, linear_light=linear_light, border=border)
    assert result.dtype == jnp.float32
    expected = composite_oracle(images, alphas, k, linear_light, border)
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("linear_light", [False, True])
@pytest.mark.parametrize("radii", [(0.5, 4.0), (4.0, 0.5), (3.0, 4.3), (2.0, 2.0)])
def test_no_fringe_between_layers_of_one_colour(linear_light, radii):
    result = composite(flat(0.4, 0.4), half_plane(), kernels(*radii), linear_light=linear_light)
    np.testing.assert_allclose(result, jnp.full_like(result, 0.4), atol=5e-6)


@pytest.mark.parametrize("linear_light", [False, True])
@pytest.mark.parametrize("radii", [(0.5, 4.0), (4.0, 0.5), (3.0, 4.3)])
def test_no_overshoot_between_dark_and_bright(linear_light, radii):
    result = np.asarray(composite(flat(0.9, 0.1), half_plane(), kernels(*radii), linear_light=linear_light))
    assert result.min() > 0.1 - 1e-5 and result.max() < 0.9 + 1e-5
    profile = result[:, :, 0].mean(0)
    assert (np.diff(profile) < 1e-5).all()
    # The far border is where half of the light comes from either side, in the light that is summed.
    light = np.asarray(srgb_to_linear(jnp.asarray(profile))) if linear_light else profile
    ends = light[0] + light[-1]
    np.testing.assert_allclose(light[12 - 1] + light[12], ends, atol=1e-5)


@pytest.mark.parametrize("linear_light", [False, True])
def test_one_texture_in_layers_of_one_radius_is_a_uniform_blur(rng, linear_light):
    """Holds for a sharp foreground: with blur on both sides, occlusion is only known to be independent."""
    image = jnp.asarray(rng.random((31, 33, 3), np.float32))
    result = composite(jnp.stack([image, image]), half_plane(), kernels(0.5, 0.5), linear_light=linear_light)
    np.testing.assert_allclose(result, image[4:-4, 4:-4], atol=1e-5)
    alone = composite(image[None], half_plane()[:1], kernels(3.0), linear_light=linear_light)
    np.testing.assert_allclose(alone, blur(image, kernels(3.0)[0], linear_light=linear_light), atol=1e-6)


def test_sharp_foreground_hides_what_is_behind(rng):
    images = jnp.asarray(rng.random((2, 31, 33, 3), np.float32))
    k = kernels(4.0, 0.5)
    result = composite(images, half_plane(), k)
    np.testing.assert_allclose(result[:, 12:], images[1, 4:-4, 16:-4], atol=1e-5)
    # Up to the border, blur brings in what is hidden, not the foreground.
    np.testing.assert_allclose(result[:, :12], blur(images[0], k[0])[:, :12], atol=1e-5)


def test_background_shows_through_the_border_of_a_blurred_foreground(rng):
    images = jnp.asarray(rng.random((2, 31, 33, 3), np.float32)).at[1].set(0.5)
    result = np.asarray(composite(images, half_plane(), kernels(0.5, 4.0)))
    inside, deep = result[:, 13], result[:, 17:]  # 1.5 and 5.5 or more px inside the foreground
    behind = np.asarray(images[0, 4:-4, 17])
    assert np.corrcoef(inside.ravel(), behind.ravel())[0, 1] > 0.99
    np.testing.assert_allclose(deep, 0.5, atol=1e-5)


def test_background_is_opaque_whatever_its_alpha(rng):
    images = jnp.asarray(rng.random((2, 15, 15, 3), np.float32))
    alphas = jnp.asarray(rng.random((2, 15, 15), np.float32))
    np.testing.assert_array_equal(
        composite(images, alphas, kernels(2.0, 1.0)),
        composite(images, alphas.at[0].set(0.0), kernels(2.0, 1.0)),
    )


def test_eager_jit_vmap_agree_with_traced_light(rng):
    images = jnp.asarray(rng.random((2, 2, 15, 13, 3), np.float32))
    alphas = jnp.asarray(rng.random((2, 2, 15, 13), np.float32))
    k = jnp.stack([kernels(1.0, 2.0), kernels(3.0, 0.5)])
    batch = jax.jit(jax.vmap(lambda i, a, k, on: composite_layers(i, a, k, linear_light=on)))(
        images, alphas, k, jnp.asarray([True, False])
    )
    for i, light in enumerate((True, False)):
        run = composite_layers if light else composite
        eager = run(images[i], alphas[i], k[i], linear_light=light)
        np.testing.assert_allclose(batch[i], eager, atol=5e-6)


def test_gradient_is_finite(rng):
    images = jnp.asarray(rng.random((2, 11, 11, 1), np.float32)).at[:, 5].set(0.0)

    @jax.jit
    @jax.grad
    def slope(alphas, images):
        return jnp.sum(
            composite_layers(images, alphas, kernels_of(jnp.float32([1.0, 2.0])), linear_light=True)
        )

    gradient = slope(jnp.zeros((2, 11, 11), jnp.float32), images)
    assert np.isfinite(gradient).all() and np.abs(gradient[1]).max() > 0


def test_radius_is_that_of_the_nearest_layer_that_covers_half():
    alphas = jnp.asarray(
        [[[0.0, 1.0, 1.0, 1.0]], [[0.0, 0.49, 0.5, 1.0]], [[0.0, 0.0, 0.2, 0.9]]], jnp.float32
    )
    radii = jnp.asarray([3.0, 1.5, 6.0], jnp.float32)
    np.testing.assert_array_equal(layer_radius(alphas, radii), [[3.0, 3.0, 1.5, 6.0]])
    np.testing.assert_array_equal(jax.jit(layer_radius)(alphas, radii), layer_radius(alphas, radii))


def test_bad_arguments(unchecked):
    images, alphas, k = flat(0.1, 0.2), half_plane(), kernels(1.0, 2.0)
    with pytest.raises(ValueError, match=r"images must have the layers and size of alphas \(2, 31, 33\)"):
        composite_layers(images[:, :-1], alphas, k)
    with pytest.raises(ValueError, match=r"kernels must have as many layers as alphas \(2\), got 1"):
        composite_layers(images, alphas, k[:1])
    with pytest.raises(ValueError, match=r"radii must have as many layers as alphas \(2\), got 3"):
        layer_radius(alphas, jnp.ones(3, jnp.float32))
    with pytest.raises(ValueError, match="alphas must hold at least one layer"):
        layer_radius(alphas[:0], jnp.ones(0, jnp.float32))
    with pytest.raises(TypeError, match="alphas must hold floating-point numbers, got bool"):
        layer_radius(alphas > 0.5, jnp.ones(2, jnp.float32))
    with pytest.raises(TypeError, match="images must hold floating-point numbers, got uint8"):
        composite_layers(images.astype(jnp.uint8), alphas, k)
