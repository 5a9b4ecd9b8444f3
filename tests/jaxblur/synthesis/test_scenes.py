import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur.synthesis import (
    blur,
    cat_eye_kernel,
    composite_layers,
    disk_kernel,
    layer_radius,
    linear_to_srgb,
    plane_radius,
    render_scene,
    srgb_to_linear,
    valid_part,
)
from jaxblur.synthesis.scenes import _hats

SIZE = 9
disk = functools.partial(disk_kernel, size=SIZE)
render = jax.jit(
    functools.partial(render_scene, kernel=disk, max_radius=4.0), static_argnames=("linear_light", "slices")
)
FLAT = [[3.2, 0, 0], [-1.7, 0, 0]]
SLANTED = [[1.5, 2.5, 0.4], [-1.0, 0.3, 2.0], [0.6, 0.0, -0.2]]


def planes_of(planes):
    return jnp.asarray(planes, jnp.float32)


def radius_oracle(planes, height, width, margin, max_radius):
    radius = np.zeros((len(planes), height + 2 * margin, width + 2 * margin))
    for layer, (middle, down, right) in enumerate(planes):
        for row in range(-margin, height + margin):
            for column in range(-margin, width + margin):
                y, x = (2 * row + 1) / height - 1, (2 * column + 1) / width - 1
                radius[layer, row + margin, column + margin] = abs(middle + down * y + right * x)
    return np.minimum(radius, max_radius)


def scene_oracle(images, alphas, planes, linear_light):
    """Every source pixel of every layer is spread by the disk of its own radius, one after the other."""
    half = SIZE // 2
    height, width = (side - 2 * half for side in alphas.shape[1:])
    radius = radius_oracle(planes, height, width, half, 4.0)
    kernels = np.asarray(jax.vmap(disk)(jnp.asarray(radius.ravel(), jnp.float32)), np.float64)
    kernels = kernels.reshape(*radius.shape, SIZE, SIZE)
    light = np.asarray(srgb_to_linear(images) if linear_light else images, np.float64)
    seen = np.zeros((height, width, 3))
    for layer, own_alpha in enumerate(np.asarray(alphas, np.float64)):
        sums = np.zeros((alphas.shape[1] + 2 * half, alphas.shape[2] + 2 * half, 5))
        for row in range(alphas.shape[1]):
            for column in range(alphas.shape[2]):
                alpha = 1.0 if layer == 0 else own_alpha[row, column]
                source = np.array([*(alpha * light[layer, row, column]), alpha, 1.0])
                sums[row : row + SIZE, column : column + SIZE] += (
                    kernels[layer, row, column, :, :, None] * source
                )
        sums = sums[2 * half : 2 * half + height, 2 * half : 2 * half + width]
        seen = (sums[..., :3] + (sums[..., 4:] - sums[..., 3:4]) * seen) / sums[..., 4:]
    return np.asarray(linear_to_srgb(jnp.asarray(seen, jnp.float32))) if linear_light else seen


@pytest.fixture
def stack(rng):
    """Three layers of 23 x 20 px: the result is 15 x 12."""
    images = rng.random((3, 23, 20, 3), np.float32)
    alphas = (rng.random((3, 23, 20)) < [[[0.9]], [[0.4]], [[0.3]]]).astype(np.float32)
    return jnp.asarray(images), jnp.asarray(alphas)


@pytest.mark.parametrize("linear_light", [False, True])
def test_slanted_layers_equal_the_oracle(stack, linear_light):
    expected = scene_oracle(*stack, SLANTED, linear_light)
    exact, radius = render(*stack, planes_of(SLANTED), linear_light=linear_light, slices=100)
    assert exact.shape == (15, 12, 3) and radius.shape == (15, 12) and exact.dtype == jnp.float32
    np.testing.assert_allclose(exact, expected, atol=0.01 if linear_light else 2e-3)
    coarse, _ = render(*stack, planes_of(SLANTED), linear_light=linear_light)
    assert np.abs(coarse - expected).mean() < 0.01
    flat = np.abs(np.asarray(exact) - np.asarray(render(*stack, planes_of(FLAT + [[0, 0, 0]]))[0])).mean()
    assert flat > 0.03  # the slants matter


