"""Propagation of blur: the loop filter as oracle, the published map, and the pixels that nothing supports."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur.config import GuideConfig, PropagationConfig
from jaxblur.propagation.single_scale import propagate
from tests.jaxblur.propagation.filter_oracle import oracle as filter_oracle

CONFIG = PropagationConfig(sigma_s=4.0, iterations=3)
GUIDE = GuideConfig(iterations=2)


def oracle(radius, weight, depth, image, reliability, config):
    """The definition in float64: smoothed guide, quotient, fallback, confidence."""
    radius, weight, depth, image, reliability = (
        np.asarray(a, np.float64) for a in (radius, weight, depth, image, reliability)
    )
    guide = filter_oracle(
        image,
        image,
        sigma_s=GUIDE.sigma_s,
        sigma_r=GUIDE.sigma_r,
        num_iterations=GUIDE.iterations,
    )
    signals = np.stack([weight, weight * radius, weight * reliability, weight > 0], axis=-1)
    sigma_s = config.sigma_s or config.sigma_s_fraction * min(radius.shape)
    n, nr, nq, support = np.moveaxis(
        filter_oracle(
            signals,
            guide,
            sigma_s=sigma_s,
            sigma_r=config.sigma_r,
            num_iterations=config.iterations,
            barrier=config.depth_penalty * depth,
        ),
        -1,
        0,
    )
    return nr / n, nq / n * support / (support + 0.05 / sigma_s)


def scene(rng, height, width, density=0.15):
    """Random radius, weight, depth, image, reliability with at least one pattern edge."""
    weight = rng.random((height, width)) * (rng.random((height, width)) < density)
    weight[height // 2, width // 2] = 0.7
    depth = (rng.random((height, width)) < 0.1) * 1.0
    planes = (rng.uniform(0.5, 6, (height, width)), weight, depth, rng.random((height, width, 3)))
    return tuple(jnp.asarray(p, jnp.float32) for p in (*planes, rng.random((height, width))))


@pytest.mark.parametrize(("shape", "sigma_s"), [((15, 20), None), ((1, 12), 4.0), ((1, 1), None)])
def test_matches_loop(rng, shape, sigma_s):
    config = PropagationConfig(sigma_s=sigma_s, iterations=2, depth_penalty=3.0)
    radius, weight, depth, image, reliability = scene(rng, *shape, density=0.4)
    result = propagate(radius, weight, depth, image, reliability=reliability, config=config, guide=GUIDE)
    expected = oracle(radius, weight, depth, image, reliability, config)
    # Where next to nothing arrives, the quotient hangs on the last digits; a 1-px side makes sigma_s 1/8 px.
    reached = np.asarray(result[1]) > 1e-3
    assert reached.any()
    np.testing.assert_allclose(result[0][reached], expected[0][reached], rtol=1e-4)
    np.testing.assert_allclose(result[1], expected[1] * np.isfinite(expected[1]), atol=1e-4)


def test_matches_published_map(shared):
    golden = np.load(shared / "reference" / "golden_01.npz")
    image = cv2.imread(str(shared / "reference" / "image_01.png"))[..., ::-1] / np.float32(255)
    row, column = golden["row"].astype(int), golden["col"].astype(int)
    pattern = golden["edge_probabilities"].argmax(axis=1) == 0
    radius, weight = np.zeros(image.shape[:2], np.float32), np.zeros(image.shape[:2], np.float32)
    radius[row, column] = 0.5 + 0.25 * golden["blur_probabilities"].argmax(axis=1)
    weight[row[pattern], column[pattern]] = 1
    result, confidence = propagate(
        *(jnp.asarray(a) for a in (radius, weight, golden["depth_edges"].astype(np.float32), image))
    )
    assert np.mean(np.abs(result - golden["radius"]) <= 1e-3) >= 0.999
    assert confidence.min() > 0.5 and confidence.max() < 1


def test_jit_vmap_and_associative_equal_eager(rng):
    radius, weight, depth, image, _ = scene(rng, 14, 17)
    eager = propagate(radius, weight, depth, image, config=CONFIG, guide=GUIDE)
    run = jax.jit(jax.vmap(lambda *planes: propagate(*planes, config=CONFIG, guide=GUIDE)))
    batch = run(*(jnp.stack([a, a]) for a in (radius, weight, depth, image)))
    parallel = propagate(
        radius,
        weight,
        depth,
        image,
        config=CONFIG,
        guide=GUIDE,
        method="associative",
    )
    for k in range(2):
        np.testing.assert_allclose(batch[k][1], eager[k], atol=1e-5)
        np.testing.assert_allclose(parallel[k], eager[k], atol=1e-4)


def test_constant_radius_bounds_and_scale_of_weights(rng):
    radius, weight, depth, image, _ = scene(rng, 14, 17)
    constant, confidence = propagate(
        jnp.full_like(radius, 2.5), weight, depth, image, config=CONFIG, guide=GUIDE
    )
    np.testing.assert_allclose(constant, 2.5, rtol=1e-5)
    result, _ = propagate(radius, weight, depth, image, config=CONFIG, guide=GUIDE)
    edges = np.asarray(radius)[np.asarray(weight) > 0]
    assert result.min() >= edges.min() * (1 - 1e-5) and result.max() <= edges.max() * (1 + 1e-5)
    assert result.std() > 0.05
    scaled = propagate(radius, 1e-3 * weight, depth, image, config=CONFIG, guide=GUIDE)
    np.testing.assert_allclose(scaled[0], result, rtol=1e-4)
    np.testing.assert_allclose(scaled[1], confidence, rtol=1e-4)


def test_confidence_falls_with_distance_and_follows_reliability():
    """A straight edge in a flat area: about 0.9 on it, falling away from it; reliability scales it."""
    plane = jnp.zeros((9, 161), jnp.float32)
    weight = plane.at[:, 20].set(1)
    image = jnp.full((9, 161, 3), 0.5, jnp.float32)
    config = PropagationConfig(sigma_s=10.0)
    _, confidence = propagate(plane + 2, weight, plane, image, config=config, guide=GUIDE)
    assert confidence[4, 20] > 0.85
    assert 0.35 < confidence[4, 40] < 0.65  # two sigma_s away
    assert confidence[4, 160] < 1e-3
    assert (np.diff(confidence[4, 20:]) < 0).all()
    _, halved = propagate(
        plane + 2, weight, plane, image, reliability=plane + 0.5, config=config, guide=GUIDE
    )
    np.testing.assert_allclose(halved, confidence / 2, rtol=1e-4)


def test_depth_edge_separates():
    """A wall of depth edges keeps the two sides' radii apart; without it they mix."""
    plane = jnp.zeros((12, 30), jnp.float32)
    radius = plane.at[:, :15].set(1.0).at[:, 15:].set(5.0)
    weight = plane.at[:, 10].set(1).at[:, 20].set(1)
    image = jnp.zeros((12, 30, 3), jnp.float32)
    config = PropagationConfig(sigma_s=4.0, depth_penalty=200.0)
    open_map, _ = propagate(radius, weight, plane, image, config=config, guide=GUIDE)
    walled, _ = propagate(radius, weight, plane.at[:, 15].set(1), image, config=config, guide=GUIDE)
    assert 1.5 < open_map[6, 14] < 4.5
    np.testing.assert_allclose(walled, radius, atol=1e-3)


