import cv2
import jax
import jax.numpy as jnp
import numpy as np
import PIL.Image
import pytest

import jaxblur
from jaxblur import batch, estimator
from jaxblur.config import DEFAULT, PUBLISHED, TWO_STAGE, UNKNOWN_RADIUS, Config, MultiScale
from jaxblur.edges.canny import detect_edges
from jaxblur.image.size import Tiles, reflect_pad, size_bucket
from jaxblur.inputs import as_config
from jaxblur.multiscale.run import choose_propagation
from jaxblur.network import pointwise
from jaxblur.network.readout import read_levels
from jaxblur.propagation.single_scale import propagate
from tests.jaxblur.tiny import TINY, assert_same, check_contract, photo_like


@pytest.mark.parametrize("shape", [(43, 57), (1, 40), (40, 1), (1, 1), (5, 6), (64, 64)])
def test_any_size_gives_a_whole_result(shape, weights, rng):
    check_contract(estimator.estimate(photo_like(rng, *shape), weights), shape)


def test_a_photo_has_both_kinds_of_edges_and_different_readings(weights, rng):
    """The tests here would mean little for networks that say the same everywhere."""
    result = estimator.estimate(photo_like(rng, 60, 60), weights)
    assert 5 < result.depth_edges.sum() < result.edges.sum() - 20
    assert np.nanstd(result.sparse_radius) > 1e-3  # tolerances here are a hundredth of it


def test_no_edges_means_the_fallback_and_no_confidence(weights):
    result = estimator.estimate(np.full((30, 41, 3), 77, np.uint8), weights)
    check_contract(result, (30, 41))
    assert not result.edges.any() and not result.confidence.any()
    np.testing.assert_array_equal(result.radius, np.float32(UNKNOWN_RADIUS))


def test_every_pixel_an_edge(weights, rng):
    result = estimator.estimate(photo_like(rng, 31, 26), weights, edges=np.ones((31, 26), bool))
    check_contract(result, (31, 26))
    assert result.edges.all()


def test_own_edges_are_used(weights, rng):
    photo, edges = photo_like(rng, 40, 30), rng.random((40, 30)) < 0.1
    np.testing.assert_array_equal(estimator.estimate(photo, weights, edges=edges).edges, edges)


PATCHWISE = jax.jit(
    lambda variables, x, points: pointwise.classify_points_patchwise(variables, TINY, x, points)
)


@pytest.mark.parametrize("config", [TWO_STAGE, PUBLISHED], ids=["two-stage", "published"])
def test_equals_the_parts_on_the_photo_alone(config, weights, rng):
    """Buckets, tiles and masks leave no trace: patch-wise networks on the photo without any padding to a bucket."""
    way = config.propagation
    photo = photo_like(rng, 47, 35)
    values = jnp.asarray(photo / np.float32(255), jnp.float32)
    edges = np.asarray(detect_edges(values, config=config.edges))
    everywhere = np.argwhere(np.ones_like(edges)).astype(np.int32)  # one program for all edge maps
    points = np.argwhere(edges)
    margin = TINY.margin
    context = cv2.copyMakeBorder(np.asarray(values), *4 * (margin,), cv2.BORDER_REFLECT)
    out = PATCHWISE(weights.variables, context, everywhere)
    blur, depth = np.asarray(out.blur)[edges.ravel()], np.asarray(out.depth)[edges.ravel(), 1]
    best = blur.argmax(-1)
    radius = 0.5 + 0.25 * (best if way.readout == "argmax" else blur @ np.arange(23))
    reliability = [row[max(k - 1, 0) : k + 2].sum() for row, k in zip(blur, best, strict=True)]

    def plane(chosen):
        out = np.zeros(edges.shape, np.float32)
        out[tuple(points.T)] = chosen
        return jnp.asarray(out)

    weight = (depth <= 0.5) * (np.asarray(reliability) if way.weighting == "confidence" else 1.0)
    expected = propagate(
        plane(radius),
        plane(weight),
        plane(depth > 0.5),
        values,
        reliability=plane(reliability),
        config=way.filter,
    )
    result = estimator.estimate(photo, weights, config=config)
    np.testing.assert_array_equal(result.edges, edges)
    np.testing.assert_array_equal(result.depth_edges[tuple(points.T)], depth > 0.5)
    np.testing.assert_allclose(result.radius, expected[0], atol=1e-4)
    np.testing.assert_allclose(result.confidence, expected[1], atol=1e-4)


