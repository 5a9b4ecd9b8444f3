import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxblur.synthesis import cat_eye_kernel, disk_kernel, gaussian_kernel, polygon_kernel

disk = jax.jit(disk_kernel, static_argnames="size")
polygon = jax.jit(polygon_kernel, static_argnames=("blades", "size"))
gaussian = jax.jit(gaussian_kernel, static_argnames="size")
cat_eye = jax.jit(cat_eye_kernel, static_argnames="size")

RADII = [0.0, 0.3, 0.5, 0.51, 0.6, math.sqrt(0.5), 0.75, 1.0, 1.5, 2.0, 3.3, 6.0, 7.4]


def disk_oracle(radius, size, strips=4000):
    """Area of disk and pixel by thin strips, exact along the columns of each."""
    x = (np.arange(size * strips) + 0.5) / strips - size / 2
    half = np.sqrt(np.maximum(radius**2 - x**2, 0))[:, None]
    edges = np.arange(size + 1) - size / 2
    lengths = np.diff(np.clip(edges, -half, half), axis=1)
    area = lengths.reshape(size, strips, size).mean(1).T
    return area / area.sum()


def polygon_oracle(radius, blades, rotation, size, cells=100):
    """Share of points inside all half-planes."""
    corner = radius / math.sqrt(blades / 2 * math.sin(2 * math.pi / blades) / math.pi)
    p = (np.arange(size * cells) + 0.5) / cells - size / 2
    inside = np.ones((p.size, p.size), bool)
    for i in range(blades):
        angle = rotation + (2 * i + 1) * math.pi / blades
        inside &= math.cos(angle) * p[None] + math.sin(angle) * p[:, None] <= corner * math.cos(
            math.pi / blades
        )
    area = inside.reshape(size, cells, size, cells).mean((1, 3))
    return area, area / area.sum()


def cat_eye_oracle(radius, shift, size, cells=100):
    """Share of points within both disks, whose radius gives the area of a disk of `radius`."""
    p = (np.arange(size * cells) + 0.5) / cells - size / 2
    disk = 2 * radius / np.sqrt(np.pi)  # of that radius, the intersection is measured and set right
    for _ in range(30):
        inside = np.ones((p.size, p.size), bool)
        for sign in (-0.5, 0.5):
            row, column = sign * disk * np.asarray(shift)
            inside &= (p[:, None] - row) ** 2 + (p[None] - column) ** 2 <= disk**2
        disk *= np.sqrt(np.pi * radius**2 / (inside.sum() / cells**2))
    area = inside.reshape(size, cells, size, cells).mean((1, 3))
    return area, area / area.sum()


def disk_variance(radius):
    """Sum of k[n] n**2 along one axis, by Poisson summation: r^2 / 4 + 1 / 12 and terms of the pixel grid."""
    m = np.arange(1, 20001)
    z = 2 * np.pi * radius * m
    f = 2 * special.j1(z) / z
    slope = -2 * special.jv(2, z) / m  # derivative of f along m
    grid = 2 * np.sum((-1.0) ** m * (2 * slope / m - 2 * f / m**2))
    return radius**2 / 4 + 1 / 12 - grid / (4 * np.pi**2)


@pytest.mark.parametrize("radius", RADII[2:])
def test_disk_kernel_equals_exact_areas(radius):
    np.testing.assert_allclose(disk(radius, size=15), disk_oracle(radius, 15), atol=2e-6)


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize("size", [15, 17])
def test_disk_kernel_sums_to_one_and_is_symmetric(radius, size):
    kernel = np.asarray(disk(radius, size=size))
    assert kernel.dtype == np.float32 and kernel.shape == (size, size)
    assert abs(kernel.sum() - 1) < 1e-6 and kernel.min() >= 0
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-7)
    np.testing.assert_array_equal(kernel, kernel[::-1])


@pytest.mark.parametrize("radius", [0.0, 0.5])
def test_disk_within_a_pixel_is_a_delta(radius):
    expected = np.zeros((5, 5))
    expected[2, 2] = 1
    np.testing.assert_array_equal(disk(radius, size=5), expected)
    np.testing.assert_array_equal(disk(radius, size=1), [[1]])


