"""Slow NumPy versions of the steps of multiscale fusion, and inputs for them."""

import jax
import numpy as np

from jaxblur.multiscale import fuse
from jaxblur.network.config import NetworkConfig
from jaxblur.network.readout import EdgeReading, ScaleReading
from tests.jaxblur.tiny import plain_multiscale

NETWORK = NetworkConfig()
WEIGH = jax.jit(fuse.weigh_reading, static_argnames=("network", "scale"))
GATHER = jax.jit(fuse.gather, static_argnames=("network", "shape"))
FUSE = jax.jit(fuse.fuse)
LEVELS = np.asarray(NETWORK.levels)


def some_parameters(rng, dtype=np.float32):
    """Not the plain choices: every entry matters."""
    plain = plain_multiscale(NETWORK)
    changed = jax.tree.map(lambda leaf: np.asarray(leaf) + 0.1 * rng.normal(size=leaf.shape), plain)
    changed = changed.replace(extent=np.log([1.5, 4.0, 9.0]))
    return jax.tree.map(lambda leaf: np.asarray(leaf, dtype), changed)


def some_reading(rng, shape, dtype=np.float32):
    return EdgeReading(
        rng.uniform(0.5, 6.0, shape).astype(dtype),
        rng.uniform(0.05, 1.5, shape).astype(dtype),
        rng.uniform(0.1, 1.0, shape).astype(dtype),
        rng.uniform(0.0, 1.0, shape).astype(dtype),
    )


def oracle_reading(parameters, radius, deviation, reliability, depth, scale, scales):
    """Weight and radius of one point."""
    precision, true = 1 / (deviation**2 + np.exp(parameters.least_variance)), radius
    if radius < LEVELS[1]:  # the straight line through (first level, sharp) and the second level
        sharp = np.clip(parameters.sharp_radius, 0, LEVELS[0])
        true = sharp + (radius - LEVELS[0]) / (LEVELS[1] - LEVELS[0]) * (LEVELS[1] - sharp)
    role = 0 if scales == 1 else 1 if scale == 0 else 3 if scale == scales - 1 else 2
    level_weight = np.interp(radius, LEVELS, parameters.level_weight[role])
    of_precision, of_reliability, of_depth = parameters.exponents
    weight = (
        2**scale
        * np.exp(level_weight + parameters.scale_weight[scale] - of_depth * depth)
        * precision**of_precision
        * reliability**of_reliability
    )
    return weight if scale < scales else 0.0, 2**scale * true


def oracle_evidence(parameters, readings, shape, scales):
    sums = np.zeros((3, *shape))
    for scale, (reading, edges) in enumerate(readings):
        for row, col in np.argwhere(edges):
            values = (float(plane[row, col]) for plane in reading)
            weight, radius = oracle_reading(parameters, *values, scale, scales)
            at = (row * 2**scale + 2**scale // 2, col * 2**scale + 2**scale // 2)
            if max(np.subtract(at, shape)) < 0:
                sums[(slice(None), *at)] += weight * radius ** np.arange(3)
    return sums


def oracle_barrier(parameters, readings, shape, scales):
    barrier = np.zeros(shape)
    for scale, (reading, edges) in enumerate(readings[:scales]):
        for row, col in np.argwhere(edges):
            step = 2**scale
            area = (slice(row * step, (row + 1) * step), slice(col * step, (col + 1) * step))
            barrier[area] += (
                np.log1p(np.exp(parameters.depth_penalty[scale])) * reading.depth[row, col] / 2 / step
            )
    return barrier


def oracle_gain(parameters, readings, shape, scales):
    """The guide network, tap after tap."""
    height, width = (length // 2 for length in shape)
    x = np.zeros((height, width, 6))
    for scale, (reading, edges) in enumerate(readings[: min(scales, 3)]):
        for row, col in np.argwhere(edges):
            own = slice(row >> 1, (row >> 1) + 1), slice(col >> 1, (col >> 1) + 1)
            if scale:
                own = tuple(slice(at << (scale - 1), (at + 1) << (scale - 1)) for at in (row, col))
            part = 1 / 4 if scale == 0 else 1
            x[(*own, 2 * scale)] += part
            x[(*own, 2 * scale + 1)] += part * reading.depth[row, col]
    for layer, step in enumerate((1, 2, 4, 8)):
        kernel, y = parameters[f"kernel_{layer}"], np.zeros((height, width, 16))
        for row, col in np.ndindex(height, width):
            for i, j in np.ndindex(3, 3):
                at = row + step * (i - 1), col + step * (j - 1)
                if 0 <= at[0] < height and 0 <= at[1] < width:
                    y[row, col] += x[at] @ kernel[i, j]
        x = np.maximum(y, 0) + (x if layer else 0)
    gain = np.zeros(shape)
    gain[: 2 * height, : 2 * width] = (x @ parameters["kernel_last"])[..., 0].repeat(2, 0).repeat(2, 1)
    return gain


def oracle_fuse(parameters, signals, of_depth, of_gradient, gradient):
    """Domain transform of every signal by every extent, then the quotients."""
    shape, count = of_depth.shape, fuse.ITERATIONS
    stops = [of_gradient * plane + of_depth for plane in gradient]
    smoothed = np.zeros(signals.shape)
    for log_extent, log_weight in zip(parameters.extent, parameters.extent_weight, strict=True):
        extent, plane = np.exp(log_extent), np.array(signals, np.float64)
        for k in range(1, count + 1):
            sigma = extent * np.sqrt(3) * 2 ** (count - k) / np.sqrt(4**count - 1)
            across, down = (np.exp(-np.sqrt(2) / sigma * (1 + extent * stop)) for stop in stops)
            for x in range(1, shape[1]):
                plane[:, :, x] += across[:, x] * (plane[:, :, x - 1] - plane[:, :, x])
            for x in reversed(range(shape[1] - 1)):
                plane[:, :, x] += across[:, x + 1] * (plane[:, :, x + 1] - plane[:, :, x])
            for y in range(1, shape[0]):
                plane[:, y] += down[y] * (plane[:, y - 1] - plane[:, y])
            for y in reversed(range(shape[0] - 1)):
                plane[:, y] += down[y + 1] * (plane[:, y + 1] - plane[:, y])
        smoothed += np.exp(log_weight) * plane
    weight, first, second = smoothed + 1e-4 * signals.mean((1, 2))[:, None, None]
    radius = first / weight
    disagreement = np.sqrt(np.maximum(second / weight - radius**2, 1e-6)) / (radius + 0.5)
    constant, of_weight, of_disagreement = parameters.confidence
    logit = constant + of_weight * np.log(smoothed[0]) + of_disagreement * disagreement
    return np.maximum(radius, 0), 1 / (1 + np.exp(-logit))


def some_gradient(rng, shape):
    """Gradient of a guide; none before the first column and row."""
    gradient = rng.exponential(0.5, (2, *shape)).astype(np.float32)
    gradient[0, :, 0] = gradient[1, 0] = 0
    return gradient[0], gradient[1]


def some_readings(rng, shape):
    """At edges of three scales, in arrays large enough for all that `place` may ask for."""
    shapes = [tuple(length // 2**scale for length in shape) for scale in range(3)]
    return [ScaleReading(some_reading(rng, own), rng.random(own) < 0.3) for own in shapes]
