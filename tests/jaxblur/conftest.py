"""What several test files of the library share."""

from collections.abc import Iterator

import jax.numpy as jnp
import pytest

from jaxblur import batch, estimator
from jaxblur.image.size import Tiles
from jaxblur.network.weights import Weights
from jaxblur.result import BlurEstimate
from tests.jaxblur.tiny import add_multiscale, make_weights


@pytest.fixture(scope="session")
def weights() -> Weights:
    """Tiny networks whose readings differ from edge to edge."""
    return make_weights(gain=1.8)


@pytest.fixture(scope="session")
def multiscale_weights(weights) -> Weights:
    """The same with parameters of the fusion."""
    return add_multiscale(weights)


@pytest.fixture
def traces(monkeypatch) -> Iterator[list[Tiles]]:
    """One program, as on accelerators, whose radius is the photo's green channel; the tiles of all its traces."""
    traces = []

    def green(weights, image, size, edges, *, tiles, config):
        traces.append(tiles)
        none = jnp.zeros(image.shape[:2], bool)
        green = image[..., 1]
        return BlurEstimate(green, jnp.zeros(image.shape[:2]), none, none, green, green, green)

    def forget_programs():
        estimator.compiled_program.cache_clear()
        batch._mapped.cache_clear()

    forget_programs()  # those of other tests have the networks in them
    monkeypatch.setattr(estimator, "estimate_padded", green)
    monkeypatch.setattr(estimator, "prefers_program", lambda: True)
    yield traces
    forget_programs()