@pytest.mark.parametrize("radius", [0.75, 1.0, 2.0, 3.3, 6.0])
def test_radius_is_recovered_from_the_second_moment(radius):
    kernel = np.asarray(disk(radius, size=15), np.float64)
    n = np.arange(15) - 7
    variance = (kernel.sum(0) * n**2).sum()
    np.testing.assert_allclose(variance, disk_variance(radius), rtol=1e-4)
    if radius >= 2:
        assert abs(2 * math.sqrt(variance - 1 / 12) - radius) < 0.04


@jax.jit
def _jacobians(radius):
    return tuple(jacobian(lambda r: disk_kernel(r, size=15))(radius) for jacobian in (jax.jacfwd, jax.jacrev))


@pytest.mark.parametrize("radius", [0.6, 1.2, 2.7, 5.9])
def test_disk_gradient_matches_differences(radius):
    forward, reverse = _jacobians(jnp.float32(radius))
    difference = (disk_oracle(radius + 1e-3, 15) - disk_oracle(radius - 1e-3, 15)) / 2e-3
    np.testing.assert_allclose(forward, difference, atol=2e-3)
    np.testing.assert_allclose(forward, reverse, atol=1e-6)


def test_disk_gradient_is_finite_everywhere():
    for radius in RADII:
        assert np.isfinite(_jacobians(jnp.float32(radius))).all()


def test_disk_kernel_takes_and_gives_float64():
    with jax.enable_x64(True):
        kernel = disk(jnp.asarray(3.3, jnp.float64), size=15)
        assert kernel.dtype == jnp.float64
        n = jnp.arange(15) - 7
        assert abs(float((kernel.sum(0) * n.astype(jnp.float64) ** 2).sum()) - disk_variance(3.3)) < 1e-7


@pytest.mark.parametrize("sigma", [0.3, 0.85, 2.0])
def test_gaussian_kernel_integrates_over_pixels(sigma):
    line = np.diff(stats.norm.cdf((np.arange(16) - 7.5) / sigma))
    expected = np.outer(line, line) / line.sum() ** 2
    np.testing.assert_allclose(gaussian(sigma, size=15), expected, atol=1e-6)


def test_gaussian_of_no_width_is_a_delta():
    kernel = np.asarray(gaussian(0.0, size=15))
    assert kernel[7, 7] == 1 and kernel.sum() == 1
    assert np.isfinite(jax.jit(jax.jacrev(lambda s: gaussian_kernel(s, size=5)))(0.0)).all()


@pytest.mark.parametrize("blades, rotation", [(3, 0.2), (5, 0.0), (6, 0.3), (9, 1.0)])
@pytest.mark.parametrize("radius", [1.0, 2.6, 4.4])
def test_polygon_kernel_matches_coverage(blades, rotation, radius):
    kernel = np.asarray(polygon(radius, blades=blades, rotation=rotation, size=15))
    area, expected = polygon_oracle(radius, blades, rotation, 15)
    error = np.abs(kernel - expected) * area.sum()  # in shares of a pixel
    assert error.max() < 0.015 and error[area > 0].mean() < 0.003
    assert abs(area.sum() - math.pi * radius**2) < 0.1  # as large as the disk


@pytest.mark.parametrize("shift", [(0.0, 0.5), (-0.7, 0.4), (1.2, 0.0)])
@pytest.mark.parametrize("radius", [1.0, 2.6, 4.4])
def test_cat_eye_kernel_matches_coverage(shift, radius):
    kernel = np.asarray(cat_eye(radius, shift=jnp.asarray(shift, jnp.float32), size=15))
    area, expected = cat_eye_oracle(radius, shift, 15, cells=40)
    error = np.abs(kernel - expected) * area.sum()  # in shares of a pixel
    assert error.max() < 0.03 and error[area > 0].mean() < 0.006
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-6)
    assert abs(kernel.sum() - 1) < 1e-6


