"""How much memory an estimate takes, how much there is, and sizes such as "4GB". Free of JAX."""

import math
import os
import re

DETECTED_EDGES = 0.25
"""Share of the pixels that detected edges stay below: ridges are a pixel wide."""

# Measured, see benchmarks/bench_memory.py: the process with compiled programs, the feature maps of one tile by its
# side, and the strips at work.
_PROCESS = 0.5e9
_TILE_NEED = {512: 2.0e9, 256: 0.75e9, 128: 0.3e9}
_STRIPS = 0.2e9

TILES = tuple(_TILE_NEED)
"""Sides of tiles to choose from, px, fastest first."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_UNITS |= {f"{unit}i": 2 ** (10 * power) for power, unit in enumerate("kmgt", start=1)}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*((?:[kmgt]i?)?)b?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes of a size such as "4GB", "1.5 GiB", "800M" or "4000000000"; kB, MB, GB and TB are powers of 1000.

    Raises:
      ValueError: it is none, or zero.
    """
    match = _SIZE.fullmatch(text.strip())
    size = 0 if match is None else round(float(match[1]) * _UNITS[match[2].lower()])
    if size == 0:
        raise ValueError(f"max_memory must be a number with a unit, such as 4GB or 800MB, got {text!r}")
    return size


def format_size(size: float) -> str:
    """Size for the eye, rounded up: "3.6 GB", "850 MB"."""
    megabytes = math.ceil(size / 1e6)
    return f"{math.ceil(megabytes / 100) / 10:g} GB" if megabytes >= 1000 else f"{megabytes} MB"


def machine_memory() -> float:
    """Bytes of memory of this machine; infinity where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows, or a system without these names
        return math.inf


def program_need(height: int, width: int) -> float:
    """Most bytes that a process takes that estimates a photo in one compiled program."""
    networks, propagation = _TILE_NEED[max(_TILE_NEED)] + 20 * height * width, 155 * height * width
    return _PROCESS + max(networks, propagation)


def strips_need(height: int, width: int, *, photo_bytes: float, edge_share: float, max_tile: int) -> float:
    """Most bytes that a process takes that estimates a photo tile by tile and strip by strip.

    Per pixel, the photo, edges and depth edges (1 each) and what is read at the edges (12 where there is one) are
    there throughout. While the networks run, so are the feature maps of a tile. While the blur is propagated, so are
    five planes of float32: two of weights, one that is being smoothed, two of results; and the strips at work.

    Args:
      height: of the photo, px.
      width: px.
      photo_bytes: per pixel.
      edge_share: of the pixels, on edges.
      max_tile: largest side of tiles, one of `TILES`.
    """
    always = photo_bytes + 2 + 12 * edge_share
    networks = _TILE_NEED[max_tile] + always * height * width
    propagation = _STRIPS + (always + 20) * height * width
    return _PROCESS + max(networks, propagation)
