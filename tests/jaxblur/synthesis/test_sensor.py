import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxblur.synthesis import add_noise, jpeg, linear_to_srgb, quantise, sharpen, soften, srgb_to_linear

noisy = jax.jit(add_noise, static_argnames="linear_light")
compress = jax.jit(jpeg, static_argnames="subsample")

BINOMIAL = np.outer([1, 2, 1], [1, 2, 1]) / 16


def average(plane):
    return ndimage.correlate(plane, BINOMIAL, mode="nearest")


def split_luma(image):
    """Luma (H, W), and the colour differences that carry all the chroma, in float64."""
    luma = np.asarray(image, np.float64) @ [0.299, 0.587, 0.114]
    return luma, np.asarray(image, np.float64) - luma[..., None]


def soften_oracle(image, luma, chroma):
    brightness, colour = split_luma(image)
    softer = np.stack([average(colour[..., c]) for c in range(3)], -1)
    brightness = (1 - luma) * brightness + luma * average(brightness)
    return brightness[..., None] + (1 - chroma) * colour + chroma * softer


def sharpen_oracle(image, strength):
    brightness, _ = split_luma(image)
    detail = brightness - average(average(brightness))
    return image + strength * detail[..., None]


def cv2_jpeg(image, quality, subsample):
    factor = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if subsample else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    pixels = np.ascontiguousarray(np.rint(image * 255).astype(np.uint8)[..., ::-1])
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    return cv2.imdecode(cv2.imencode(".jpg", pixels, options)[1], cv2.IMREAD_COLOR)[..., ::-1] / np.float32(
        255
    )


@pytest.fixture
def photo(rng):
    """Texture of several scales with coloured hard edges, of a size that leaves partial blocks."""
    coarse = cv2.GaussianBlur(rng.random((53, 61, 3), np.float32), (0, 0), 4)
    fine = cv2.GaussianBlur(rng.random((53, 61, 3), np.float32), (0, 0), 1)
    image = 0.5 + 6 * (coarse - 0.5) + (fine - 0.5)
    image[20:40, 15:33] = [0.9, 0.2, 0.1]
    return (np.rint(np.clip(image, 0, 1) * 255) / 255).astype(np.float32)


@pytest.mark.parametrize("read, shot", [(0.02, 0.0), (0.0, 0.05), (0.01, 0.04)])
def test_noise_has_the_mean_and_variance_asked_for(key, read, shot):
    for value in (0.1, 0.7):
        image = jnp.full((150, 150, 3), value, jnp.float32)
        noise = np.asarray(noisy(key, image, read=read, shot=shot)) - value
        variance = read**2 + shot**2 * value
        assert abs(noise.mean()) < 4 * np.sqrt(variance / noise.size)
        np.testing.assert_allclose(noise.var(), variance, rtol=4 * np.sqrt(2 / noise.size))
        assert abs((noise[1:] * noise[:-1]).mean() / variance) < 0.02  # independent


def test_noise_in_linear_light(key):
    image = jnp.full((150, 150, 3), 0.6, jnp.float32)
    result = noisy(key, image, read=0.01, shot=0.05, linear_light=True)
    light = np.asarray(srgb_to_linear(result))
    level = float(srgb_to_linear(jnp.float32(0.6)))
    np.testing.assert_allclose(light.mean(), level, atol=3e-4)
    np.testing.assert_allclose(light.var(), 0.01**2 + 0.05**2 * level, rtol=0.02)


def test_no_noise_and_black_leave_the_image(key, rng):
    image = jnp.asarray(rng.random((7, 9, 3), np.float32))
    np.testing.assert_array_equal(noisy(key, image, read=0.0, shot=0.0), image)
    np.testing.assert_array_equal(
        noisy(key, jnp.zeros_like(image), read=0.0, shot=0.1), jnp.zeros_like(image)
    )
    slope = jax.jit(jax.grad(lambda i: jnp.sum(add_noise(key, i, read=0.0, shot=0.1))))(jnp.zeros_like(image))
    assert np.isfinite(slope).all()


