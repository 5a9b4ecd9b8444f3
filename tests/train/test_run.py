import dataclasses
import functools
import json
from importlib import resources

import jax
import numpy as np
import pytest

import jaxblur
from jaxblur.multiscale import fuse
from tests.train.tiny import tiny_config, write_photos
from train import __main__ as command
from train import run as training
from train.export import trained
from train.stages import forward


@pytest.fixture(autouse=True)
def standard_promotion():
    with jax.numpy_dtype_promotion("standard"):  # optax promotes its step counter
        yield


def test_all_stages_then_an_estimate(tmp_path):
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
    assert facts["dense_steps"] == 2 and weights.network.pyramid
    assert weights.metadata["blur"] == "disk, radius 0.5 to 7.0 px, 30% of crops through a soft lens"
    assert sum(json.loads(weights.metadata["training_photos"]).values()) == 3

    again = dataclasses.replace(
        config,
        initial=folder / "variables.safetensors",
        blur=dataclasses.replace(config.blur, steps=1),
        edges=dataclasses.replace(config.edges, steps=1),
    )
    stages = ("blur", "edges")
    more = jaxblur.load_weights(training.run(again, tmp_path / "again", training.RunOptions(), stages=stages))
    assert not more.network.pyramid
    assert json.loads(more.metadata["facts"])["blur_steps"] == 5
    start, one_on = (
        trained.load_variables(f / "variables.safetensors")[0]["params"] for f in (folder, tmp_path / "again")
    )
    fresh = forward.init_variables(jax.random.key(0), config.network)["params"]
    for part in ("f1", "b", "f2", "e"):
        assert 0 < _distance(one_on[part], start[part]) < 0.3 * _distance(fresh[part], start[part])

    rng = np.random.default_rng(0)
    result = jaxblur.estimate((rng.random((40, 50)) * 255).astype(np.uint8), weights)
    assert result.edges.any() and np.isfinite(result.radius).all()


def test_the_third_stage_alone_leaves_the_networks_and_uses_its_readings_again(tmp_path):
    photos = write_photos(tmp_path)
    config = tiny_config(photos)
    variables = forward.init_variables(jax.random.key(1), config.network)
    start = tmp_path / "start.safetensors"
    trained.save_variables(start, variables)
    config = dataclasses.replace(config, initial=start)
    options = training.RunOptions(save_every=1)
    folder = tmp_path / "run"
    assert (
        training.run(config, folder, training.RunOptions(max_seconds=0.0, save_every=1), stages=("dense",))
        is None
    )
    (kept,) = (folder / "dense").glob("readings-*")
    made = {path.name: path.stat().st_mtime_ns for path in kept.iterdir()}
    assert set(made) == {"train_00000.npz", "held_out_00000.npz"}
    one = jaxblur.load_weights(training.run(config, folder, options, stages=("dense",)))
    assert {path.name: path.stat().st_mtime_ns for path in kept.iterdir()} == made

    two = jaxblur.load_weights(training.run(config, tmp_path / "straight", options, stages=("dense",)))
    params = one.variables["params"]
    jax.tree.map(np.testing.assert_array_equal, params, two.variables["params"])
    own = {
        parts: {kind: {part: tree[part] for part in parts} for kind, tree in variables.items()}
        for parts in (("f1", "b"), ("f2", "e"))
    }
    before, _ = trained.assemble(*own.values(), config.network)
    jax.tree.map(np.testing.assert_array_equal, params["b"], jax.tree.map(np.asarray, before["b"]))
    plain = fuse.init_parameters(one.network, jax.random.key(0))
    # Untrained networks may give a map of zeros, which teaches the confidence alone.
    assert np.abs(params["spread"]["confidence"] - plain["confidence"]).max() > 1e-6
    (tmp_path / "more").mkdir()
    more = write_photos(tmp_path / "more", count=4)  # readings of other photos do not do
    other = dataclasses.replace(config, data=dataclasses.replace(config.data, photos=more))
    soon = training.RunOptions(max_seconds=0.0, save_every=1, allow_config_change=True)
    training.run(other, folder, soon, stages=("dense",))
    assert len(list((folder / "dense").glob("readings-*"))) == 2
    with pytest.raises(ValueError, match="f1 and b must come from --initial, got none"):
        training.run(dataclasses.replace(config, initial=None), tmp_path / "none", options, stages=("dense",))


def test_networks_take_the_third_stage_of_other_weights(tmp_path):
    """None is trained: the networks are those of the start, folded, and the third stage that of the shipped weights."""
    config = tiny_config(write_photos(tmp_path))
    variables = forward.init_variables(jax.random.key(1), config.network)
    start, shipped = (
        tmp_path / "start.safetensors",
        resources.files("jaxblur.weights") / "jaxblur.safetensors",
    )
    trained.save_variables(start, variables, {"blur_steps": 7})
    config = dataclasses.replace(config, initial=start, third_stage=shipped)
    run = functools.partial(training.run, options=training.RunOptions())
    weights = jaxblur.load_weights(run(config, tmp_path / "run", stages=()))
    own = {
        parts: {kind: {part: tree[part] for part in parts} for kind, tree in variables.items()}
        for parts in (("f1", "b"), ("f2", "e"))
    }
    before, _ = trained.assemble(*own.values(), config.network)
    expected, found = jaxblur.load_weights(), weights.variables["params"]
    jax.tree.map(np.testing.assert_array_equal, found["spread"], expected.variables["params"]["spread"])
    jax.tree.map(np.testing.assert_array_equal, found["b"], jax.tree.map(np.asarray, before["b"]))
    facts, known = (json.loads(one.metadata["facts"]) for one in (weights, expected))
    assert weights.network.pyramid and facts["blur_steps"] == 7 and "edges_steps" not in facts
    assert facts["dense_steps"] == known["dense_steps"]
    assert json.loads(weights.metadata["training_config"])["third_stage"] == "jaxblur.safetensors"
    assert not (tmp_path / "run" / "dense").exists()

    with pytest.raises(ValueError, match="either trained or that of .*jaxblur.safetensors, got both"):
        run(config, tmp_path / "both", stages=("dense",))
    two = run(dataclasses.replace(config, third_stage=None), tmp_path / "two", stages=())
    with pytest.raises(ValueError, match="weights.safetensors: weights with a third stage are asked for"):
        run(dataclasses.replace(config, third_stage=two), tmp_path / "none", stages=())
    levels = dataclasses.replace(config.network, levels=config.network.levels[:-1])
    with pytest.raises(ValueError, match="jaxblur.safetensors: must have the levels .* 5.75"):
        run(dataclasses.replace(config, network=levels), tmp_path / "none", stages=())


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