@pytest.mark.parametrize("fallback", [3.25, 2.0])
def test_no_pattern_edge_gives_the_fallback(fallback):
    plane, image = jnp.zeros((7, 9), jnp.float32), jnp.full((7, 9, 3), 0.2, jnp.float32)
    config = PropagationConfig(unknown_radius=fallback)
    radius, confidence = propagate(
        plane + jnp.nan, plane, plane, image, reliability=plane, config=config, guide=GUIDE
    )
    np.testing.assert_array_equal(radius, np.float32(fallback))
    np.testing.assert_array_equal(confidence, 0)


def test_out_of_reach_gives_the_mean_of_the_photo():
    """Walls too high for float32: beyond them the weighted mean of the edges, confidence 0."""
    plane = jnp.zeros((6, 20), jnp.float32)
    radius = plane.at[2, 2].set(1.0).at[3, 3].set(4.0)
    weight = plane.at[2, 2].set(2.0).at[3, 3].set(1.0)
    depth = plane.at[:, 10].set(1)
    config = PropagationConfig(sigma_s=3.0, depth_penalty=1e4)
    result, confidence = propagate(
        radius, weight, depth, jnp.zeros((6, 20, 3), jnp.float32), config=config, guide=GUIDE
    )
    np.testing.assert_allclose(result[:, 10:], 2.0, rtol=1e-6)
    np.testing.assert_array_equal(confidence[:, 10:], 0)
    assert (confidence[:, :10] > 0).all()


def test_padding_changes_nothing(rng):
    config = PropagationConfig(iterations=2, sigma_s_fraction=0.2)
    arrays = scene(rng, 18, 25)
    expected = propagate(*arrays[:4], reliability=arrays[4], config=config, guide=GUIDE)
    padded = [
        jnp.pad(a, ((0, 14), (0, 7)) + ((0, 0),) * (a.ndim - 2), constant_values=jnp.nan) for a in arrays
    ]
    padded[1] = jnp.nan_to_num(padded[1], nan=5.0)  # edges in the padding do not count

    @jax.jit
    def run(planes, reliability, size):
        return propagate(*planes, reliability=reliability, config=config, guide=GUIDE, size=size)

    radius, confidence = run(padded[:4], padded[4], (18, 25))
    np.testing.assert_allclose(radius[:18, :25], expected[0], rtol=1e-6)
    np.testing.assert_allclose(confidence[:18, :25], expected[1], rtol=1e-6, atol=1e-7)
    assert np.isfinite(radius).all()
    np.testing.assert_array_equal(confidence[18:], 0)
    np.testing.assert_array_equal(confidence[:, 25:], 0)


