"""Procedural foreground shapes: half-planes, blobs, polygons, thin bars, plates with holes, letters."""

import string

import cv2
import numpy as np

from train.data import crops

# Shapes are drawn this many times larger and area-averaged: coverage in steps of 1/16.
_SUPERSAMPLING = 4
# Outlines have this many fractional bits.
_SHIFT = 4
_COVERED_RANGE = (0.08, 0.92)


def fill(polygons: list[np.ndarray], size: int) -> np.ndarray:
    """Coverage of each pixel by the union of polygons, each even-odd.

    Args:
      polygons: (N, 2) float (x, y) in px, where pixel (0, 0) covers [0, 1] x [0, 1].
      size: side of the square canvas.
    Returns:
      (size, size) uint8, 255 = covered.
    """
    canvas = np.zeros((size * _SUPERSAMPLING,) * 2, np.uint8)
    for polygon in polygons:
        # OpenCV puts integers at pixel centres.
        fixed_point = np.rint((polygon * _SUPERSAMPLING - 0.5) * 2**_SHIFT).astype(np.int32)
        cv2.fillPoly(canvas, [fixed_point], 255, shift=_SHIFT)
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)


def random_shape(rng: np.random.Generator, size: int) -> np.ndarray:
    """A random shape that covers part of the canvas; every kind equally often.

    Returns:
      (size, size) uint8 coverage, 255 = foreground.
    """
    kinds = (_half_plane, _blob, _polygon, _bars, _holes, _letters)
    kind = kinds[rng.integers(len(kinds))]
    for _ in range(20):
        (alpha,) = crops.random_turn(rng, kind(rng, size))
        if _COVERED_RANGE[0] <= alpha.mean() / 255 <= _COVERED_RANGE[1]:
            return alpha
    return _half_plane(rng, size)  # covers between a tenth and nine tenths by construction


def _half_plane(rng: np.random.Generator, size: int) -> np.ndarray:
    """One side of a straight or wavy line near the middle."""
    along = np.linspace(-size, size, 97)
    wave = rng.choice([0.0, 0.06]) * size * np.sin(along / size * rng.uniform(3, 12) + rng.uniform(0, 6.3))
    line = np.stack([along, wave], axis=1)
    corners = np.array([[size, 2 * size], [-size, 2 * size]], float)
    middle = size / 2 + rng.uniform(-size / 5, size / 5, size=2)
    return fill([_rotated(np.concatenate([line, corners]), rng) + middle], size)


def _blob(rng: np.random.Generator, size: int) -> np.ndarray:
    """One to three smooth closed curves: radius = a short random Fourier series of the angle."""
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    blobs = []
    for _ in range(rng.integers(1, 4)):
        order = np.arange(1, 7)[:, None]
        series = rng.normal(size=(6, 1)) / order * np.cos(order * angle + rng.uniform(0, 6.3, size=(6, 1)))
        radius = size * rng.uniform(0.15, 0.4) * np.exp(0.25 * series.sum(axis=0))
        blobs.append(_polar(radius, angle) + rng.uniform(0.15, 0.85, size=2) * size)
    return fill(blobs, size)


def _polygon(rng: np.random.Generator, size: int) -> np.ndarray:
    """A star-shaped polygon of 3 to 10 corners."""
    count = int(rng.integers(3, 11))
    angle = np.sort(rng.uniform(0, 2 * np.pi, size=count))
    radius = size * rng.uniform(0.2, 0.75, size=count)
    return fill([_polar(radius, angle) + rng.uniform(0.25, 0.75, size=2) * size], size)


def _bars(rng: np.random.Generator, size: int) -> np.ndarray:
    """Two to six bars, 2 to 10 px wide, parallel like a fence or crossing like twigs."""
    bars = []
    parallel = rng.random() < 0.5
    common = rng.uniform(0, np.pi)
    for _ in range(rng.integers(2, 7)):
        half = rng.uniform(1, 5)
        bar = np.array([[-2 * size, -half], [2 * size, -half], [2 * size, half], [-2 * size, half]])
        angle = common if parallel else rng.uniform(0, np.pi)
        bars.append(_rotated(bar, rng, angle) + rng.uniform(0, size, size=2))
    return fill(bars, size)


def _holes(rng: np.random.Generator, size: int) -> np.ndarray:
    """A plate with 2 to 8 elliptic holes."""
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    holes = []
    for _ in range(rng.integers(2, 9)):
        ellipse = _polar(np.ones(60), angle) * rng.uniform(0.03, 0.2, size=2) * size
        holes.append(_rotated(ellipse, rng) + rng.uniform(0, size, size=2))
    return 255 - fill(holes, size)


def _letters(rng: np.random.Generator, size: int) -> np.ndarray:
    """Lines of random letters and digits, 10 to 60 px tall, turned."""
    canvas_size = size * _SUPERSAMPLING
    canvas = np.zeros((canvas_size,) * 2, np.uint8)
    # Hershey capitals are 21 px tall at scale 1.
    scale = rng.uniform(0.09, 0.5) * canvas_size / 21
    thickness = max(1, round(scale * rng.uniform(1.5, 5)))
    line_height = round(scale * 34)
    font = int(rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX]))
    first = int(rng.integers(line_height))
    for base in range(first, canvas_size + line_height, line_height):
        text = "".join(rng.choice(list(string.ascii_letters + string.digits), size=40))
        cv2.putText(canvas, text, (-int(rng.integers(20)), base), font, scale, 255, thickness)
    turn = cv2.getRotationMatrix2D((canvas_size / 2, canvas_size / 2), rng.uniform(-45, 45), 1.5)
    canvas = cv2.warpAffine(canvas, turn, (canvas_size, canvas_size), flags=cv2.INTER_NEAREST)
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)


def _polar(radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _rotated(points: np.ndarray, rng: np.random.Generator, angle: float | None = None) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi) if angle is None else angle
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]])
