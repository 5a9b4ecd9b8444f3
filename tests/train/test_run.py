"""The order of the stages, what each leaves for the next, and what is written.

The stages here take steps that compile at once; test_old_run.py has a run of real ones.
"""

import dataclasses
import json
import logging
from importlib import resources

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxblur
from jaxblur.files.output import folder_lock
from jaxblur.multiscale.parameters import init_parameters
from jaxblur.runtime import parallel
from train import run as training
from train.export import weights as weights_export
from train.export.variables import load_variables, save_variables
from train.loop import NonFiniteError
from train.scenes.views import SceneViews
from train.settings import ConfigChangedError
from train.stages import depth_validation, forward, multiscale
from train.stages.fold import fold_batch_norm
from train.stages.joint import JointStage
from train.stages.multiscale import MultiscaleStage
from train.stages.networks import BlurStage, EdgeStage

OPTIONS = training.RunOptions(save_every=1, log_every=1)
STOP = dataclasses.replace(OPTIONS, max_seconds=0.0)
STEP = 0.125  # what a step adds to every parameter
ALL = ("blur", "edges", "multiscale", "joint")


@pytest.fixture(autouse=True)
def quick(monkeypatch, scenes):
    """Steps that move every parameter by `STEP`, and nothing else that takes long to compile."""

    def step(self, state, batch, key):
        params = jax.tree.map(lambda leaf: leaf + STEP, state.params)
        rows = jnp.float32(len(jax.tree.leaves(batch)[0]))
        new = state.replace(step=state.step + 1, params=params, average=params)
        return new, {"loss": parallel.psum((2 * rows, rows))}

    def averaged(self, state):
        return {"params": state.average, "batch_stats": state.batch_stats}

    for stage in (BlurStage, EdgeStage, MultiscaleStage, JointStage):
        monkeypatch.setattr(stage, "step", step)
        monkeypatch.setattr(stage, "validate", lambda self, state: {"loss": 0.5, "error_px": 1.25})
    for stage in (BlurStage, EdgeStage):
        monkeypatch.setattr(stage, "averaged", averaged)
    monkeypatch.setattr(MultiscaleStage, "averaged", lambda self, state: state.average)
    read = {"radius": np.zeros((8, 2, 2), np.float32)}
    monkeypatch.setattr(multiscale, "scene_readings", lambda *args, **settings: [read])

    def take(self, *args, split, **settings):
        vars(self).update(vars(scenes[split == "held_out"]))

    monkeypatch.setattr(SceneViews, "__init__", take)
    nothing = depth_validation.HeldOutDepth({})
    monkeypatch.setattr(depth_validation, "held_out_depth", lambda *args, **settings: nothing)
    monkeypatch.setattr(weights_export, "move_threshold", lambda params, *args: (params, 0.25))


@pytest.fixture(scope="module")
def variables(config):
    """Untrained networks, as NumPy arrays."""
    return jax.tree.map(np.asarray, forward.init_variables(jax.random.key(1), config.network))


@pytest.fixture
def start(variables, tmp_path):
    """Their file."""
    path = tmp_path / "start.safetensors"
    save_variables(path, variables, {"blur_steps": 7, "dense_steps": 3})
    return path


def folded(variables, network):
    return jax.tree.map(np.asarray, fold_batch_norm(**variables, network=network)[0])


def facts_of(weights):
    return json.loads(weights.metadata["facts"])


def test_a_stopped_run_goes_on_and_ends_in_weights(config, tmp_path):
    folder = tmp_path / "run"
    assert training.run(config, folder, STOP) is None
    assert not (folder / "weights.safetensors").exists() and not (folder / "edges").exists()
    weights = jaxblur.load_weights(training.run(config, folder, OPTIONS))
    assert weights.network == dataclasses.replace(config.network, normalisation="bias")
    assert weights.multiscale is not None
    facts = facts_of(weights)
    assert [facts[f"{name}_steps"] for name in ALL[:3]] == [3, 2, 2]
    assert facts["blur_samples"] == 3 * 8 and facts["edges_validation"] == {"loss": 0.5, "error_px": 1.25}
    assert facts["depth_threshold_before_calibration"] == 0.25 and "joint_steps" not in facts
    assert weights.metadata["blur"] == "disk, radius 0.5 to 7.0 px, 30% of crops through a soft lens"
    assert weights.metadata["light"] == "linear light 50%, gamma-encoded values the rest"
    assert sum(json.loads(weights.metadata["training_photos"]).values()) == 3
    assert json.loads(weights.metadata["training_config"])["data"]["photos"] == config.data.photos.name
    untouched = folder.stat().st_mtime_ns
    assert training.run(config, folder, OPTIONS) == folder / "weights.safetensors"  # nothing left to train
    assert folder.stat().st_mtime_ns >= untouched


def test_another_run_starts_from_the_variables(config, variables, start, tmp_path):
    one = dataclasses.replace(
        config,
        initial=start,
        blur=dataclasses.replace(config.blur, steps=1),
        edges=dataclasses.replace(config.edges, steps=1),
    )
    weights = jaxblur.load_weights(training.run(one, tmp_path / "run", OPTIONS, stages=("blur", "edges")))
    assert weights.multiscale is None and facts_of(weights)["blur_steps"] == 8
    found, facts = load_variables(tmp_path / "run" / "variables.safetensors")
    moved = jax.tree.map(lambda leaf: leaf + np.float32(STEP), variables["params"])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found["params"], moved)
    assert facts["blur_steps"] == 8 and facts["edges_steps"] == 1 and "multiscale_steps" not in facts