def test_result_does_not_depend_on_tiles(weights, rng):
    photo, edges = photo_like(rng, 70, 90), rng.random((70, 90)) < 0.1
    points, whole = estimator.classify_edges(photo, weights, edges)
    np.testing.assert_array_equal(points, np.argwhere(edges))
    assert size_bucket(70, 90, max_tile=64)[:2] == (2, 2)
    again, parts = estimator.classify_edges(photo, weights, edges, tile=64)
    np.testing.assert_array_equal(again, points)
    np.testing.assert_allclose(parts.blur, whole.blur, atol=1e-5)
    np.testing.assert_allclose(parts.depth, whole.depth, atol=1e-5)


@pytest.mark.parametrize("height, width", [(1, 1), (64, 65), (512, 513), (4000, 6000), (1030, 1)])
def test_bucket_holds_the_photo(height, width):
    rows, cols, tile_height, tile_width = size_bucket(height, width)
    assert rows * tile_height >= height and cols * tile_width >= width
    assert max(tile_height, tile_width) <= 512 and tile_height % 64 == tile_width % 64 == 0
    assert rows * tile_height < height + 64 * rows and cols * tile_width < width + 64 * cols


def test_batch_equals_one_by_one(weights, rng):
    photos = [photo_like(rng, *shape) for shape in [(20, 30), (33, 25), (64, 64)]]
    edges = [rng.random(photo.shape[:2]) < 0.2 for photo in photos]
    results = batch.estimate_batch(photos, weights, edges=edges)
    for got, photo, mask in zip(results, photos, edges, strict=True):
        check_contract(got, photo.shape[:2])
        assert_same(got, estimator.estimate(photo, weights, edges=mask))
    assert batch.estimate_batch([], weights) == []


ONE_NAN = np.pad(
    np.full((1, 1, 3), np.nan), ((300, 9), (200, 9), (0, 0))
)  # too large for one vector of XLA's
PHOTO, EDGES = np.zeros((6, 7, 3), np.uint8), np.zeros((6, 7), bool)


@pytest.mark.parametrize(
    "image, edges, error, message",
    [
        (PHOTO, EDGES.astype(np.uint8), TypeError, "edges must be bool, got uint8"),
        (PHOTO, EDGES.T, ValueError, r"edges must have the photo's height and width \(6, 7\), got \(7, 6\)"),
        (np.zeros((6, 7, 4), np.uint8), None, ValueError, "image must be grey or RGB, got four channels"),
        (np.full((6, 7, 3), np.nan), None, ValueError, r"image must be finite and within \[0, 1\]"),
        (
            np.pad(np.full((1, 1, 3), np.nan), ((300, 9), (200, 9), (0, 0))),
            None,
            ValueError,
            r"got nan at \(300, 200, 0\)",
        ),
        (None, None, TypeError, "image must be an array, a path or a Pillow image, got None .cv2.imread"),
        ([[1, 2]], None, TypeError, "image must be a NumPy or JAX array, a path or a Pillow image, got list"),
        ("missing.jpg", None, OSError, "missing.jpg"),
        (PHOTO * 1.0 + 2.0, None, ValueError, r"within \[0, 1\], got values from 2 to 2"),
        (PHOTO[None], None, ValueError, "image must have shape .*, got .1, 6, 7, 3."),
        (PHOTO[0, 0], None, ValueError, "image must have shape .*, got .3,."),
        (PHOTO[:0], None, ValueError, "image must not be empty"),
        (PHOTO.astype(np.int32), None, TypeError, "image must be uint8, uint16 or floating-point, got int32"),
    ],
)
def test_bad_input_is_refused_in_one_line(image, edges, error, message, weights, unchecked):
    with pytest.raises(error, match=message) as one:
        estimator.estimate(image, weights, edges=edges)
    with pytest.raises(error, match=message) as many:
        batch.estimate_batch([image], weights, edges=None if edges is None else [edges])
    assert "\n" not in str(one.value) + str(many.value)


def test_batch_needs_as_many_edge_maps(weights):
    with pytest.raises(ValueError, match=r"edges must be as many as images \(2\), got 1"):
        batch.estimate_batch([PHOTO, PHOTO], weights, edges=[EDGES])