@pytest.mark.parametrize("linear_light", [False, True])
def test_one_flat_layer_is_a_uniform_blur(stack, linear_light):
    images, alphas = stack[0][:1], stack[1][:1]
    result, radius = render(images, alphas, planes_of(FLAT[:1]), linear_light=linear_light)
    np.testing.assert_allclose(result, blur(images[0], disk(3.2), linear_light=linear_light), atol=1e-5)
    np.testing.assert_array_equal(radius, np.full((15, 12), np.float32(3.2)))


@pytest.mark.parametrize("linear_light", [False, True])
def test_flat_layers_are_a_composite(stack, linear_light):
    images, alphas = stack[0][:2], stack[1][:2]
    result, radius = render(images, alphas, planes_of(FLAT), linear_light=linear_light)
    kernels, radii = jnp.stack([disk(3.2), disk(1.7)]), jnp.asarray([3.2, 1.7], jnp.float32)
    expected = composite_layers(images, alphas, kernels, linear_light=linear_light)
    np.testing.assert_allclose(result, expected, atol=1e-5)
    inner = jnp.stack([valid_part(alpha, size=SIZE) for alpha in alphas])
    np.testing.assert_array_equal(radius, layer_radius(inner, radii))


def test_radius_of_planes_and_of_the_nearest_layer(stack):
    np.testing.assert_allclose(
        plane_radius(planes_of(SLANTED), height=5, width=1, margin=2, max_radius=2.5),
        radius_oracle(SLANTED, 5, 1, 2, 2.5),
        atol=1e-6,
    )
    alphas = np.zeros((2, 12, 12), np.float32)
    alphas[1, :, 4:6] = [0.49, 0.5]  # the first two columns of the view
    _, radius = render(
        stack[0][:2, :12, :12], jnp.asarray(alphas), planes_of([[1.0, 2.0, 0.0], [-3.0, 0.0, 4.0]])
    )
    # y is -3/4, -1/4, 1/4, 3/4; the nearer layer has |-3 - 4 / 4| = 4 in the second column.
    expected = np.tile(np.array([[0.5], [0.5], [1.5], [2.5]], np.float32), 4)
    expected[:, 1] = 4.0
    np.testing.assert_allclose(radius, expected, atol=1e-6)


@pytest.mark.parametrize("linear_light", [False, True])
def test_a_slanted_surface_of_one_colour_stays_so(stack, linear_light):
    images = jnp.full_like(stack[0], 0.4)
    result, _ = render(images, stack[1], planes_of(SLANTED), linear_light=linear_light)
    np.testing.assert_allclose(result, np.full((15, 12, 3), 0.4), atol=1e-5)
    bright = jnp.ones_like(stack[1])  # opaque: nothing shines through from behind
    hidden, _ = render(images.at[:2].set(1.0), bright, planes_of(SLANTED), linear_light=linear_light)
    np.testing.assert_allclose(hidden, np.full((15, 12, 3), 0.4), atol=1e-5)


def test_shares_of_slices_keep_the_squared_radius(rng):
    slice_radii = jnp.asarray([0.5, 0.9, 2.0, 4.0], jnp.float32)
    radius = jnp.asarray(rng.uniform(0.5, 4.0, (6, 5)), jnp.float32)
    shares = np.asarray(_hats(radius, slice_radii))
    assert shares.min() >= 0 and ((shares > 0).sum(0) <= 2).all()
    np.testing.assert_allclose(shares.sum(0), np.ones((6, 5)), atol=1e-6)
    np.testing.assert_allclose((shares * slice_radii[:, None, None] ** 2).sum(0), radius**2, rtol=1e-5)
    assert (np.asarray(_hats(radius, jnp.full(3, 2.0)))[0] == 1).sum() == (radius <= 2).sum()


