import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, signal

from jaxblur.synthesis import DEPTH, IGNORE, PATTERN, disk_kernel, edge_labels

SIZE = 15
HALF = SIZE // 2
kernels_of = jax.jit(jax.vmap(lambda r: disk_kernel(r, size=SIZE)))


def labels(alphas, radii, **options):
    radii = jnp.asarray(radii, jnp.float32)
    return np.asarray(edge_labels(jnp.asarray(alphas, jnp.float32), kernels_of(radii), radii, **options))


def labels_oracle(alpha, radius, behind, min_step, max_same):
    """Two layers, with SciPy's distance transform and direct convolution."""
    inside = alpha >= 0.5
    distance = (
        np.where(inside, ndimage.distance_transform_edt(inside), ndimage.distance_transform_edt(~inside))
        - 0.5
    )
    kernel = np.asarray(kernels_of(jnp.asarray([radius], jnp.float32)))[0]
    blurred = signal.convolve2d(alpha, kernel, mode="valid")
    distance = distance[HALF:-HALF, HALF:-HALF]
    tolerance = 0.8 + 0.4 * max(radius, 0.5)
    reach = int(tolerance)
    row, column = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    near = np.hypot(row, column) <= tolerance
    both = (ndimage.maximum_filter(blurred, footprint=near, mode="nearest") >= 0.25) & (
        ndimage.minimum_filter(blurred, footprint=near, mode="nearest") <= 0.75
    )
    step = abs(max(radius, 0.5) - max(behind, 0.5))
    result = np.full(blurred.shape, PATTERN)
    if step > max_same:
        result[((blurred > 0.02) & (blurred < 0.98)) | (distance <= tolerance + 1)] = IGNORE
    if step >= min_step:
        result[(distance <= tolerance) & both] = DEPTH
    return result


def stack(*foregrounds):
    return np.stack([np.ones_like(foregrounds[0]), *foregrounds])


def blob(rng, height=41, width=60, scale=6):
    field = ndimage.gaussian_filter(rng.standard_normal((height, width)), scale)
    return np.clip(0.5 + field / field.std() * 3, 0, 1).astype(np.float32)


def half_plane(column=30, width=60):
    alpha = np.zeros((41, width), np.float32)
    alpha[:, column:] = 1
    return alpha


@pytest.mark.parametrize("radius, behind", [(0.5, 4.0), (6.0, 0.5), (3.0, 3.5), (2.0, 2.2), (0.0, 0.6)])
def test_two_layers_equal_the_oracle(rng, radius, behind):
    alpha = blob(rng)
    result = labels(stack(alpha), [behind, radius])
    expected = labels_oracle(alpha, radius, behind, 0.75, 0.25)
    assert result.dtype == np.int32 and result.shape == (41 - 14, 60 - 14)
    assert (result != expected).mean() < 0.003  # a float32 comparison at a threshold may go either way


@pytest.mark.parametrize("radius, depth, unclear", [(0.5, 1, 2), (3.0, 2, 3), (6.0, 3, 5)])
def test_a_straight_boundary(radius, depth, unclear):
    """Pixels on each side of the boundary, counted from it: first depth, then not clear, then pattern."""
    row = labels(stack(half_plane()), [radius + 2.5, radius])[20]
    side = np.full(30 - HALF, PATTERN)
    side[:unclear] = IGNORE
    side[:depth] = DEPTH
    np.testing.assert_array_equal(row, np.concatenate([side[::-1], side]))


def test_it_is_the_step_that_makes_a_depth_edge():
    alphas = stack(half_plane())
    assert (labels(alphas, [3.0, 3.0]) == PATTERN).all()
    assert (labels(alphas, [3.2, 3.0]) == PATTERN).all()
    assert (labels(alphas, [0.5, 0.2]) == PATTERN).all()  # both are sharp
    assert set(np.unique(labels(alphas, [3.5, 3.0]))) == {PATTERN, IGNORE}
    assert set(np.unique(labels(alphas, [3.5, 3.0], min_step=0.5))) == {PATTERN, IGNORE, DEPTH}
    assert (labels(alphas, [3.5, 3.0], max_same=0.5) == PATTERN).all()