def test_radius_is_differentiable_in_the_photo(weights, rng):
    image = np.zeros((64, 64, 3), np.float32)
    image[:30, :40] = photo_like(rng, 30, 40) / 255
    edges = jnp.asarray(rng.random((64, 64)) < 0.1)
    size = jnp.asarray([30, 40], jnp.int32)

    def mean_radius(image):
        result = estimator.estimate_padded(weights, image, size, edges, tiles=Tiles(1, 1, 64, 64))
        return result.radius[:30, :40].mean()

    gradient = np.asarray(jax.jit(jax.grad(mean_radius))(jnp.asarray(image)))
    assert np.isfinite(gradient).all() and np.abs(gradient[:30, :40]).max() > 1e-6
    assert not gradient[30:].any() and not gradient[:, 40:].any()


@pytest.mark.parametrize("shape", [(9, 12), (5, 3), (1, 1), (2, 16)])
def test_reflect_pad_is_that_of_opencv(shape, rng):
    photo = rng.random((*shape, 3)).astype(np.float32)
    bucket = np.full((16, 16, 3), np.nan, np.float32)
    bucket[: shape[0], : shape[1]] = photo
    expected = cv2.copyMakeBorder(photo, *4 * (11,), cv2.BORDER_REFLECT)
    got = reflect_pad(jnp.asarray(bucket), jnp.asarray(shape, jnp.int32), margin=11)
    assert got.shape == (38, 38, 3) and np.isfinite(got).all()
    np.testing.assert_array_equal(got[: shape[0] + 22, : shape[1] + 22], expected)


@pytest.mark.parametrize("readout", ["argmax", "expectation"])
def test_read_levels(readout, rng):
    levels = (0.5, 1.0, 2.0, 4.0)
    probabilities = rng.dirichlet([0.5] * 4, size=9).astype(np.float32)
    radius, deviation, reliability = read_levels(jnp.asarray(probabilities), levels, readout=readout)
    for p, r, s, sure in zip(probabilities, *map(np.asarray, (radius, deviation, reliability)), strict=True):
        k = int(np.argmax(p))
        wanted = levels[k] if readout == "argmax" else sum(a * b for a, b in zip(p, levels, strict=True))
        np.testing.assert_allclose(r, wanted, rtol=1e-6)
        mean = np.dot(p, levels)
        np.testing.assert_allclose(s, max(np.sqrt(np.dot(p, (levels - mean) ** 2)), 1e-3), rtol=1e-5)
        np.testing.assert_allclose(sure, p[max(k - 1, 0) : k + 2].sum(), rtol=1e-6)


def test_golden_map_of_the_published_system(shared):
    reference = shared / "reference"
    golden = np.load(reference / "golden_01.npz")
    image = cv2.imread(str(reference / "image_01.png"))[..., ::-1]
    edges = cv2.imread(str(reference / "edge_01.png"), cv2.IMREAD_GRAYSCALE) > 0
    published = jaxblur.load_weights(reference / "published")
    result = jaxblur.estimate(image, published, edges=edges, config=PUBLISHED)
    check_contract(result, image.shape[:2])
    np.testing.assert_array_equal(result.depth_edges, golden["depth_edges"])
    near = np.abs(result.radius - golden["radius"]) <= 1e-3
    assert near.mean() >= 0.999


def test_types_agree(weights, rng, traces):
    photo = photo_like(rng, 37, 45)
    wanted = photo[..., 1] / np.float32(255)
    for same in (photo, photo.astype(np.uint16) * 257, photo / np.float64(255), jnp.asarray(photo)):
        np.testing.assert_allclose(estimator.estimate(same, weights).radius, wanted, atol=1e-7)
    for grey in (photo[..., 1], photo[..., 1:2], photo[..., 1] / 255):
        np.testing.assert_allclose(estimator.estimate(grey, weights).radius, wanted, atol=1e-7)


def test_batch_of_mixed_sizes_and_types_keeps_the_order(weights, rng, traces):
    shapes = [(20, 30), (70, 20), (33, 25), (64, 64), (21, 31)] + 9 * [(5, 7)]
    photos = [photo_like(rng, *shape) for shape in shapes]
    photos[2] = (photos[2] / 255).astype(np.float32)
    for got, photo in zip(batch.estimate_batch(photos, weights), photos, strict=True):
        wanted = photo[..., 1] if photo.dtype == np.float32 else photo[..., 1] / np.float32(255)
        np.testing.assert_allclose(got.radius, wanted, atol=1e-7)
    assert sorted(traces) == [(1, 1, 64, 64), (1, 1, 64, 64), (1, 1, 128, 64)]


