import numpy as np
import pytest

from train.data import shapes


def test_fill_is_the_covered_part_of_each_pixel():
    square = np.array([[2.0, 3.0], [6.5, 3.0], [6.5, 7.25], [2.0, 7.25]])
    col = np.clip(np.minimum(np.arange(10) + 1, 6.5) - np.maximum(np.arange(10), 2.0), 0, 1)
    row = np.clip(np.minimum(np.arange(10) + 1, 7.25) - np.maximum(np.arange(10), 3.0), 0, 1)
    coverage = shapes.fill([square], 10) / 255
    # OpenCV fills a polygon's border too: up to a quarter of a pixel more, never less.
    assert (coverage >= np.outer(row, col) - 0.01).all()
    assert (coverage <= np.outer(row, col) + 0.5).all()
    assert (coverage[4:6, 3:5] == 1).all()
    assert (coverage[:2] == 0).all()


def test_fill_is_a_union():
    square = np.array([[2.0, 2.0], [8.0, 2.0], [8.0, 8.0], [2.0, 8.0]])
    np.testing.assert_array_equal(shapes.fill([square, square], 10), shapes.fill([square], 10))


def test_fill_is_unbiased_over_slanted_edges(rng):
    areas = []
    for _ in range(20):
        angle = rng.uniform(0, 2 * np.pi) + np.linspace(0, 2 * np.pi, 60, endpoint=False)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1) * 12 + rng.uniform(18, 22, size=2)
        areas.append(shapes.fill([circle], 40).sum() / 255)
    assert np.mean(areas) == pytest.approx(np.pi * 144, rel=0.05)


def test_random_shapes_cover_a_part_with_antialiased_borders(rng):
    alphas = [shapes.random_shape(rng, 48) for _ in range(120)]
    covered = np.array([alpha.mean() / 255 for alpha in alphas])
    assert all(alpha.shape == (48, 48) and alpha.dtype == np.uint8 for alpha in alphas)
    assert ((covered > 0.05) & (covered < 0.95)).all()
    between = [((alpha > 0) & (alpha < 255)).mean() for alpha in alphas]
    assert np.mean(between) > 0.01  # soft pixels, but along borders only
    assert np.median(between) < 0.1


@pytest.mark.parametrize("kind", ["_half_plane", "_blob", "_polygon", "_bars", "_holes", "_letters"])
def test_every_kind_has_both_sides_most_of_the_time(kind, rng):
    alphas = [getattr(shapes, kind)(rng, 48) for _ in range(30)]
    assert np.mean([(alpha == 255).any() and (alpha == 0).any() for alpha in alphas]) > 0.8


def test_the_fallback_always_covers_a_part(rng):
    for _ in range(100):
        assert 0.08 < shapes._half_plane(rng, 48).mean() / 255 < 0.92
