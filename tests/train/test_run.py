import json

import jax
import numpy as np
import pytest

import jaxblur
from tests.train.tiny import tiny_config, write_photos
from train import __main__ as command
from train import run as training


@pytest.fixture(autouse=True)
def standard_promotion():
    with jax.numpy_dtype_promotion("standard"):  # optax promotes its step counter
        yield


def test_both_stages_then_an_estimate(tmp_path):
    """A run that is stopped in the first stage goes on, and ends in weights that estimate."""
    photos = write_photos(tmp_path)
    config, folder = tiny_config(photos), tmp_path / "run"
    stopped = training.run(config, folder, training.RunOptions(max_seconds=0.0, save_every=1))
    assert stopped is None and not (folder / "weights.safetensors").exists()

    path = training.run(config, folder, training.RunOptions(save_every=1))
    weights = jaxblur.load_weights(path)
    assert weights.network.normalisation == "bias" and weights.network.level_head == "ordinal"
    facts = json.loads(weights.metadata["facts"])
    assert facts["blur_steps"] == 4 and facts["edges_steps"] == 3 and facts["blur_samples"] > 0
    assert sum(json.loads(weights.metadata["training_photos"]).values()) == 3

    rng = np.random.default_rng(0)
    result = jaxblur.estimate((rng.random((40, 50)) * 255).astype(np.uint8), weights)
    assert result.edges.any() and np.isfinite(result.radius).all()


@pytest.mark.parametrize(
    "prepare, message",
    [
        (lambda folder: None, "missing"),
        (lambda folder: (folder / "photos").mkdir(), "photos"),
    ],
)
def test_bad_photo_folders_are_one_line(prepare, message, tmp_path, capsys):
    prepare(tmp_path)
    name = "missing" if message == "missing" else "photos"
    status = command.main(
        ["--preset", "smoke", "--photos", str(tmp_path / name), "--output", str(tmp_path / "run")]
    )
    captured = capsys.readouterr()
    assert status == 2
    assert captured.err.count("\n") == 1 and name in captured.err
    assert not (tmp_path / "run").exists()