def test_noise_eager_jit_vmap_agree(key, rng):
    images = jnp.asarray(rng.random((3, 8, 5, 3), np.float32))
    keys = jax.random.split(key, 3)
    read = jnp.asarray([0.0, 0.02, 0.1], jnp.float32)
    linear = np.array([True, False, True])

    def one(key, image, read, linear):
        return add_noise(key, image, read=read, shot=2 * read, linear_light=linear)

    batch = jax.jit(jax.vmap(one))(keys, images, read, jnp.asarray(linear))
    for i in (0, 2):
        eager = add_noise(
            keys[i], images[i], read=float(read[i]), shot=2 * float(read[i]), linear_light=bool(linear[i])
        )
        np.testing.assert_allclose(batch[i], eager, atol=2e-6)
    assert np.abs(batch[1] - batch[2]).max() > 0.1  # keys differ


def test_quantise():
    values = jnp.asarray([-0.2, 0.0, 0.4 / 255, 0.6 / 255, 100 / 255, 1.0, 1.3], jnp.float32)
    np.testing.assert_allclose(quantise(values) * 255, [0, 0, 0, 1, 100, 255, 255], atol=1e-4)
    np.testing.assert_array_equal(quantise(quantise(values)), quantise(values))


@pytest.mark.parametrize("subsample", [True, False])
def test_jpeg_agrees_with_libjpeg(photo, subsample):
    for quality in (5, 30, 49, 50, 75, 90, 97, 100):
        expected = cv2_jpeg(photo, quality, subsample)
        result = np.asarray(compress(jnp.asarray(photo), float(quality), subsample=subsample))
        difference = np.abs(result - expected)
        assert difference.mean() * 255 < 0.7, quality
        assert difference.mean() < (0.2 if quality < 90 else 0.75) * np.abs(expected - photo).mean(), quality
        # Above all the error it makes is the same error.
        if quality < 90:
            assert np.corrcoef((result - photo).ravel(), (expected - photo).ravel())[0, 1] > 0.97, quality


@pytest.mark.parametrize("shape", [(1, 1, 3), (8, 1, 3), (17, 24, 3), (28, 10, 3)])
def test_jpeg_of_any_size_in_range_and_in_whole_steps(rng, shape):
    image = rng.random(shape, np.float32)
    result = np.asarray(compress(jnp.asarray(image), 60.0))
    assert result.shape == shape and result.dtype == np.float32
    np.testing.assert_allclose(result * 255, np.rint(result * 255), atol=1e-4)
    assert result.min() >= 0 and result.max() <= 1
    if shape[1] > 4:  # libjpeg doubles chroma of fewer columns without interpolation
        expected = cv2_jpeg(np.rint(image * 255) / 255, 60, True)
        assert np.abs(result - expected).mean() < 0.1 * np.abs(expected - image).mean()


def test_jpeg_of_grey_constant_and_clipped_images():
    for value, expected in ((0.0, 0.0), (128 / 255, 128 / 255), (1.0, 1.0), (1.7, 1.0), (-0.3, 0.0)):
        image = jnp.full((17, 24, 3), value, jnp.float32)
        np.testing.assert_allclose(compress(image, 90.0), jnp.full_like(image, expected), atol=1e-6)


@pytest.mark.parametrize("shape", [(11, 14, 3), (7, 1, 3), (1, 1, 3)])
def test_softening_and_sharpening_equal_the_oracles(rng, shape):
    image = rng.random(shape, np.float32)
    for luma, chroma in ((0.3, 0.9), (1.0, 0.0), (0.0, 1.0)):
        result = jax.jit(soften)(jnp.asarray(image), luma=luma, chroma=chroma)
        assert result.dtype == jnp.float32
        np.testing.assert_allclose(result, soften_oracle(image, luma, chroma), atol=2e-6)
        np.testing.assert_allclose(soften(jnp.asarray(image), luma=luma, chroma=chroma), result, atol=1e-6)
    result = jax.jit(sharpen)(jnp.asarray(image), strength=0.7)
    np.testing.assert_allclose(result, sharpen_oracle(image, 0.7), atol=2e-6)
    np.testing.assert_allclose(sharpen(jnp.asarray(image), strength=0.7), result, atol=1e-6)


def test_softening_and_sharpening_of_strength_0_and_of_a_constant(rng):
    image = jnp.asarray(rng.random((6, 5, 3), np.float32))
    np.testing.assert_allclose(soften(image, luma=0.0, chroma=0.0), image, atol=1e-6)
    np.testing.assert_array_equal(sharpen(image, strength=0.0), image)
    constant = jnp.full((6, 5, 3), 0.3, jnp.float32)
    np.testing.assert_allclose(soften(constant, luma=1.0, chroma=1.0), constant, atol=1e-6)
    np.testing.assert_allclose(sharpen(constant, strength=2.0), constant, atol=1e-6)