def test_light_of_a_small_object_is_kept():
    """On black, all light of a sharp point and of one out of focus arrives."""
    images, alphas = jnp.zeros((2, 21, 21, 3)).at[1].set(1.0), jnp.zeros((2, 21, 21)).at[1, 10, 9].set(1.0)
    for middle in (0.2, 2.2, 4.0):
        result, _ = render(images, alphas, planes_of([[1.0, 0.5, 0.0], [middle, 0.0, 0.0]]))
        np.testing.assert_allclose(result.sum((0, 1)), np.ones(3), rtol=1e-5)


def test_another_aperture_and_traced_arguments(stack):
    def one(shift, linear_light):
        kernel = functools.partial(cat_eye_kernel, shift=shift, size=SIZE)
        planes = planes_of([[-2.0, 0, 0]])
        return render_scene(
            stack[0][:1], stack[1][:1], planes, kernel=kernel, max_radius=3.0, linear_light=linear_light
        )[0]

    shift = jnp.asarray([0.3, -0.2], jnp.float32)
    expected = blur(stack[0][0], cat_eye_kernel(2.0, shift=shift, size=SIZE), linear_light=True)
    np.testing.assert_allclose(jax.jit(one)(shift, True), expected, atol=1e-5)


def test_eager_jit_vmap_agree_and_absent_layers_show_nothing(stack):
    images, alphas = stack
    eager, radius = render_scene(images, alphas, planes_of(SLANTED), kernel=disk, max_radius=4.0)
    jitted, _ = render(images, alphas, planes_of(SLANTED))
    np.testing.assert_allclose(eager, jitted, atol=1e-5)
    batch, radii = jax.jit(jax.vmap(render))(
        jnp.stack([images] * 2), jnp.stack([alphas] * 2), jnp.stack([planes_of(SLANTED)] * 2)
    )
    for view, truth in zip(batch, radii, strict=True):
        np.testing.assert_allclose(view, jitted, atol=1e-5)
        np.testing.assert_allclose(truth, radius, atol=1e-6)
    without, _ = render(images, alphas.at[2].set(0.0), planes_of(SLANTED))
    np.testing.assert_allclose(without, render(images[:2], alphas[:2], planes_of(SLANTED[:2]))[0], atol=1e-5)


def test_float64_in_float64_out(stack):
    with jax.enable_x64(True):
        images, alphas = (jnp.asarray(np.asarray(part), jnp.float64) for part in stack)
        view, radius = render(images, alphas, jnp.asarray(SLANTED, jnp.float64))
        assert view.dtype == radius.dtype == jnp.float64


def test_bad_arguments(stack, unchecked):
    images, alphas = stack
    planes = planes_of(SLANTED)
    scene = functools.partial(render_scene, kernel=disk, max_radius=4.0)
    with pytest.raises(TypeError, match="images must hold floating-point numbers, got uint8"):
        scene(images.astype(jnp.uint8), alphas, planes)
    with pytest.raises(ValueError, match="planes must have as many layers as alphas"):
        scene(images, alphas, planes[:2])
    with pytest.raises(ValueError, match=r"planes must have shape \(n, 3\), got \(3, 2\)"):
        scene(images, alphas, planes[:, :2])
    with pytest.raises(ValueError, match="images must have the layers and size of alphas"):
        scene(images[:, :-1], alphas, planes)
    with pytest.raises(ValueError, match="slices must be at least 2, got 1"):
        scene(images, alphas, planes, slices=1)
    with pytest.raises(ValueError, match="max_radius must be positive and finite, got -1.0"):
        scene(images, alphas, planes, max_radius=-1.0)
    with pytest.raises(ValueError, match=r"at least as large as kernel \(9 px\)"):
        scene(images[:, :8], alphas[:, :8], planes)
    with pytest.raises(ValueError, match=r"square kernels of odd side, got shape \(2, 3\)"):
        scene(images, alphas, planes, kernel=lambda radius: jnp.ones((2, 3)) * radius)
    with pytest.raises(ValueError, match="radii must have the shape of alphas"):
        layer_radius(alphas, jnp.ones((3, 2, 2)))
