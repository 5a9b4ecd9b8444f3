"""Documents run with tiny networks: what they show compiles in a moment, and is the same to look at."""

import pytest

import jaxblur
from jaxblur import inputs
from jaxblur.files import images
from jaxblur.network.weights import Weights
from tests.jaxblur.tiny import add_multiscale, make_weights


def use_tiny_weights(monkeypatch: pytest.MonkeyPatch) -> Weights:
    """From now on the weights that ship are tiny, and files give a corner of their photo."""
    weights = add_multiscale(make_weights(gain=1.8))
    read_image, load_weights = images.read_image, jaxblur.load_weights
    for owner in (inputs, images):
        monkeypatch.setattr(owner, "read_image", lambda path: read_image(path)[120:180, 240:310])
    monkeypatch.setattr(inputs, "_shipped_weights", lambda: weights)
    monkeypatch.setattr(
        jaxblur, "load_weights", lambda path=None: weights if path is None else load_weights(path)
    )
    return weights
