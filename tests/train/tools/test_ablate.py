import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur import load_weights
from jaxblur.multiscale import fuse
from jaxblur.network.readout import EdgeReading, ScaleReading
from train.tools import ablate


@pytest.fixture(scope="module")
def shipped():
    return load_weights()


@pytest.fixture(scope="module")
def gather(shipped):
    """Evidence of two scales from parameters and readings, compiled once."""

    @jax.jit
    def gathered(parameters, readings):
        shape = readings[0].edges.shape
        return fuse.gather(parameters, readings, shipped.network, shape=shape, scales=jnp.int32(2))

    return gathered


@pytest.fixture(scope="module")
def radius_map(gather):
    """Radius of a photo from weights, readings and the gradient of its guide."""

    @jax.jit
    def fused(parameters, readings, gradient):
        return fuse.fuse(parameters, gather(parameters, readings), gradient)[0]

    return lambda weights, *known: fused(weights.multiscale, *known)


@pytest.fixture
def readings(rng):
    """Random readings of two scales."""
    out = []
    for scale in range(2):
        shape = (40 >> scale, 50 >> scale)
        planes = {
            "radius": rng.uniform(1, 5, shape),
            "deviation": rng.uniform(0.1, 1, shape),
            "reliability": rng.uniform(0.3, 1, shape),
            "depth": rng.uniform(0, 1, shape),
        }
        reading = EdgeReading(**{name: jnp.asarray(plane, jnp.float32) for name, plane in planes.items()})
        out.append(ScaleReading(reading, jnp.asarray(rng.random(shape) < 0.1)))
    return out


@pytest.fixture
def gradient(rng):
    return tuple(jnp.asarray(rng.random((40, 50)), jnp.float32) for _ in range(2))


@pytest.mark.parametrize("piece", list(ablate.PIECES))
def test_without_a_piece_the_map_is_another_and_finite(piece, shipped, radius_map, readings, gradient):
    whole = radius_map(shipped, readings, gradient)
    less = radius_map(ablate.without(shipped, piece), readings, gradient)
    assert np.isfinite(less).all() and np.abs(less - whole).max() > 1e-3


def test_the_piece_named_is_what_no_longer_counts(shipped, gather, radius_map, readings, gradient):
    flat = tuple(jnp.zeros_like(plane) for plane in gradient)

    def same(piece, one, other):
        weights = ablate.without(shipped, piece)
        np.testing.assert_allclose(radius_map(weights, *one), radius_map(weights, *other), atol=1e-4)

    same("no-gradients", (readings, gradient), (readings, flat))
    plain = [
        ScaleReading(reading._replace(depth=jnp.zeros_like(reading.depth)), edges)
        for reading, edges in readings
    ]
    same("no-depth-edges", (readings, gradient), (plain, gradient))
    (fine, edges), (coarse, coarse_edges) = readings
    moved = coarse._replace(radius=coarse.radius + 1)
    other = [ScaleReading(fine, edges), ScaleReading(moved, coarse_edges)]
    same("one-scale", (readings, gradient), (other, gradient))
    alike = ablate.without(shipped, "no-guide-network")
    barriers = [gather(weights.multiscale, readings).gradient_barrier for weights in (shipped, alike)]
    assert np.ptp(barriers[0]) > 1e-3 and np.ptp(barriers[1]) == 0


def test_files_and_bad_input(shipped, tmp_path, capsys):
    assert ablate.main(["--output", str(tmp_path)]) == 0
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(ablate.PIECES)
    loaded = load_weights(tmp_path / "no-gradients.safetensors")
    wanted = ablate.without(shipped, "no-gradients")
    jax.tree.map(np.testing.assert_array_equal, loaded.variables, wanted.variables)
    jax.tree.map(np.testing.assert_array_equal, loaded.multiscale, wanted.multiscale)
    with pytest.raises(ValueError, match="piece must be one of one-scale, .* got 'guide'"):
        ablate.without(shipped, "guide")
    with pytest.raises(ValueError, match="must have a multiscale stage"):
        ablate.without(dataclasses.replace(shipped, multiscale=None), "no-gradients")
    capsys.readouterr()
    assert ablate.main(["--output", str(tmp_path), "--weights", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