def test_softening_and_sharpening_under_vmap(rng):
    images = jnp.asarray(rng.random((2, 6, 5, 3), np.float32))
    strength = jnp.asarray([0.2, 0.8], jnp.float32)
    softer = jax.vmap(lambda image, s: soften(image, luma=s, chroma=1 - s))(images, strength)
    sharper = jax.vmap(lambda image, s: sharpen(image, strength=s))(images, strength)
    for i, s in enumerate((0.2, 0.8)):
        np.testing.assert_allclose(softer[i], soften_oracle(images[i], s, 1 - s), atol=2e-6)
        np.testing.assert_allclose(sharper[i], sharpen_oracle(np.asarray(images[i]), s), atol=2e-6)


def test_jpeg_above_100_returns_the_image(rng):
    image = jnp.asarray(rng.random((17, 24, 3), np.float32))
    np.testing.assert_array_equal(compress(image, 101.0), image)
    np.testing.assert_array_equal(compress(image, np.inf), image)


def test_jpeg_eager_jit_vmap_agree(photo):
    images = jnp.stack([jnp.asarray(photo[:19, :18]), jnp.asarray(photo[20:39, 20:38])] * 2)
    quality = jnp.asarray([30.0, 85.0, 101.0, 100.0], jnp.float32)
    subsample = np.array([True, False, True, False])
    batch = jax.jit(jax.vmap(lambda i, q, s: jpeg(i, q, subsample=s)))(
        images, quality, jnp.asarray(subsample)
    )
    for i in range(4):
        run = jpeg if i == 0 else compress
        eager = run(images[i], float(quality[i]), subsample=bool(subsample[i]))
        # A value at a half may round either way.
        assert (np.abs(batch[i] - eager) > 1e-5).mean() < 0.01
        assert np.abs(batch[i] - eager).mean() < 1e-4


def test_float64_in_float64_out(key, rng):
    with jax.enable_x64(True):
        image = jnp.asarray(rng.random((9, 9, 3)))
        assert compress(noisy(key, image, read=0.1, shot=0.1, linear_light=True), 80.0).dtype == jnp.float64


def test_linear_to_srgb_takes_noise_below_black():
    assert float(linear_to_srgb(jnp.float32(-0.01))) == pytest.approx(-0.1292, abs=1e-6)


def test_bad_arguments(key, unchecked):
    image = jnp.zeros((8, 8, 3), jnp.float32)
    with pytest.raises(ValueError, match="read must be at least 0, got -1.0"):
        add_noise(key, image, read=-1.0)
    with pytest.raises(ValueError, match="shot must be at least 0, got nan"):
        add_noise(key, image, read=0.0, shot=float("nan"))
    with pytest.raises(ValueError, match=r"image must have shape \(H, W, C\), got \(8, 8\)"):
        add_noise(key, image[..., 0], read=0.0)
    with pytest.raises(ValueError, match="quality must be at least 1, got 0.0"):
        jpeg(image, 0)
    with pytest.raises(ValueError, match="image must have 3 channels, got 1"):
        jpeg(image[..., :1], 50)
    with pytest.raises(ValueError, match=r"luma must be in \[0, 1\], got 1.5"):
        soften(image, luma=1.5, chroma=0.0)
    with pytest.raises(ValueError, match=r"chroma must be in \[0, 1\], got nan"):
        soften(image, luma=0.5, chroma=float("nan"))
    with pytest.raises(ValueError, match="strength must be at least 0, got -0.1"):
        sharpen(image, strength=-0.1)
    with pytest.raises(ValueError, match="image must have 3 channels, got 1"):
        sharpen(image[..., :1], strength=1.0)
    calls = (
        quantise,
        lambda i: jpeg(i, 50),
        lambda i: add_noise(key, i, read=0.0),
        lambda i: soften(i, luma=0.1, chroma=0.1),
        lambda i: sharpen(i, strength=0.1),
    )
    for call in calls:
        with pytest.raises(TypeError, match="image must hold floating-point numbers, got uint8"):
            call(image.astype(jnp.uint8))
