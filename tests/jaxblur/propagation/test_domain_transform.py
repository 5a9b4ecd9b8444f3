"""Recursive domain-transform filter: a slow loop, its properties, and OpenCV's numbers."""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur.propagation.domain_transform import domain_distances, recursive_filter
from tests.jaxblur.propagation.filter_oracle import oracle

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "recursive_filter.npz"
METHODS = ("scan", "associative")
OPTIONS = {"sigma_s": 9.0, "sigma_r": 0.8, "num_iterations": 3}


def images(rng, height, width, channels=2):
    signal = rng.random((height, width, channels), dtype=np.float32)
    return jnp.asarray(signal), jnp.asarray(rng.random((height, width, 3), dtype=np.float32))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(10, 13), (1, 9), (9, 1), (1, 1)])
def test_matches_loop(rng, method, shape):
    signal, guide = images(rng, *shape)
    barrier = jnp.asarray(20 * (rng.random(shape) > 0.8), jnp.float32)
    expected = oracle(signal, guide, barrier=np.asarray(barrier), **OPTIONS)
    result = recursive_filter(signal, guide, method=method, barrier=barrier, **OPTIONS)
    assert result.dtype == jnp.float32
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "channels"), [((127, 5), 3), ((128, 16), 1), ((129, 17), 3), ((257, 3), 4)]
)
def test_blocks_of_rows_match_loop(rng, shape, channels):
    """The sequential form works in blocks of up to 128 rows, padded to whole blocks and cache lines."""
    signal, guide = images(rng, *shape, channels)
    options = OPTIONS | {"num_iterations": 2}
    result = recursive_filter(signal, guide, method="scan", **options)
    np.testing.assert_allclose(result, oracle(signal, guide, **options), atol=1e-5)


def test_derivatives_across_blocks_are_those_of_the_parallel_form(rng):
    signal, guide = images(rng, 131, 6, 3)

    def total(signal, guide, method):
        out = recursive_filter(signal, guide, sigma_s=20.0, sigma_r=2.0, num_iterations=2, method=method)
        return jnp.sum(out**2)

    gradients = jax.jit(jax.grad(total, (0, 1)), static_argnums=2)
    for blocks, parallel in zip(*(gradients(signal, guide, m) for m in METHODS), strict=True):
        np.testing.assert_allclose(blocks, parallel, atol=1e-4 * float(jnp.abs(parallel).max()))


