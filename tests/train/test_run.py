import dataclasses
import json
from importlib import resources

import jax
import numpy as np
import pytest

import jaxblur
from tests.train.tiny import tiny_config, write_photos
from train import __main__ as command
from train import export, forward
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

    again = dataclasses.replace(
        config,
        initial=folder / "variables.safetensors",
        blur=dataclasses.replace(config.blur, steps=1),
        edges=dataclasses.replace(config.edges, steps=1),
    )
    more = jaxblur.load_weights(training.run(again, tmp_path / "again", training.RunOptions()))
    assert json.loads(more.metadata["facts"])["blur_steps"] == 5
    start, one_on = (
        export.load_variables(f / "variables.safetensors")[0]["params"] for f in (folder, tmp_path / "again")
    )
    fresh = forward.init_variables(jax.random.key(0), config.network)["params"]
    for part in ("f1", "b", "f2", "e"):
        assert 0 < _distance(one_on[part], start[part]) < 0.3 * _distance(fresh[part], start[part])

    rng = np.random.default_rng(0)
    result = jaxblur.estimate((rng.random((40, 50)) * 255).astype(np.uint8), weights)
    assert result.edges.any() and np.isfinite(result.radius).all()


def _distance(one, other):
    squares = jax.tree.map(lambda a, b: np.sum((np.asarray(a) - np.asarray(b)) ** 2), one, other)
    return float(np.sqrt(sum(jax.tree.leaves(squares))))


@pytest.mark.parametrize("content", [b"nonsense", "weights", None])
def test_a_file_that_cannot_be_started_from_is_one_line(content, tmp_path, capsys):
    photos = write_photos(tmp_path)
    start = tmp_path / "start.safetensors"
    if content == "weights":
        start = resources.files("jaxblur.weights") / "jaxblur.safetensors"
    elif content is not None:
        start.write_bytes(content)
    status = command.main(
        ["--preset", "smoke", "--photos", str(photos), "--output", str(tmp_path / "run")]
        + ["--initial", str(start)]
    )
    captured = capsys.readouterr()
    assert status == 2 and captured.err.count("\n") == 1 and "variables" in captured.err
    assert start.name in captured.err and not (tmp_path / "run").exists()


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
