"""Edges in tiles are those of the whole photo, bit for bit."""

import dataclasses

import cv2
import numpy as np
import pytest

from jaxblur.config import DEFAULT, PUBLISHED
from jaxblur.edges.canny import detect_edges
from jaxblur.edges.canny_tiles import detect_edges_in_tiles
from tests.jaxblur.edges.chains import spiral

TILE = 16  # px: one compilation for most photos here


def smooth_noise(rng, height, width, dtype):
    noise = cv2.GaussianBlur(rng.random((height, width, 3)), (0, 0), 1.5).reshape(height, width, 3)
    noise = (noise - noise.min()) / max(np.ptp(noise), 1e-9)
    return noise.astype(dtype) if dtype == np.float32 else (np.iinfo(dtype).max * noise).astype(dtype)


@pytest.mark.parametrize("config", [DEFAULT.edges, PUBLISHED.edges], ids=["default", "published"])
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((61, 53), np.uint8),
        ((16, 64), np.uint16),
        ((33, 40), np.float32),
        ((1, 20), np.uint8),
        ((20, 1), np.uint8),
    ],
)
def test_equal_to_the_whole(rng, shape, dtype, config):
    photo = smooth_noise(rng, *shape, dtype)
    expected = np.asarray(detect_edges(photo, config=config))
    got = detect_edges_in_tiles(photo, config=config, tile=TILE)
    assert got.dtype == bool and (min(shape) == 1 or 0.02 < got.mean() < 0.5)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("tile", [1, 60, 100])
def test_no_matter_the_side_of_tiles(rng, tile):
    photo = smooth_noise(rng, 61, 53, np.uint8)
    got = detect_edges_in_tiles(photo, config=DEFAULT.edges, tile=tile)
    np.testing.assert_array_equal(got, np.asarray(detect_edges(photo)))


def test_constant_photo_has_no_edges():
    photo = np.full((40, 30, 3), 200, np.uint8)
    assert not detect_edges_in_tiles(photo, config=PUBLISHED.edges, tile=TILE).any()


def test_a_chain_holds_together_over_tiles():
    """A winding line that fades: its faint end is kept because it connects, through many tiles, to a strong one."""
    line = cv2.resize(spiral(10).astype(np.uint8), (60, 60), interpolation=cv2.INTER_NEAREST)
    fade = np.linspace(1.0, 0.45, 60)[None, :]
    photo = np.repeat((200 * line * fade).astype(np.uint8)[..., None], 3, axis=2)
    got = detect_edges_in_tiles(photo, config=DEFAULT.edges, tile=TILE)
    np.testing.assert_array_equal(got, np.asarray(detect_edges(photo)))
    strong_only = np.asarray(detect_edges(photo, config=dataclasses.replace(DEFAULT.edges, low_ratio=1.0)))
    assert strong_only.sum() + 30 < got.sum()
