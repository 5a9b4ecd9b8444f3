"""What every propagation must do, and each against a slow or closed form."""

import importlib.util

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import jaxblur
from eval.methods.propagations import PROPAGATIONS, fgs, guided, matting

HAS_MATTING = importlib.util.find_spec("pymatting") is not None
NAMES = [
    pytest.param(name, marks=pytest.mark.skipif(name == "matting" and not HAS_MATTING, reason="an extra"))
    for name in PROPAGATIONS
]


def _two_halves(rng, shape=(48, 66)):
    """A photo of two flats, and scattered readings of 1 px on the dark one and of 4 px on the other."""
    left = np.broadcast_to(np.arange(shape[1]) < shape[1] // 2, shape)
    image = np.where(left, 0.2, 0.8).astype(np.float32)[..., None].repeat(3, -1)
    weight = (rng.random(shape) < 0.1).astype(np.float32)
    radius = np.where(weight > 0, np.where(left, 1.0, 4.0), np.nan).astype(np.float32)
    return radius, weight, np.zeros(shape, np.float32), image, left


@pytest.mark.parametrize("name", NAMES)
def test_readings_fill_their_side_of_an_edge(name, rng):
    radius, weight, depth, image, left = _two_halves(rng)
    found, confidence = PROPAGATIONS[name](np.nan_to_num(radius), weight, depth, image)
    found = np.asarray(found)
    assert found.shape == left.shape and np.isfinite(found).all() and found.min() >= 0
    assert np.median(found[left]) < 2 and np.median(found[~left]) > 3
    assert confidence is None or (confidence.min() >= 0 and confidence.max() <= 1)


@pytest.mark.parametrize("name", NAMES)
def test_equal_readings_give_their_value_everywhere(name, rng):
    shape = (37, 45)
    weight = (rng.random(shape) < 0.15) * rng.random(shape)
    image = rng.random((*shape, 3)).astype(np.float32)
    planes = (np.full(shape, 2.5), weight, np.zeros(shape))
    found, _ = PROPAGATIONS[name](*(plane.astype(np.float32) for plane in planes), image)
    np.testing.assert_allclose(found, 2.5, atol=0.01)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (20, 31)])
def test_a_photo_without_readings_has_a_map_all_the_same(name, shape):
    empty = np.zeros(shape, np.float32)
    found, confidence = PROPAGATIONS[name](empty, empty, empty, np.full((*shape, 3), 0.5, np.float32))
    assert np.shape(found) == shape and np.isfinite(found).all()
    assert confidence is None or not np.any(confidence)


def test_domain_transform_is_that_of_the_library(rng):
    radius, weight, depth, image, _ = _two_halves(rng)
    depth[:, 30] = 1
    radius = np.nan_to_num(radius)
    found = PROPAGATIONS["domain-transform"](radius, weight, depth, image)
    expected = jaxblur.propagate(*map(jnp.asarray, (radius, weight, depth, image)))
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-5)


def _guided_slowly(radius, weight, grey, reach):
    """The equations of `guided`, window by window."""
    height, width = radius.shape
    fits = np.zeros((height, width, 3))
    for row in range(height):
        for col in range(width):
            near = np.s_[max(row - reach, 0) : row + reach + 1, max(col - reach, 0) : col + reach + 1]
            w, i, r = (plane[near].ravel() for plane in (weight, grey, radius))
            if w.sum() > 0:
                mean_i, mean_r = np.average(i, weights=w), np.average(r, weights=w)
                slope = np.average((i - mean_i) * (r - mean_r), weights=w)
                slope /= np.average((i - mean_i) ** 2, weights=w) + guided.EPSILON
                fits[row, col] = w.sum(), slope, mean_r - slope * mean_i
    result = np.zeros((height, width))
    for row in range(height):
        for col in range(width):
            near = np.s_[max(row - reach, 0) : row + reach + 1, max(col - reach, 0) : col + reach + 1]
            count, slope, offset = (fits[near][..., k] for k in range(3))
            result[row, col] = (count * (slope * grey[row, col] + offset)).sum() / count.sum()
    return result


def test_guided_filter_is_that_of_a_slow_form(rng):
    shape = (24, 26)
    grey = rng.random(shape)
    weight = rng.random(shape) * (rng.random(shape) < 0.7)
    radius = 1 + 3 * rng.random(shape)
    image = grey[..., None].repeat(3, -1).astype(np.float32)
    found, _ = guided.propagate(
        radius.astype(np.float32), weight.astype(np.float32), np.zeros(shape, np.float32), image
    )
    expected = _guided_slowly(radius, weight, grey, reach=3)
    read = radius[weight > 0]
    np.testing.assert_allclose(found, np.clip(expected, read.min(), read.max()), atol=2e-3)


def test_fgs_solves_its_system(rng):
    signals = rng.random((2, 5, 9))
    coupling = 4 * rng.random((5, 9))
    found = np.asarray(fgs.smooth_rows(jnp.asarray(signals, jnp.float32), jnp.asarray(coupling, jnp.float32)))
    for row in range(5):
        c = coupling[row, 1:]
        matrix = np.diag(1 + np.append(c, 0) + np.append(0, c)) - np.diag(c, 1) - np.diag(c, -1)
        for k in range(2):
            expected = scipy.linalg.solve(matrix, signals[k, row])
            np.testing.assert_allclose(found[k, row], expected, rtol=1e-4)


def test_fgs_does_not_cross_a_depth_edge(rng):
    radius, weight, depth, image, left = _two_halves(rng)
    image[:] = 0.5  # so nothing else stops it
    depth[:, left.shape[1] // 2] = 1
    found, _ = fgs.propagate(np.nan_to_num(radius), weight, depth, image)
    np.testing.assert_allclose(np.where(left, found, 1), 1, atol=0.02)


@pytest.mark.skipif(not HAS_MATTING, reason="an extra")
def test_matting_solves_its_system(rng):
    """Against a Laplacian written out window by window, after Levin et al. 2008, and a dense solver."""
    shape = (9, 10)
    image = rng.random((*shape, 3)).astype(np.float32)
    weight = (rng.random(shape) < 0.4).astype(np.float32)
    radius = (1 + 4 * rng.random(shape)).astype(np.float32)
    number = np.arange(radius.size).reshape(shape)
    laplacian = np.zeros((radius.size, radius.size))
    for row in range(1, shape[0] - 1):
        for col in range(1, shape[1] - 1):
            near = np.s_[row - 1 : row + 2, col - 1 : col + 2]
            colours, who = image[near].reshape(9, 3).astype(np.float64), number[near].ravel()
            away = colours - colours.mean(0)
            inner = np.linalg.inv(away.T @ away / 9 + matting.EPSILON / 9 * np.eye(3))
            laplacian[np.ix_(who, who)] += np.eye(9) - (1 + away @ inner @ away.T) / 9
    diagonal = np.diag(weight.ravel().astype(np.float64))
    matrix = laplacian + matting.CONSTRAINT * diagonal
    expected = np.linalg.solve(matrix, matting.CONSTRAINT * diagonal @ radius.ravel())
    found, _ = matting.propagate(radius, weight, np.zeros(shape, np.float32), image)
    read = radius[weight > 0]
    np.testing.assert_allclose(found.ravel(), np.clip(expected, read.min(), read.max()), atol=0.03)


def test_matting_says_what_it_lacks(monkeypatch):
    monkeypatch.setattr(matting.importlib, "import_module", _missing)
    with pytest.raises(ValueError, match="matting: needs the package pymatting"):
        matting.propagate(*np.ones((3, 5, 5), np.float32), np.ones((5, 5, 3), np.float32))


def _missing(name):
    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
