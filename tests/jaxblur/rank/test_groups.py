"""Bursts and near-duplicates."""

import datetime

import cv2
import numpy as np
import pytest

from jaxblur.rank import groups
from tests.jaxblur.tiny import photo_like

START = datetime.datetime(2026, 5, 1, 12, 0, 0)


def after(seconds):
    return None if seconds is None else START + datetime.timedelta(seconds=seconds)


def with_bits(count):
    """A hash that differs from that of zeros in so many bits."""
    return f"{(1 << count) - 1:016x}"


def distance(one, other):
    return (int(one, 16) ^ int(other, 16)).bit_count()


@pytest.mark.parametrize(
    ("bits", "seconds", "together"),
    [
        (6, 9999, True),  # a near-duplicate, whenever it was taken
        (6, None, True),
        (7, 9999, False),
        (16, 3.0, True),  # a burst
        (17, 0.1, False),  # at once, and another scene
        (16, 3.1, False),
        (16, None, False),
    ],
)
def test_two_photos(bits, seconds, together):
    labels = groups.find_groups([with_bits(0), with_bits(bits)], [after(0), after(seconds)])
    assert (labels[0] == labels[1]) == together


def test_a_burst_holds_together_by_its_neighbours(monkeypatch):
    """Its first and last photo may be far apart; other photos do not matter, nor how many are compared at once."""
    hashes = [with_bits(0), "f" * 16, with_bits(12), with_bits(24), with_bits(36)]
    times = [after(0), after(1), after(2), after(4), after(6)]
    for rows in (1, 2, 1000):
        monkeypatch.setattr(groups, "_ROWS", rows)
        assert groups.find_groups(hashes, times).tolist() == [0, 1, 0, 0, 0]
    assert groups.find_groups([], []).tolist() == []


def test_the_hash_knows_a_photo_again(rng):
    photo = cv2.resize(photo_like(rng, 60, 80), (1200, 900), interpolation=cv2.INTER_CUBIC)
    other = cv2.resize(photo_like(rng, 60, 80), (1200, 900), interpolation=cv2.INTER_CUBIC)
    own = groups.perceptual_hash(photo)
    assert len(own) == 16
    blurred = cv2.GaussianBlur(photo, (0, 0), 8)
    half = cv2.resize(photo, (600, 450), interpolation=cv2.INTER_AREA)
    moved = np.roll(photo, 6, axis=1)
    same = [distance(own, groups.perceptual_hash(like)) for like in (blurred, half, moved)]
    assert max(same) <= groups.ALIKE
    assert distance(own, groups.perceptual_hash(other)) > groups.BURST_ALIKE


def test_photos_of_all_types_and_sizes_have_hashes(rng):
    photo = photo_like(rng, 40, 60)
    own = groups.perceptual_hash(photo)
    assert distance(groups.perceptual_hash(photo.astype(np.uint16) * 257), own) <= 2
    assert distance(groups.perceptual_hash((photo / 255).astype(np.float32)), own) <= 2
    assert len(groups.perceptual_hash(photo[:1, :1])) == 16
