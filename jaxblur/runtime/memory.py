"""How much memory an estimate takes, how much there is, and sizes such as "4GB". Free of JAX."""

import contextlib
import ctypes
import math
import re
from collections.abc import Sequence

import psutil

from jaxblur.runtime import containers

DETECTED_EDGES = 0.25
"""Fraction of the pixels that detected edges stay below: ridges are a pixel wide."""

# Measured, see benchmarks/bench_memory.py: the process with compiled programs, the feature maps of one tile by its
# side, and the strips at work.
_PROCESS = 0.5e9
_TILE_NEED = {512: 2.0e9, 128: 0.3e9}
_STRIPS = 0.2e9
_ALL_SCALES, _FUSION = 0.85e9, 170  # more compiled programs; bytes per pixel throughout

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
    """Bytes of memory of this machine, or of the container that the process runs in."""
    return min(psutil.virtual_memory().total, containers.memory_limit())


def limit(max_memory: float | None) -> float:
    """Bytes that the process may take: `max_memory`, or half of the machine's where that is None."""
    return machine_memory() / 2 if max_memory is None else max_memory


def release_unused() -> None:
    """Give back to the system what the process has freed: the GNU C library keeps hundreds of megabytes otherwise.

    Most of them were the compiler's. Elsewhere there is no such function, and nothing happens.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def program_need(height: int, width: int, *, multiscale: bool) -> float:
    """Most bytes that a process takes that estimates a photo in one compiled program.

    Args:
      height: of the photo, px.
      width: px.
      multiscale: whether the fusion of all scales is used.
    """
    tile, pixels = _TILE_NEED[max(_TILE_NEED)], height * width
    if multiscale:
        return _PROCESS + _ALL_SCALES + tile + _FUSION * pixels
    return _PROCESS + max(tile + 20 * pixels, 155 * pixels)


def strips_need(
    height: int,
    width: int,
    *,
    photo_bytes: float,
    edge_fractions: Sequence[float],
    multiscale: bool,
    tile: int,
    workers: int = 1,
) -> float:
    """Most bytes that a process takes that estimates a photo tile by tile and strip by strip.

    Per pixel, the photo, edges and depth edges (1 each) and what is read at the edges are there throughout. While the
    networks run, so are the feature maps of the tiles at work. While the blur is propagated, so are float32 planes: two
    of weights or barriers, one that is being smoothed, two of results, or three of smoothed signals with multiscale
    fusion; and the strips at work. Of an edge point, multiscale fusion keeps weight and radius, beside the radius as it
    was read at the finest scale. While it reads a smaller scale, there is a float32 copy of that one.

    Args:
      height: of the photo, px.
      width: px.
      photo_bytes: per pixel.
      edge_fractions: of the pixels of each scale, on edges; one scale without it.
      multiscale: whether the fusion of all scales is used.
      tile: side of the networks' tiles, px: 128 or 512.
      workers: tiles that are read side by side.
    """
    read = 16 * edge_fractions[0]  # by the networks
    kept = (8 if multiscale else 16) * sum(
        fraction / 4**scale for scale, fraction in enumerate(edge_fractions)
    )
    kept += 4 * edge_fractions[0] if multiscale else 0
    smaller = 12 / 4 + 12 / 16 if len(edge_fractions) > 1 else 0  # the half, and the half of that
    frames = photo_bytes + 2 + sum(1 / 4**scale for scale in range(1, len(edge_fractions)))
    planes = 24 if multiscale else 20
    networks = workers * _TILE_NEED[tile] + (frames + max(kept, read) + smaller) * height * width
    propagation = _STRIPS + (frames + kept + planes) * height * width
    return _PROCESS + max(networks, propagation)
