import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur import load_weights
from jaxblur.multiscale import fuse
from jaxblur.network.readout import EdgeReading
from train.tools import ablate


@pytest.fixture(scope="module")
def shipped():
    return load_weights()


def _map(weights, readings, steps):
    """Radius of a photo from readings at two scales, with the third stage of `weights`."""
    return fuse.spread(weights.variables["params"]["spread"], _evidence(weights, readings), steps)[0]


def _evidence(weights, readings):
    parameters, shape = weights.variables["params"]["spread"], readings[0][1].shape
    return fuse.gather(parameters, readings, weights.network, shape=shape, scales=jnp.int32(len(readings)))


def _readings(rng, **changes):
    out = []
    for scale in range(2):
        shape = (40 >> scale, 50 >> scale)
        planes = {
            "radius": rng.uniform(1, 5, shape),
            "spread": rng.uniform(0.1, 1, shape),
            "reliability": rng.uniform(0.3, 1, shape),
            "depth": rng.uniform(0, 1, shape),
        } | {name: np.broadcast_to(value, shape) for name, value in changes.items()}
        reading = EdgeReading(**{name: jnp.asarray(plane, jnp.float32) for name, plane in planes.items()})
        out.append((reading, jnp.asarray(rng.random(shape) < 0.1)))
    return out


@pytest.mark.parametrize("piece", list(ablate.PIECES))
def test_without_a_piece_the_map_is_another_and_finite(piece, shipped, rng):
    readings = _readings(rng)
    steps = tuple(jnp.asarray(rng.random((40, 50)), jnp.float32) for _ in range(2))
    whole, less = (_map(weights, readings, steps) for weights in (shipped, ablate.without(shipped, piece)))
    assert np.isfinite(less).all() and np.abs(less - whole).max() > 1e-3


def test_the_piece_named_is_what_no_longer_counts(shipped, rng):
    steps = tuple(jnp.asarray(rng.random((40, 50)), jnp.float32) for _ in range(2))
    readings = _readings(rng)
    flat = tuple(jnp.zeros_like(step) for step in steps)
    unguided = ablate.without(shipped, "no-steps")
    np.testing.assert_allclose(_map(unguided, readings, steps), _map(unguided, readings, flat), atol=1e-4)
    plain = [(reading._replace(depth=jnp.zeros_like(reading.depth)), edges) for reading, edges in readings]
    no_depth = ablate.without(shipped, "no-depth-edges")
    np.testing.assert_allclose(_map(no_depth, readings, steps), _map(no_depth, plain, steps), atol=1e-4)
    alike = ablate.without(shipped, "no-guide-network")
    assert np.ptp(_evidence(shipped, readings).stop) > 1e-3 and np.ptp(_evidence(alike, readings).stop) == 0
    one = ablate.without(shipped, "one-scale")
    (fine, edges), (coarse, coarse_edges) = readings
    other = [(fine, edges), (coarse._replace(radius=coarse.radius + 1), coarse_edges)]
    np.testing.assert_allclose(_map(one, readings, steps), _map(one, other, steps), atol=1e-4)


def test_files_and_bad_input(shipped, tmp_path, capsys):
    assert ablate.main(["--output", str(tmp_path)]) == 0
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(ablate.PIECES)
    loaded = load_weights(tmp_path / "no-steps.safetensors")
    wanted = ablate.without(shipped, "no-steps")
    jax.tree.map(np.testing.assert_array_equal, loaded.variables, wanted.variables)
    with pytest.raises(ValueError, match="piece must be one of one-scale, .* got 'guide'"):
        ablate.without(shipped, "guide")
    two = dataclasses.replace(shipped, network=dataclasses.replace(shipped.network, pyramid=False))
    with pytest.raises(ValueError, match="must have a third stage"):
        ablate.without(two, "no-steps")
    assert ablate.main(["--output", str(tmp_path), "--weights", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
