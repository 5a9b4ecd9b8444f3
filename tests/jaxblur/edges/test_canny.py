import math

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from jaxblur.config import PUBLISHED, EdgeConfig
from jaxblur.edges.canny import detect_edges, gradient, hysteresis
from jaxblur.image.values import as_rgb, to_float
from tests.jaxblur.edges.chains import spiral

EXACT = PUBLISHED.edges
EIGHT = np.ones((3, 3))

GRADIENT = jax.jit(gradient, static_argnames="sigma")
HYSTERESIS = jax.jit(hysteresis)


def oracle_gradient(value: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    reach = math.ceil(4 * sigma)
    gauss = np.array([math.exp(-(x**2) / (2 * sigma**2)) for x in range(-reach, reach + 1)])
    gauss /= gauss.sum()
    slope = np.gradient(gauss)
    slope = np.where(slope > 0, slope / slope[slope > 0].sum(), slope / -slope[slope < 0].sum())
    along = [scipy.ndimage.convolve1d(value, gauss, axis=a, mode="nearest") for a in (1, 0)]
    return tuple(scipy.ndimage.convolve1d(p, slope, axis=a, mode="nearest") for a, p in enumerate(along))


def oracle(value: np.ndarray, config: EdgeConfig = EXACT) -> np.ndarray:
    """Canny of one plane in float64, pixel by pixel."""
    dy, dx = oracle_gradient(np.asarray(value, np.float64), config.sigma)
    magnitude = np.hypot(dx, dy)
    height, width = magnitude.shape
    greatest = magnitude.max()
    if greatest == 0:
        return np.zeros(magnitude.shape, bool)
    magnitude = magnitude / greatest
    counts = np.bincount(np.floor(63 * magnitude + 0.5).astype(int).ravel(), minlength=64)
    position = 1 + next(
        i for i, c in enumerate(np.cumsum(counts)) if c > config.high_quantile * magnitude.size
    )
    high = max(position / 64, config.high_floor / greatest)
    low = max(config.low_ratio * position / 64, config.low_floor / greatest)

    weak = np.zeros(magnitude.shape, bool)
    for r in range(1, height - 1):
        for c in range(1, width - 1):
            m, gx, gy = magnitude[r, c], dx[r, c], dy[r, c]
            if m <= low:
                continue
            sx, sy = (1 if gx > 0 else -1), (1 if gy > 0 else -1)
            if abs(gx) >= abs(gy):
                t, ahead, behind = abs(gy / gx), (r, c + sx), (r, c - sx)
            else:
                t, ahead, behind = abs(gx / gy), (r + sy, c), (r - sy, c)
            one = (1 - t) * magnitude[ahead] + t * magnitude[r + sy, c + sx]
            other = (1 - t) * magnitude[behind] + t * magnitude[r - sy, c - sx]
            weak[r, c] = m >= one and m >= other
    return oracle_hysteresis(weak, weak & (magnitude > high))


def oracle_hysteresis(weak: np.ndarray, strong: np.ndarray) -> np.ndarray:
    labels, _ = scipy.ndimage.label(weak, EIGHT)
    return np.isin(labels, labels[weak & strong]) & weak


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union."""
    return (a & b).sum() / (a | b).sum()


def scene(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """8-bit RGB: soft blobs of colour, a hard edge, some noise."""
    blobs = scipy.ndimage.gaussian_filter(rng.random((height, width, 3)), (3, 3, 0))
    blobs = 0.5 + 2.0 * (blobs - 0.5)
    blobs[height // 3 :, width // 2 :] *= 0.6
    return np.round(255 * np.clip(blobs + rng.normal(0, 0.01, blobs.shape), 0, 1)).astype(np.uint8)


@pytest.mark.parametrize("shape", [(40, 44), (33, 21), (7, 60)])
def test_equals_oracle(rng, shape):
    image = scene(rng, *shape)
    expected = oracle(image.max(-1) / 255)
    assert expected.sum() > 10
    np.testing.assert_array_equal(detect_edges(image, config=EXACT), expected)


@pytest.mark.parametrize(
    "config",
    [
        EdgeConfig(high_floor=0.2, low_floor=0.02),
        EdgeConfig(high_floor=0.2, low_floor=0.15),
        EdgeConfig(sigma=1.0, high_quantile=0.9, low_ratio=0.2),
    ],
)
def test_options_equal_oracle(rng, config):
    image = scene(rng, 40, 44)
    expected = oracle(image.max(-1) / 255, config)
    assert 10 < expected.sum() != oracle(image.max(-1) / 255).sum()
    np.testing.assert_array_equal(detect_edges(image, config=config), expected)


def test_published_edge_map(shared):
    image = cv2.imread(str(shared / "reference/image_01.png"))
    published = cv2.imread(str(shared / "reference/edge_01.png"), cv2.IMREAD_GRAYSCALE) > 0
    assert overlap(np.asarray(detect_edges(image[..., ::-1], config=EXACT)), published) >= 0.999
    assert (
        overlap(np.asarray(detect_edges(image[..., ::-1])), published) >= 0.999
    )  # floors do not matter on photos


def test_photo_equals_oracle(shared):
    image = cv2.imread(str(shared / "photos/kodak/kodim08.png"))[100:260, 200:380]
    assert overlap(np.asarray(detect_edges(image, config=EXACT)), oracle(image.max(-1) / 255)) >= 0.999


def test_gradient_equals_oracle_and_unit(rng):
    value = rng.random((17, 23))
    down, right = GRADIENT(jnp.asarray(value, jnp.float32), sigma=math.sqrt(2))
    for got, expected in zip((down, right), oracle_gradient(value, math.sqrt(2)), strict=True):
        np.testing.assert_allclose(np.abs(got), np.abs(expected), atol=1e-6)
    step = np.tile(np.repeat([0.25, 0.75], 20), (9, 1)).astype(np.float32)
    _, right = GRADIENT(jnp.asarray(step), sigma=math.sqrt(2))
    np.testing.assert_allclose(right[:, 19:21], 0.5, atol=1e-6)
    ramp = np.tile(np.linspace(0, 1, 41, dtype=np.float32), (9, 1))
    _, right = GRADIENT(jnp.asarray(ramp), sigma=math.sqrt(2))
    np.testing.assert_allclose(right[:, 20], 4.0 / 40, rtol=0.01)


def test_float64(rng):
    value = rng.random((30, 31))
    with jax.enable_x64(True):
        assert to_float(value).dtype == jnp.float64
        down, _ = GRADIENT(jnp.asarray(value), sigma=math.sqrt(2))
        expected, _ = oracle_gradient(value, math.sqrt(2))
        np.testing.assert_allclose(np.abs(down), np.abs(expected), atol=1e-14)
        np.testing.assert_array_equal(detect_edges(value, config=EXACT), oracle(value))


def test_circle_stays_inside_ring():
    y, x = np.mgrid[-20:20, -22:22]
    distance = np.hypot(y, x)
    edges = np.asarray(detect_edges((distance < 14).astype(np.float32)))
    assert np.abs(distance[edges] - 14).max() < 1.5
    labels, _ = scipy.ndimage.label(~edges)  # a closed line: inside and outside are not connected
    assert labels[20, 22] != labels[0, 0]


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("config", [EXACT, EdgeConfig()])
def test_constant_image_has_no_edges(level, config):
    with jax.debug_nans(True):
        assert not detect_edges(np.full((40, 44, 3), level, np.float32), config=config).any()


def test_floors_silence_noise_only(rng):
    noise = (0.5 + 1e-3 * rng.standard_normal((40, 44))).astype(np.float32)
    assert detect_edges(noise, config=EXACT).sum() > 50
    assert not detect_edges(noise).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2), (5, 3), (3, 3)])
def test_tiny_images(rng, shape):
    value = rng.random(shape).astype(np.float32)
    edges = detect_edges(value, config=EXACT)
    assert edges.shape == shape and edges.dtype == bool
    np.testing.assert_array_equal(edges, oracle(value))


def test_grey_equals_rgb_of_equal_channels(rng):
    grey = scene(rng, 40, 44)[..., 0]
    expected = detect_edges(grey)
    assert expected.any()
    np.testing.assert_array_equal(detect_edges(grey[..., None]), expected)
    np.testing.assert_array_equal(detect_edges(np.repeat(grey[..., None], 3, -1)), expected)
    np.testing.assert_array_equal(as_rgb(grey), np.repeat(to_float(grey)[..., None], 3, -1))


def test_integers_equal_float(rng):
    image = scene(rng, 40, 44)
    image.flat[:256] = np.arange(256)
    expected = image.astype(np.float32) / np.float32(255)
    for same in (image, image.astype(np.uint16) * 257, expected, expected.astype(np.float64)):
        np.testing.assert_array_equal(to_float(same), expected)
        np.testing.assert_array_equal(detect_edges(same), detect_edges(expected))
    assert to_float(expected.astype(np.float16)).dtype == jnp.float32


@jax.jit
@jax.vmap
def detect_batch(image, size):
    return detect_edges(image, size=(size[0], size[1]), config=EXACT)


@pytest.mark.parametrize("padding", ["zeros", "noise"])
def test_padded_equals_alone(rng, padding):
    sizes = [(40, 44), (33, 21), (48, 48), (1, 7), (5, 3)]
    # The strongest gradients are in the padding: they must not set the scale.
    photos = [scene(rng, *size) // 3 for size in sizes]
    canvas = (
        np.zeros((5, 48, 48, 3), np.uint8)
        if padding == "zeros"
        else scene(rng, 240, 48).reshape(5, 48, 48, 3)
    )
    for plane, photo in zip(canvas, photos, strict=True):
        plane[: photo.shape[0], : photo.shape[1]] = photo
    result = np.asarray(detect_batch(canvas, np.array(sizes, np.int32)))
    for edges, plane, photo, size in zip(result, canvas, photos, sizes, strict=True):
        expected = np.zeros((48, 48), bool)
        expected[: size[0], : size[1]] = detect_edges(photo, config=EXACT)
        np.testing.assert_array_equal(edges, expected)
        np.testing.assert_array_equal(detect_edges(plane, size=size, config=EXACT), expected)
    assert result[:3].any(axis=(1, 2)).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_integer_is_correctly_rounded(dtype):
    values = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(16, -1)
    expected = values.astype(np.float32) / np.float32(np.iinfo(dtype).max)
    np.testing.assert_array_equal(to_float(values), expected)
    np.testing.assert_array_equal(jax.jit(to_float)(values), expected)


def test_eager_equals_jit_equals_vmap(rng):
    images = np.stack([scene(rng, 40, 44) for _ in range(3)])
    expected = np.stack([detect_edges(image) for image in images])
    jitted = jax.jit(detect_edges)
    np.testing.assert_array_equal(np.stack([jitted(image) for image in images]), expected)
    np.testing.assert_array_equal(jax.vmap(detect_edges)(images), expected)


@pytest.mark.parametrize("density", [0.2, 0.4, 0.6])
@pytest.mark.parametrize("shape", [(20, 31), (9, 32), (12, 65), (1, 40), (40, 1)])
def test_hysteresis_equals_labels(rng, density, shape):
    weak, strong = rng.random(shape) < density, rng.random(shape) < 0.02
    np.testing.assert_array_equal(HYSTERESIS(weak, strong), oracle_hysteresis(weak, strong))


def test_hysteresis_follows_long_chains(rng):
    chain = spiral(66)
    assert chain.sum() > 2000 and scipy.ndimage.label(chain, EIGHT)[1] == 1
    start = np.zeros_like(chain)
    start[0, 0] = True
    np.testing.assert_array_equal(HYSTERESIS(chain, start), chain)

    cut = chain.copy()
    cut[0, 40] = False  # only what lies before the cut is kept, and what lies behind is not
    np.testing.assert_array_equal(HYSTERESIS(cut, start), oracle_hysteresis(cut, start))
    cut[0, 40], cut[33:36, :] = True, False
    weak = np.stack([chain, cut, chain.T, rng.random(chain.shape) < 0.4])  # some settle early, some late
    strong = np.stack([start, start, start, rng.random(chain.shape) < 0.01])
    expected = np.stack([oracle_hysteresis(w, s) for w, s in zip(weak, strong, strict=True)])
    np.testing.assert_array_equal(jax.jit(jax.vmap(hysteresis))(weak, strong), expected)


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.zeros((4, 4), np.int32), TypeError, "image must be uint8, uint16 or floating-point, got int32"),
        (np.zeros((4, 4), bool), TypeError, "got bool"),
        (np.zeros(4, np.uint8), ValueError, r"image must have shape .*, got \(4,\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), ValueError, r"got \(2, 4, 4, 3\)"),
        (np.zeros((4, 4, 2), np.uint8), ValueError, r"got \(4, 4, 2\)"),
        (np.zeros((4, 4, 4), np.uint8), ValueError, "alpha"),
        (np.zeros((0, 4), np.uint8), ValueError, "must not be empty"),
        (np.full((4, 4), 255.0), ValueError, r"within \[0, 1\], got values from 255 to 255"),
        (np.full((4, 4), -0.1), ValueError, r"within \[0, 1\]"),
        (np.full((4, 4), np.nan), ValueError, "finite"),
        (np.full((4, 4), np.inf), ValueError, "finite"),
    ],
)
def test_bad_image(image, error, message, unchecked):
    with pytest.raises(error, match=message):
        detect_edges(image)
    with pytest.raises(error, match=message):
        as_rgb(image)


def test_range_is_checked_for_constants_inside_jit():
    image = jnp.full((4, 4), 2.0)
    with pytest.raises(ValueError, match="within"):
        jax.jit(lambda: detect_edges(image))()


@pytest.mark.parametrize("size", [(0, 4), (5, 4), (4, 5), (4,), (1, 2, 3)])
def test_bad_size(size, unchecked):
    with pytest.raises(ValueError, match="size"):
        detect_edges(np.zeros((4, 4), np.uint8), size=size)
