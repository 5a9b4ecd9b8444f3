"""Documents run with tiny networks: what they show compiles in a moment, and is the same to look at."""

from pathlib import Path

import numpy as np
import pytest

import jaxblur
from jaxblur import inputs
from jaxblur.files import images
from jaxblur.network.weights import Weights
from tests.jaxblur.tiny import add_multiscale, make_weights


def use_tiny_weights(monkeypatch: pytest.MonkeyPatch) -> Weights:
    """From now on the weights that ship are tiny."""
    weights = add_multiscale(make_weights(gain=1.8))
    load_weights = jaxblur.load_weights
    monkeypatch.setattr(inputs, "_shipped_weights", lambda: weights)
    monkeypatch.setattr(
        jaxblur, "load_weights", lambda path=None: weights if path is None else load_weights(path)
    )
    return weights


def read_corners(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on large photos are read as a part of 60 x 70 px."""
    read_image = images.read_image

    def read(path: str | Path) -> np.ndarray:
        photo = read_image(path)
        return photo[120:180, 240:310] if photo.shape[0] > 200 else photo

    for owner in (inputs, images):
        monkeypatch.setattr(owner, "read_image", read)