def test_photos_of_one_bucket_share_one_program(weights, rng, traces):
    for shape in [(40, 50), (40, 50), (33, 64), (1, 7)]:
        estimator.estimate(photo_like(rng, *shape), weights)
    assert traces == [(1, 1, 64, 64)]
    estimator.estimate(photo_like(rng, 10, 65), weights)
    assert traces == [(1, 1, 64, 64), (1, 1, 64, 128)]


def test_photos_come_as_paths_and_pillow_images(weights, rng, traces, tmp_path):
    photo = photo_like(rng, 20, 30)
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), photo[..., ::-1])
    wanted = photo[..., 1] / np.float32(255)
    palette = PIL.Image.fromarray(photo).quantize(256)
    for same in (path, str(path), PIL.Image.open(path), PIL.Image.fromarray(photo).convert("RGBA")):
        np.testing.assert_allclose(estimator.estimate(same, weights).radius, wanted, atol=1e-7)
    colours = np.asarray(palette.convert("RGB"))[..., 1] / np.float32(255)  # not the indices of the palette
    np.testing.assert_allclose(estimator.estimate(palette, weights).radius, colours, atol=1e-7)
    with pytest.raises(ValueError, match="Pillow images of mode F have no fixed range"):
        estimator.estimate(PIL.Image.fromarray(photo[..., 0].astype(np.float32)), weights)


def test_weights_settings_and_memory_by_name(weights, rng, traces, tmp_path, unchecked):
    path, photo = tmp_path / "tiny.safetensors", photo_like(rng, 20, 30)
    jaxblur.save_weights(path, weights)
    wanted = estimator.estimate(photo, weights)
    for given in (path, str(path), None):
        assert_same(estimator.estimate(photo, given, config="published", max_memory="4GB"), wanted)
    assert "\n" not in repr(weights) and len(repr(weights)) < 100
    for arguments, error, message in [
        ({"config": "fast"}, ValueError, "one of the presets default, two-stage, published, got 'fast'"),
        ({"config": 3}, TypeError, "config must be a jaxblur.Config or the name of a preset, got int"),
        ({"weights": {}}, TypeError, "weights must be what load_weights returns, a path, or None, got dict"),
        ({"max_memory": "lots"}, ValueError, "max_memory must be a number with a unit"),
        ({"max_memory": -1}, ValueError, "max_memory must be positive, got -1"),
    ]:
        with pytest.raises(error, match=message):
            estimator.estimate(photo, **{"weights": weights} | arguments)


def test_settings_that_cannot_act_are_refused(weights, multiscale_weights, rng, unchecked):
    asked = Config(propagation=MultiScale())
    with pytest.raises(ValueError, match="these weights have no parameters for multiscale fusion"):
        estimator.estimate(photo_like(rng, 20, 30), weights, config=asked)
    assert choose_propagation(DEFAULT, multiscale_weights) == MultiScale()
    assert choose_propagation(DEFAULT, weights) == TWO_STAGE.propagation
    with pytest.raises(
        ValueError, match=r"propagation must be SingleScale\(...\), MultiScale\(...\) or None"
    ):
        Config(propagation="multiscale")  # type: ignore[arg-type]
    assert as_config(None) == DEFAULT


def test_pictures_that_use_little_of_their_range(weights, rng, traces):
    """Twelve bits in sixteen: warned of, and stretched where that is asked for."""
    photo = photo_like(rng, 20, 30)
    narrow = photo.astype(np.uint16) * 4 + 100
    with pytest.warns(UserWarning, match="its values, 10. to 11.., fill little of 0 to 65535"):
        estimator.estimate(narrow, weights)
    stretched = (photo[..., 1] - 0.0) / 255
    for levels in ("auto", (100, 100 + 4 * 255)):
        radius = estimator.estimate(narrow, weights, levels=levels).radius
        np.testing.assert_allclose(radius, stretched, atol=0.01)
    with pytest.raises(ValueError, match="levels must be a black below a white"):
        estimator.estimate(narrow, weights, levels=(5, 5))
