"""Photos of the same thing: bursts and near-duplicates, by a perceptual hash and the time of capture."""

import datetime
from collections.abc import Sequence

import cv2
import imagehash
import numpy as np
from jaxtyping import Int, Shaped
from PIL import Image
from scipy import sparse

from jaxblur.files.levels import full_range

ALIKE = 6
"""Bits of 64 in which the hashes of near-duplicates may differ, whenever they were taken."""

BURST_ALIKE, BURST_SECONDS = 16, 3.0
"""Bits in which the hashes of a burst may differ, and seconds from one photo to the next."""

_HASHED = 256  # px, about, of the longer side of what is hashed
_ROWS = 1024  # photos that are compared with all others at once


def perceptual_hash(photo: Shaped[np.ndarray, "h w 3"]) -> str:
    """Hash of 64 bits that changes little when a photo is reduced, compressed, blurred or moved a little.

    Args:
      photo: uint8, uint16, or float32 in [0, 1].

    Returns:
      16 hexadecimal digits.
    """
    shrink = min(_HASHED / max(photo.shape[:2]), 1)
    size = (max(round(photo.shape[1] * shrink), 1), max(round(photo.shape[0] * shrink), 1))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    if small.dtype != np.uint8:
        small = (small.astype(np.float32) * (255 / full_range(small))).round().astype(np.uint8)
    return str(imagehash.phash(Image.fromarray(small)))


def find_groups(hashes: Sequence[str], times: Sequence[datetime.datetime | None]) -> Int[np.ndarray, " n"]:
    """The group of every photo, from 0; photos that are like no other are alone in theirs.

    Two photos belong together if their hashes differ in at most 6 bits, or in at most 16 and they were taken within
    3 s; and so do those that are linked by others.

    Args:
      hashes: from `perceptual_hash`.
      times: of capture, or None.
    """
    count = len(hashes)
    bits = np.array([int(text, 16) for text in hashes], np.uint64)
    seconds = np.array(
        [np.nan if time is None else (time - datetime.datetime(1970, 1, 1)).total_seconds() for time in times]
    )
    pairs = []
    for first in range(0, count, _ROWS):
        differ = np.bitwise_count(bits[first : first + _ROWS, None] ^ bits[None])
        apart = np.abs(seconds[first : first + _ROWS, None] - seconds[None])
        linked = (differ <= ALIKE) | ((differ <= BURST_ALIKE) & (apart <= BURST_SECONDS))
        rows, columns = np.nonzero(linked)
        pairs.append((rows + first, columns))
    rows, columns = (np.concatenate(ends) for ends in zip(*pairs, strict=True)) if pairs else ([], [])
    links = sparse.coo_matrix((np.ones(len(rows), bool), (rows, columns)), shape=(count, count))
    _, labels = sparse.csgraph.connected_components(links, directed=False)
    return labels