@pytest.mark.parametrize(
    ("method", "k"), [("scan", 0), ("scan", 1), ("scan", 2), ("scan", 3), ("associative", 0)]
)
def test_matches_opencv(method, k):
    golden = np.load(GOLDEN)
    sigma_s, sigma_r, iterations = golden[f"params_{k}"]
    result = recursive_filter(
        jnp.asarray(golden["signal"]),
        jnp.asarray(golden["guide"]),
        sigma_s=float(sigma_s),
        sigma_r=float(sigma_r),
        num_iterations=int(iterations),
        method=method,
    )
    np.testing.assert_allclose(result, golden[f"filtered_{k}"], atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_wide_extent_keeps_precision_over_squared_weights(rng, method):
    """Weights near 1, squared seven times: where rounding would show first."""
    signal, guide = images(rng, 4, 40)
    options = {"sigma_s": 600.0, "sigma_r": 40.0, "num_iterations": 8}
    result = recursive_filter(signal, guide, method=method, **options)
    np.testing.assert_allclose(result, oracle(signal, guide, **options), atol=1e-5)


def test_jit_and_vmap_equal_eager(rng):
    signal, guide = images(rng, 10, 13)
    eager = recursive_filter(signal, guide, **OPTIONS)
    jitted = jax.jit(lambda s, g, extent: recursive_filter(s, g, sigma_s=extent, sigma_r=0.8))
    np.testing.assert_allclose(jitted(signal, guide, jnp.float32(9.0)), eager, atol=1e-6)
    mapped = jax.vmap(lambda s, g: recursive_filter(s, g, **OPTIONS))
    batch = mapped(jnp.stack([signal, 1 - signal]), jnp.stack([guide, guide]))
    np.testing.assert_allclose(batch[0], eager, atol=1e-6)
    np.testing.assert_allclose(batch[1], 1 - eager, atol=1e-6)


def test_plane_is_one_channel(rng):
    signal, guide = images(rng, 8, 9)
    both = recursive_filter(signal, guide, **OPTIONS)
    np.testing.assert_allclose(recursive_filter(signal[..., 1], guide, **OPTIONS), both[..., 1], atol=1e-6)


def test_constant_stays_and_bounds_hold(rng):
    signal, guide = images(rng, 10, 13)
    constant = recursive_filter(jnp.full_like(signal, 0.3), guide, method="scan", **OPTIONS)
    np.testing.assert_array_equal(constant, np.float32(0.3))
    parallel = recursive_filter(jnp.full_like(signal, 0.3), guide, method="associative", **OPTIONS)
    np.testing.assert_allclose(parallel, 0.3, atol=1e-6)
    result = recursive_filter(signal, guide, **OPTIONS)
    assert result.min() >= signal.min() and result.max() <= signal.max()
    assert result.std() < 0.9 * signal.std()  # it does smooth


def test_linear_in_signal(rng):
    signal, guide = images(rng, 10, 13)
    other = images(rng, 10, 13)[0]
    combined = recursive_filter(2 * signal - 3 * other, guide, **OPTIONS)
    parts = 2 * recursive_filter(signal, guide, **OPTIONS) - 3 * recursive_filter(other, guide, **OPTIONS)
    np.testing.assert_allclose(combined, parts, atol=1e-5)


def test_step_in_guide_and_barrier_do_not_leak():
    left = jnp.zeros((20, 30), jnp.float32).at[:, :15].set(1)
    flat = jnp.zeros((20, 30, 3), jnp.float32)
    assert recursive_filter(left, flat, **OPTIONS)[:, 15].min() > 0.1  # without a wall it does flow
    step = recursive_filter(left, 20 * left[..., None], **OPTIONS)
    np.testing.assert_allclose(step, left, atol=1e-6)
    barrier = jnp.zeros((20, 30), jnp.float32).at[:, 15].set(1e3)
    np.testing.assert_allclose(recursive_filter(left, flat, barrier=barrier, **OPTIONS), left, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_flat_guide_is_exponential(method):
    """Impulse in a wide flat row, one iteration: (1 - w) / (1 + w) w^|x|, the two-sided exponential."""
    width, sigma = 201, 6.0
    impulse = jnp.zeros((1, width), jnp.float32).at[0, width // 2].set(1)
    guide = jnp.zeros((1, width, 1), jnp.float32)
    result = recursive_filter(impulse, guide, sigma_s=sigma, sigma_r=1.0, num_iterations=1, method=method)
    w = np.exp(-np.sqrt(2) / sigma)
    expected = (1 - w) / (1 + w) * w ** np.abs(np.arange(width) - width // 2)
    np.testing.assert_allclose(result[0], expected, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_padding_neither_gives_nor_takes(rng, method):
    signal, guide = images(rng, 5, 7)
    sigma_s = jnp.float32(5.0)
    expected = recursive_filter(signal, guide, sigma_s=sigma_s, sigma_r=0.5, method=method)
    pad = ((0, 4), (0, 2), (0, 0))
    junk = jnp.pad(signal, pad, constant_values=jnp.nan), jnp.pad(guide, pad, constant_values=jnp.inf)

    @jax.jit
    def padded(signal, guide, size):
        return recursive_filter(signal, guide, sigma_s=sigma_s, sigma_r=0.5, method=method, size=size)

    result = padded(*junk, (5, 7))
    if method == "scan":
        np.testing.assert_array_equal(result[:5, :7], expected)
    else:  # the tree of the parallel scan depends on the length, hence its rounding
        np.testing.assert_allclose(result[:5, :7], expected, atol=1e-6)
    np.testing.assert_array_equal(result[5:], 0)
    np.testing.assert_array_equal(result[:, 7:], 0)


@pytest.mark.parametrize("method", METHODS)
def test_gradients_match_finite_differences(rng, method):
    with jax.enable_x64(True):
        signal = jnp.asarray(rng.random((3, 4, 2)))
        guide = jnp.asarray(rng.permutation(24).reshape(3, 4, 2) / 24.0)  # no ties: |dI| has a kink at 0
        barrier = jnp.asarray(rng.random((3, 4)))
        target = jnp.asarray(rng.random((3, 4, 2)))

        def loss(signal, guide, barrier, sigma_s, sigma_r):
            out = recursive_filter(
                signal,
                guide,
                sigma_s=sigma_s,
                sigma_r=sigma_r,
                barrier=barrier,
                method=method,
                num_iterations=2,
            )
            return jnp.sum((out - target) ** 2)

        arguments = (signal, guide, barrier, jnp.asarray(3.0), jnp.asarray(0.7))
        run = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2, 3, 4)))  # one compilation for all
        _, gradients = run(*arguments)
        for k, gradient in enumerate(gradients):
            assert gradient.dtype == jnp.float64
            direction = jnp.asarray(rng.standard_normal(gradient.shape))

            def along(t, k=k, direction=direction):
                return run(*arguments[:k], arguments[k] + t * direction, *arguments[k + 1 :])[0]

            slope = (along(1e-6) - along(-1e-6)) / 2e-6
            np.testing.assert_allclose(jnp.sum(gradient * direction), slope, rtol=1e-6, atol=1e-9)


def test_gradients_are_finite_on_constant_padded_image():
    signal = jnp.ones((6, 7, 1), jnp.float32)

    def loss(signal, guide, sigma_s):
        return jnp.sum(recursive_filter(signal, guide, sigma_s=sigma_s, sigma_r=0.5, size=(4, 5)) ** 2)

    guide = jnp.zeros((6, 7, 3), jnp.float32)
    gradients = jax.jit(jax.grad(loss, (0, 1, 2)))(signal, guide, jnp.float32(2.0))
    for gradient in gradients:
        assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(gradients[0][4:], 0)


def test_distances(rng):
    guide = jnp.asarray(rng.random((4, 5, 3)), jnp.float32)
    horizontal, vertical = domain_distances(
        guide, sigma_s=6.0, sigma_r=2.0, barrier=jnp.full((4, 5), 7, jnp.float32)
    )
    np.testing.assert_allclose(horizontal[:, 0], 8)
    np.testing.assert_allclose(vertical[0], 8)
    expected = 8 + 3 * np.abs(guide[2, 3] - guide[2, 2]).sum()
    np.testing.assert_allclose(horizontal[2, 3], expected, rtol=1e-6)
    np.testing.assert_allclose(vertical[2, 3], 8 + 3 * np.abs(guide[2, 3] - guide[1, 3]).sum(), rtol=1e-6)


PLANE, IMAGE = jnp.zeros((4, 5), jnp.float32), jnp.zeros((4, 5, 3), jnp.float32)


@pytest.mark.parametrize(
    ("error", "message", "signal", "guide", "changes"),
    [
        (ValueError, r"signal must have shape", PLANE[0], IMAGE, {}),
        (ValueError, r"guide must have shape", PLANE, PLANE, {}),
        (ValueError, r"signal must not be empty", PLANE[:0], IMAGE[:0], {}),
        (ValueError, r"guide must have the height and width", PLANE, IMAGE[1:], {}),
        (ValueError, r"barrier must have the height and width", PLANE, IMAGE, {"barrier": PLANE[1:]}),
        (TypeError, r"signal must hold floating-point", PLANE.astype(jnp.int32), IMAGE, {}),
        (ValueError, r"sigma_s must be positive", PLANE, IMAGE, {"sigma_s": 0.0}),
        (ValueError, r"sigma_r must be positive", PLANE, IMAGE, {"sigma_r": float("nan")}),
        (ValueError, r"num_iterations must be at least 1, got 0", PLANE, IMAGE, {"num_iterations": 0}),
        (ValueError, r"method must be one of", PLANE, IMAGE, {"method": "fast"}),
        (ValueError, r"height must be in 1\.\.4, got 5", PLANE, IMAGE, {"size": (5, 5)}),
        (ValueError, r"size must be \(height, width\)", PLANE, IMAGE, {"size": (5,)}),
    ],
)
def test_bad_input(error, message, signal, guide, changes, unchecked):
    with pytest.raises(error, match=message):
        recursive_filter(signal, guide, **(OPTIONS | changes))


@pytest.mark.parametrize("method", ["scan", "associative"])
def test_derivatives_of_a_batch_are_those_of_its_members(method, rng):
    """grad of vmap, vmap of grad and forward mode: the sequential form has a derivative rule of its own."""
    signal = jnp.asarray(rng.random((2, 6, 5, 3)))
    guide = jnp.asarray(rng.random((2, 6, 5, 1)))

    def total(signal, guide):
        smoothed = recursive_filter(signal, guide, sigma_s=2.0, sigma_r=0.5, num_iterations=2, method=method)
        return (smoothed**2).sum()

    together = jax.grad(lambda s, g: jax.vmap(total)(s, g).sum(), argnums=(0, 1))(signal, guide)
    one_by_one = jax.vmap(jax.grad(total, argnums=(0, 1)))(signal, guide)
    for a, b in zip(together, one_by_one, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    direction = jnp.asarray(rng.random(signal.shape[1:])), jnp.asarray(rng.random(guide.shape[1:]))
    _, forward = jax.jvp(total, (signal[0], guide[0]), direction)
    expected = sum((g[0] * d).sum() for g, d in zip(one_by_one, direction, strict=True))
    np.testing.assert_allclose(forward, expected, rtol=1e-5)


@pytest.mark.parametrize("method", ["scan", "associative"])
def test_memory_of_the_gradient_per_iteration(method):
    """An iteration leaves only what it starts from: three channels and two weights, 5/3 of the signal."""
    shape = jax.ShapeDtypeStruct((128, 128, 3), jnp.float32)

    def temporary_bytes(iterations):
        def energy(signal, guide):
            return (filtered(signal, guide, num_iterations=iterations, method=method) ** 2).sum()

        program = jax.jit(jax.grad(energy, argnums=(0, 1))).lower(shape, shape).compile()
        return program.memory_analysis().temp_size_in_bytes

    filtered = functools.partial(recursive_filter, sigma_s=20.0, sigma_r=1.0)
    per_iteration = (temporary_bytes(8) - temporary_bytes(4)) / 4
    assert per_iteration <= 2.1 * 4 * shape.size