def test_gradients_match_finite_differences(rng):
    with jax.enable_x64(True):
        shape = (5, 6)
        weight = jnp.asarray((rng.random(shape) + 0.1) * (rng.random(shape) < 0.5)).at[2, 3].set(0.5)
        image = jnp.asarray(rng.permutation(90).reshape(*shape, 3) / 90.0)
        radius, depth, reliability = (jnp.asarray(rng.random(shape)) for _ in range(3))
        mix = jnp.asarray(rng.random((2, *shape)))
        config = PropagationConfig(sigma_s=3.0, iterations=2, depth_penalty=2.0)

        def loss(radius, weight, depth, image, reliability):
            out = propagate(radius, weight, depth, image, reliability=reliability, config=config, guide=GUIDE)
            return jnp.sum(mix[0] * out[0] ** 2) + jnp.sum(mix[1] * out[1])

        arguments = (radius, weight, depth, image, reliability)
        run = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2, 3, 4)))  # one compilation for all
        _, gradients = run(*arguments)
        for k, gradient in enumerate(gradients):
            assert gradient.dtype == jnp.float64
            direction = jnp.asarray(rng.standard_normal(gradient.shape))
            if k == 1:  # a pixel that is no edge has no weight to vary
                direction = jnp.where(weight > 0, direction, 0)

            def along(t, k=k, direction=direction):
                return run(*arguments[:k], arguments[k] + t * direction, *arguments[k + 1 :])[0]

            slope = (along(1e-6) - along(-1e-6)) / 2e-6
            assert abs(slope) > 1e-4
            np.testing.assert_allclose(jnp.sum(gradient * direction), slope, rtol=1e-5)


def test_gradients_are_finite_everywhere():
    """Constant photo, NaN off the edges, walls that take the normaliser down to and past underflow."""
    plane = jnp.zeros((6, 24), jnp.float32)
    image = jnp.full((6, 24, 3), 0.5, jnp.float32)
    walls = plane.at[:, 8].set(1).at[:, 16].set(1)
    config = PropagationConfig(sigma_s=3.0, depth_penalty=1e4, iterations=3)

    @jax.jit
    def value_and_gradients(radius, weight, depth, image):
        def loss(radius, weight, depth, image):
            out = propagate(radius, weight, depth, image, reliability=weight, config=config, guide=GUIDE)
            return jnp.sum(out[0]) + jnp.sum(out[1]), out

        return jax.value_and_grad(loss, argnums=(0, 1, 2, 3), has_aux=True)(radius, weight, depth, image)

    reached = []
    for penalty, weight in [(p, plane.at[:, 3].set(1)) for p in (0, 20, 40, 60, 80, 1e4)] + [(20, plane)]:
        radius = jnp.where(weight > 0, 2.0, jnp.nan)
        (value, (_, confidence)), gradients = value_and_gradients(
            radius, weight, walls * (penalty / 1e4), image
        )
        assert np.isfinite(value)
        for gradient in gradients:
            assert np.isfinite(gradient).all(), penalty
        if weight.any():  # a shift of all radii shifts the map
            np.testing.assert_allclose(gradients[0].sum(), plane.size, rtol=1e-4)
        reached.append(float(confidence[3, 20]))
    assert reached[0] > reached[1] > 0 and 0 < min(r for r in reached if r > 0) < 1e-20 and reached[5] == 0


def test_bad_input(unchecked):
    plane, image = jnp.zeros((4, 5), jnp.float32), jnp.zeros((4, 5, 3), jnp.float32)
    with pytest.raises(ValueError, match="image must have shape"):
        propagate(plane, plane, plane, plane)
    with pytest.raises(ValueError, match="depth must have the height and width of image"):
        propagate(plane, plane, plane[1:], image)
    with pytest.raises(TypeError, match="weight must hold floating-point numbers, got bool"):
        propagate(plane, plane > 0, plane, image)
    with pytest.raises(ValueError, match="reliability must have shape"):
        propagate(plane, plane, plane, image, reliability=image)
    with pytest.raises(ValueError, match=r"width must be in 1\.\.5, got 6"):
        propagate(plane, plane, plane, image, size=(4, 6))
    with pytest.raises(ValueError, match="unknown_radius must be finite"):
        PropagationConfig(unknown_radius=float("nan"))