def test_b_net_alone_leaves_variables_that_e_net_goes_on_from(config, tmp_path, caplog):
    first, second = tmp_path / "first", tmp_path / "second"
    with caplog.at_level(logging.INFO, logger="train"):
        assert training.run(config, first, OPTIONS, stages=("blur",)) is None
    assert "weights.safetensors needs E-Net too" in caplog.text
    assert f"--initial {first / 'variables.safetensors'}" in caplog.text
    assert not (first / "weights.safetensors").exists()
    half, facts = load_variables(first / "variables.safetensors")
    assert set(half["params"]) == {"f1", "b"} and facts["blur_steps"] == 3
    own = dataclasses.replace(config, initial=first / "variables.safetensors")
    weights = jaxblur.load_weights(training.run(own, second, OPTIONS, stages=("edges",)))
    assert facts_of(weights)["blur_steps"] == 3 and facts_of(weights)["edges_steps"] == 2
    whole, _ = load_variables(second / "variables.safetensors")
    jax.tree.map(np.testing.assert_array_equal, {p: whole["params"][p] for p in ("f1", "b")}, half["params"])


def test_the_multiscale_stage_alone_leaves_the_networks(config, variables, start, tmp_path):
    own, stages = dataclasses.replace(config, initial=start), ("multiscale",)
    assert training.run(own, tmp_path / "run", STOP, stages=stages) is None
    one = jaxblur.load_weights(training.run(own, tmp_path / "run", OPTIONS, stages=stages))
    two = jaxblur.load_weights(training.run(own, tmp_path / "straight", OPTIONS, stages=stages))
    jax.tree.map(np.testing.assert_array_equal, one.multiscale, two.multiscale)
    jax.tree.map(np.testing.assert_array_equal, one.variables["params"], folded(variables, config.network))
    before = init_parameters(one.network, jax.random.split(jax.random.key(0))[0])
    moved = jax.tree.map(lambda leaf: leaf + 2 * STEP, before)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one.multiscale, moved)
    facts = facts_of(one)
    assert facts["multiscale_steps"] == 2 and facts["blur_steps"] == 7 and "edges_steps" not in facts
    # The networks are there before their readings are trained on.
    assert (tmp_path / "run" / "variables.safetensors").exists()


def test_networks_take_the_multiscale_stage_of_other_weights(config, variables, start, tmp_path):
    """None is trained: the networks are those of the start, folded, and the fusion that of the shipped weights."""
    shipped = resources.files("jaxblur.weights") / "jaxblur.safetensors"
    own = dataclasses.replace(config, initial=start, multiscale_from=shipped)
    weights = jaxblur.load_weights(training.run(own, tmp_path / "run", OPTIONS, stages=()))
    expected = jaxblur.load_weights()
    jax.tree.map(np.testing.assert_array_equal, weights.multiscale, expected.multiscale)
    jax.tree.map(
        np.testing.assert_array_equal, weights.variables["params"], folded(variables, config.network)
    )
    facts, known = facts_of(weights), facts_of(expected)
    assert facts["blur_steps"] == 7 and "edges_steps" not in facts
    assert facts["multiscale_steps"] == known.get("multiscale_steps", known.get("dense_steps"))
    assert json.loads(weights.metadata["training_config"])["multiscale_from"] == "jaxblur.safetensors"
    assert not (tmp_path / "run" / "multiscale").exists()


def test_the_joint_stage_trains_all_parameters(config, variables, start, tmp_path):
    own = dataclasses.replace(config, initial=start)
    weights = jaxblur.load_weights(training.run(own, tmp_path, OPTIONS, stages=("multiscale", "joint")))
    before = folded(variables, config.network)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b + STEP, atol=1e-5), weights.variables["params"], before
    )
    fusion = init_parameters(weights.network, jax.random.split(jax.random.key(0))[0])
    moved = jax.tree.map(
        lambda leaf: leaf + 3 * STEP, fusion
    )  # two steps of its own and one of the joint stage
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), weights.multiscale, moved)
    facts = facts_of(weights)
    assert facts["multiscale_steps"] == 2 and facts["joint_steps"] == 1
    assert facts["joint_validation"] == {"loss": 0.5, "error_px": 1.25}


def test_a_stage_that_diverges_leaves_what_was_trained_before(config, tmp_path, monkeypatch):
    def diverge(self, state, batch, key):
        return state.replace(step=state.step + 1), {"loss": (jnp.float32(jnp.nan), jnp.float32(1))}

    monkeypatch.setattr(MultiscaleStage, "step", diverge)
    with pytest.raises(NonFiniteError, match="multiscale: loss is nan at step 1"):
        training.run(config, tmp_path, OPTIONS)
    assert set(load_variables(tmp_path / "variables.safetensors")[0]["params"]) == {"f1", "b", "f2", "e"}


def test_two_runs_into_one_folder_at_once_are_refused(config, variables, start, tmp_path):
    own, folder = dataclasses.replace(config, initial=start), tmp_path / "run"
    folder.mkdir()
    with folder_lock(folder):
        with pytest.raises(ValueError, match="output .*run: another run is writing to it; wait for it, or"):
            training.run(own, folder, OPTIONS, stages=())
        assert not list(folder.iterdir())
    assert training.run(own, folder, OPTIONS, stages=()) == folder / "weights.safetensors"


def test_settings_of_a_finished_stage_are_compared_before_anything_is_done(config, tmp_path):
    training.run(config, tmp_path, OPTIONS, stages=("blur",))
    other = dataclasses.replace(config, blur=dataclasses.replace(config.blur, steps=4))
    with pytest.raises(ConfigChangedError, match=r"\(blur.steps: 3 -> 4\)"):
        training.run(other, tmp_path, OPTIONS)
    assert not (tmp_path / "edges").exists()