def test_one_layer_has_pattern_edges_only():
    assert (labels(np.ones((1, 20, 20), np.float32), [2.0]) == PATTERN).all()


def test_a_bar_thinner_than_its_blur_leaves_no_edge_of_its_own():
    bar = np.zeros((41, 60), np.float32)
    bar[:, 30] = 1
    assert set(np.unique(labels(stack(bar), [0.5, 6.0]))) == {PATTERN, IGNORE}
    assert DEPTH in labels(stack(bar), [6.0, 0.5])
    assert set(np.unique(labels(stack(1 - bar), [0.5, 6.0]))) == {PATTERN, IGNORE}  # and so does a slit


def test_a_boundary_hidden_behind_a_nearer_layer_does_not_count():
    edge, cover = half_plane(), np.ones((41, 60), np.float32)
    assert (labels(stack(edge, cover), [0.5, 4.0, 2.0]) == PATTERN).all()
    seen = labels(stack(edge, half_plane(column=45)), [0.5, 4.0, 4.0])
    np.testing.assert_array_equal(seen, labels(stack(edge), [0.5, 4.0]))  # the nearer layer has no step


def test_three_layers_step_against_what_is_just_behind():
    """Background 0.5, left half 4, and a layer of 4 over both: it steps against the background only."""
    left, low = 1 - half_plane(), np.zeros((41, 60), np.float32)
    low[20:] = 1
    result = labels(stack(left, low), [0.5, 4.0, 4.0])
    row = 20 - HALF
    assert (result[row, :10] == PATTERN).all()
    assert (result[row, -10:] == DEPTH).all()


def test_borders():
    alphas = stack(half_plane(column=4))  # 4 px inside the image, outside what "valid" leaves
    assert labels(alphas, [0.5, 6.0], border="reflect").shape == (41, 60)
    assert (labels(alphas, [0.5, 6.0], border="reflect")[:, 3:5] == DEPTH).all()
    near = labels(alphas, [0.5, 6.0])
    assert (near[:, :2] == IGNORE).all() and (near[:, 2:] == PATTERN).all()


def test_eager_jit_vmap_agree(rng):
    alphas = jnp.asarray(np.stack([stack(blob(rng)), stack(blob(rng))]))
    radii = jnp.asarray([[0.5, 3.0], [4.0, 1.0]], jnp.float32)
    kernels = jnp.stack([kernels_of(r) for r in radii])
    batch = jax.jit(jax.vmap(edge_labels))(alphas, kernels, radii)
    assert len(np.unique(batch)) == 3
    for i in range(2):
        np.testing.assert_array_equal(batch[i], edge_labels(alphas[i], kernels[i], radii[i]))


def test_works_in_float64():
    with jax.enable_x64(True):
        alphas = jnp.asarray(stack(half_plane()), jnp.float64)
        radii = jnp.asarray([3.0, 0.5])
        kernels = jax.jit(jax.vmap(lambda r: disk_kernel(r, size=SIZE)))(radii)
        np.testing.assert_array_equal(
            edge_labels(alphas, kernels, radii), labels(stack(half_plane()), [3.0, 0.5])
        )


def test_bad_arguments(unchecked):
    alphas, kernels, radii = (
        jnp.ones((2, 20, 20), jnp.float32),
        jnp.ones((2, 3, 3), jnp.float32),
        jnp.ones(2, jnp.float32),
    )
    with pytest.raises(ValueError, match="steps must satisfy 0 <= max_same <= min_step, got 0.5, 0.25"):
        edge_labels(alphas, kernels, radii, max_same=0.5, min_step=0.25)
    with pytest.raises(ValueError, match=r"radii must have as many layers as alphas \(2\), got 1"):
        edge_labels(alphas, kernels, radii[:1])
    with pytest.raises(TypeError, match="radii must hold floating-point numbers, got int32"):
        edge_labels(alphas, kernels, radii.astype(jnp.int32))