def test_cat_eye_without_shift_is_a_disk_and_narrow_along_the_shift():
    np.testing.assert_allclose(cat_eye(3.0, shift=jnp.zeros(2), size=9), disk(3.0, size=9), atol=6e-4)
    kernel = np.asarray(cat_eye(3.0, shift=jnp.asarray([1.0, 0.0], jnp.float32), size=11), np.float64)
    variance = (kernel * (np.arange(11) - 5)[:, None] ** 2).sum(), (kernel * (np.arange(11) - 5) ** 2).sum()
    assert variance[0] < 0.5 * variance[1]
    # Both rims of the 1.17 that the docstring states for a shift of 0.5.
    wide = np.asarray(cat_eye(10.0, shift=jnp.asarray([0.5, 0.0], jnp.float32), size=25))
    rows, columns = np.nonzero(wide > 0.5 * wide.max())
    assert abs(np.ptp(rows) + 1 - 2 * 9.1) < 1 and abs(np.ptp(columns) + 1 - 2 * 11.7) < 1


def test_polygon_of_many_blades_is_a_disk_and_turns():
    np.testing.assert_allclose(polygon(3.0, blades=48, size=9), disk(3.0, size=9), atol=6e-4)
    turned = polygon(3.0, blades=4, rotation=math.pi / 2, size=9)
    np.testing.assert_allclose(turned, polygon(3.0, blades=4, size=9), atol=1e-5)
    corners = polygon(3.0, blades=4, size=9)
    assert (
        corners[4, 7] > 0.9 * corners[4, 4] and corners[6, 7] < 0.01 * corners[4, 4]
    )  # corner along the columns


@pytest.mark.parametrize(
    "kernel",
    [
        disk_kernel,
        gaussian_kernel,
        lambda r, size: polygon_kernel(r, blades=6, rotation=r, size=size),
        lambda r, size: cat_eye_kernel(r, shift=jnp.stack([r, -r]) / 10, size=size),
    ],
)
def test_kernels_eager_jit_vmap_agree(kernel):
    widths = jnp.asarray([0.5, 1.3, 4.2], jnp.float32)
    batch = jax.jit(jax.vmap(lambda w: kernel(w, size=11)))(widths)
    for width, result in zip(widths, batch, strict=True):
        np.testing.assert_allclose(result, kernel(width, size=11), atol=1e-6)


def test_a_traced_disk_too_large_is_cut_off():
    kernel = jax.jit(lambda r: disk_kernel(r, size=3))(9.0)
    np.testing.assert_allclose(kernel, np.full((3, 3), 1 / 9), atol=1e-6)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: disk_kernel(1.0, size=4), "size must be odd and positive, got 4"),
        (lambda: disk_kernel(-1.0, size=5), "radius must be at least 0 and finite, got -1.0"),
        (lambda: disk_kernel(math.nan, size=5), "radius must be at least 0 and finite, got nan"),
        (lambda: disk_kernel(2.6, size=5), "radius must be at most 2.5 for size 5, got 2.6"),
        (lambda: gaussian_kernel(-1.0, size=5), "sigma must be at least 0 and finite, got -1.0"),
        (lambda: polygon_kernel(1.0, blades=2, size=5), "blades must be at least 3, got 2"),
        (lambda: cat_eye_kernel(1.0, shift=jnp.asarray([0.0, 2.0]), size=5), "shift must be shorter than 2"),
        (lambda: cat_eye_kernel(2.4, shift=jnp.asarray([0.5, 0.0]), size=5), "radius must be at most 2.13"),
        (
            lambda: cat_eye_kernel(1.0, shift=jnp.zeros(3), size=5),
            r"shift must have shape \(2,\), got \(3,\)",
        ),
        (lambda: polygon_kernel(2.4, blades=3, size=5), "radius must be at most 1.608 for size 5, got 2.4"),
    ],
)
def test_bad_arguments(call, message, unchecked):
    with pytest.raises(ValueError, match=message):
        call()
