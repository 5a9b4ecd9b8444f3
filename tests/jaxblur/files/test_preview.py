import numpy as np
import pytest

from jaxblur.files import preview


def test_colours_have_a_fixed_range_and_saturate():
    low, mid, high, beyond, below = preview.colour_map(np.float32([0, 6, 48, 60, -1]))
    np.testing.assert_allclose(low, (68, 1, 84), atol=1)  # the two ends of viridis
    np.testing.assert_allclose(high, (253, 231, 37), atol=1)
    np.testing.assert_array_equal(beyond, high)
    np.testing.assert_array_equal(below, low)
    assert abs(mid.astype(int) - (33, 145, 140)).max() <= 3
    assert preview.colour_map(np.zeros((4, 5))).shape == (4, 5, 3)
    assert preview.colour_map(np.zeros(0)).shape == (0, 3)


@pytest.mark.parametrize("size", [(40, 48), (48, 40), (1, 60), (60, 1), (1, 1), (900, 1700), (3000, 20)])
def test_any_size_is_drawn_within_1600_px(size):
    image = np.full((*size, 3), 100, np.uint8)
    plane, nothing = np.ones(size, np.float32), np.zeros(size, bool)
    edges = nothing.copy()
    edges[size[0] // 2, size[1] // 2] = True
    for drawn in (
        preview.draw_preview(image, plane, plane, title="name"),
        preview.draw_overlay(image, edges, nothing, np.where(edges, plane, np.nan), title="name"),
        preview.draw_overlay(image, edges, edges, np.full(size, np.nan), title="name"),
    ):
        assert drawn.dtype == np.uint8 and drawn.shape[2] == 3
        assert 300 < drawn.shape[1] <= 1600 and drawn.shape[0] <= 1300


def count(picture: np.ndarray, colour: np.ndarray) -> int:
    return int((picture == colour).all(-1).sum())


def test_preview_shows_the_photo_and_the_map_at_their_size():
    image = np.full((400, 500, 3), (10, 200, 30), np.uint8)
    radius, sure = np.full((400, 500), 4.0, np.float32), np.ones((400, 500), np.float32)
    colour = preview.colour_map(np.float32(4))
    drawn = preview.draw_preview(image, radius, sure)
    assert count(drawn, image[0, 0]) == 400 * 500
    assert (
        400 * 500 <= count(drawn, colour) <= 400 * 500 + 18 * 3
    )  # the map, and a line or two of the colour bar


def test_low_confidence_is_hatched_and_nothing_else():
    image = np.zeros((400, 500, 3), np.uint8)
    radius, confidence = np.full((400, 500), 4.0, np.float32), np.ones((400, 500), np.float32)
    colour = preview.colour_map(np.float32(4))
    whole = count(preview.draw_preview(image, radius, confidence), colour)
    confidence[:, :250] = 0
    hatched = whole - count(preview.draw_preview(image, radius, confidence), colour)
    assert 0.15 < hatched / (400 * 250) < 0.3


@pytest.mark.parametrize("kind", ["grey", "uint16", "float"])
def test_photos_of_all_kinds_look_the_same(rng, kind):
    image = np.repeat(rng.integers(0, 256, (20, 30, 1), dtype=np.uint8), 3, axis=-1)
    same = {"grey": image[..., 0], "uint16": image.astype(np.uint16) * 257, "float": image / np.float32(255)}[
        kind
    ]
    plane = np.ones((20, 30), np.float32)
    np.testing.assert_array_equal(
        preview.draw_preview(same, plane, plane), preview.draw_preview(image, plane, plane)
    )


def test_overlay_keeps_every_edge_when_reduced_and_enlarged():
    for size in ((30, 40), (1400, 1600)):
        edges, depth = np.zeros(size, bool), np.zeros(size, bool)
        edges[10, 10] = depth[20, 20] = True
        radius = np.where(edges, np.float32(0), np.float32(np.nan))
        image, nothing = np.full((*size, 3), 255, np.uint8), np.zeros(size, bool)
        blank = preview.draw_overlay(image, nothing, nothing, np.full(size, np.nan))
        drawn = preview.draw_overlay(image, edges | depth, depth, radius)
        red, purple = np.array((255, 70, 85)), np.array((68, 1, 84))
        assert count(drawn, purple) > count(blank, purple)
        assert count(drawn, red) > count(blank, red)


def test_long_and_foreign_titles_are_drawn():
    image, plane = np.zeros((40, 48, 3), np.uint8), np.ones((40, 48), np.float32)
    plain = preview.draw_preview(image, plane, plane, title="a")
    for title in ("x" * 300, "schärfe_写真.jpg", ""):
        assert preview.draw_preview(image, plane, plane, title=title).shape == plain.shape
