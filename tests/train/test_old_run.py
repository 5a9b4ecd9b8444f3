"""A run that an older version began, see tests/golden: it is read, it goes on, and its numbers are those of today."""

import dataclasses
import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxblur
from jaxblur.multiscale.parameters import MultiscaleParameters, init_parameters
from train import renamed
from train import run as training
from train.checkpoints import Checkpoints, newest_settings
from train.export.variables import load_initial
from train.export.weights import load_multiscale
from train.prepare import stage_settings, weights_hash
from train.settings import ConfigChangedError, check_config
from train.stages.multiscale import MultiscaleStage
from train.stages.optim import make_optimiser
from train.writers import read_curve

RUN = Path(__file__).parents[1] / "golden" / "run"
pytestmark = pytest.mark.usefixtures("standard_promotion")


@pytest.fixture
def old(tmp_path):
    """The folder of the stopped run, to write to."""
    return Path(shutil.copytree(RUN, tmp_path / "run"))


def multiscale_stage(config, weights):
    """The stage without its readings."""
    stage = MultiscaleStage.__new__(MultiscaleStage)
    stage.config, stage.stage, stage.network = config, config.multiscale, weights.network
    stage.optimiser = make_optimiser(config.multiscale.optimiser, config.multiscale.steps)
    return stage


def test_its_settings_are_those_of_today_by_other_names(config):
    saved = newest_settings(RUN / "dense" / "checkpoints")
    assert {"dense", "scene", "scenes"} <= set(saved)
    current = {**stage_settings(config, "multiscale"), "seed": 0}
    check_config(saved, current, ignored=frozenset({"weights"}))
    current["formation"]["camera"]["low_contrast_probability"] = 0.3
    with pytest.raises(
        ConfigChangedError, match=r"\(formation.camera.low_contrast_probability: 0.4 -> 0.3\)"
    ):
        check_config(saved, current, ignored=frozenset({"weights"}))


def test_its_weights_are_known_by_their_former_hash(old):
    two, three = (jaxblur.load_weights(RUN / f"{count}_stages.safetensors") for count in ("two", "three"))
    assert two.multiscale is None and three.multiscale is not None
    saved = newest_settings(old / "dense" / "checkpoints")["weights"]
    assert renamed.former_hash(two) == saved == weights_hash(old, "multiscale", two)
    assert renamed.former_hash(three) == "2070f4f3d487"  # in the checkpoint of the fourth stage
    assert weights_hash(old, "joint", three) != renamed.former_hash(three)  # not begun in this folder


def test_its_checkpoint_is_the_state_of_today(config, old):
    two = jaxblur.load_weights(RUN / "two_stages.safetensors")
    like = multiscale_stage(config, two).init(jax.random.split(jax.random.key(0))[0])
    checkpoints = Checkpoints(renamed.stage_folder(old, "multiscale") / "checkpoints")
    settings = {
        **stage_settings(config, "multiscale", weights=weights_hash(old, "multiscale", two)),
        "seed": 0,
    }
    found = checkpoints.restore_latest(like, config=settings)
    checkpoints.save(2, found.state, key=found.key, config=settings, progress=found.progress)
    again = checkpoints.restore_latest(like, config=settings)
    checkpoints.close()
    assert found.step == int(found.state.step) == 1 and again.step == 2
    assert jax.tree.structure(found.state) == jax.tree.structure(like)
    jax.tree.map(np.testing.assert_array_equal, again.state, found.state)
    start = init_parameters(two.network, jax.random.split(jax.random.key(0))[0])
    assert isinstance(found.state.params, MultiscaleParameters)
    rate = config.multiscale.optimiser.adam_rate
    for name in MultiscaleParameters.__dataclass_fields__:
        for one, other in zip(
            *map(jax.tree.leaves, (getattr(found.state.params, name), getattr(start, name))), strict=True
        ):
            np.testing.assert_allclose(one, other, atol=1.5 * rate, err_msg=name)  # one step with momentum
    assert np.abs(found.state.params.exponents - start.exponents).max() > 1e-4


def test_the_state_of_the_joint_stage_is_renamed_too():
    fusion = MultiscaleParameters(*(np.full(1, i) for i in range(10)), guide={"kernel_0": np.zeros(2)})
    state = {"params": {"b": {"kernel": np.ones(3)}, "multiscale": fusion}, "step": np.int32(4)}
    former = renamed.former_state(state)
    assert set(former["params"]) == {"b", "spread"} and former["step"] == 4
    assert former["params"]["spread"]["powers"] == fusion.exponents
    assert former["params"]["spread"]["share"] == fusion.extent_weight
    jax.tree.map(np.testing.assert_array_equal, renamed.present_state(state, former), state)


def test_its_files_can_be_started_from(config):
    variables, facts = load_initial(RUN / "variables.safetensors", config.network)
    assert set(variables["params"]) == {"f1", "b", "f2", "e"} and facts["blur_steps"] == 3
    assert "error_px_low_contrast" in facts["blur_validation"]
    parameters, facts = load_multiscale(RUN / "three_stages.safetensors", config.network)
    assert isinstance(parameters, MultiscaleParameters)
    assert facts["multiscale_steps"] == 2 and "error_px" in facts["multiscale_validation"]


@pytest.mark.slow
def test_it_goes_on_to_the_same_end(config, old):
    own = dataclasses.replace(config, initial=old / "variables.safetensors")
    path = training.run(own, old, training.RunOptions(save_every=1, log_every=1), stages=("multiscale",))
    found, wanted = jaxblur.load_weights(path), jaxblur.load_weights(RUN / "three_stages.safetensors")
    jax.tree.map(
        np.testing.assert_array_equal, found.variables, wanted.variables
    )  # not trained by this stage
    assert_same_maps(found, wanted)
    lines = read_curve(old / "dense" / "curve.jsonl")
    assert [line["step"] for line in lines] == [1, 2, 2] and not (old / "multiscale").exists()


@pytest.mark.slow
def test_a_run_of_all_stages_has_the_numbers_of_the_older_version(config, tmp_path):
    """Every stage for real, from the photos on; and weights that estimate."""
    options = training.RunOptions(save_every=1, log_every=1)
    stages = ("blur", "edges", "multiscale", "joint")
    found = jaxblur.load_weights(training.run(config, tmp_path / "run", options, stages=stages))
    assert_same_maps(found, jaxblur.load_weights(RUN / "four_stages.safetensors"))
    curves = {name: f"{name}/curve.jsonl" for name in stages} | {"multiscale": "dense/curve_to_the_end.jsonl"}
    for name, path in curves.items():
        lines, wanted = (read_curve(file) for file in (tmp_path / "run" / name / "curve.jsonl", RUN / path))
        assert len(lines) == len(wanted)
        for line, other in zip(lines, wanted, strict=True):
            assert line.pop("kind") == other.pop("kind")
            other = {k: v for k, v in renamed.facts(other).items() if not k.endswith(("seconds", "second"))}
            assert {k: line[k] for k in other} == pytest.approx(other, rel=0.05, abs=0.01)
    facts = json.loads(found.metadata["facts"])
    assert [facts[f"{name}_steps"] for name in stages] == [3, 2, 2, 1]


def assert_same_maps(found, wanted):
    """Weights that say the same of a photo.

    The weights themselves differ: Adam makes whole steps of the signs of gradients that are zero but for rounding,
    and rounding differs from compiler to compiler. Without the steps the confidence would be off by 0.2.
    """
    assert found.network == wanted.network
    photo = np.random.default_rng(0).random((40, 50))
    one, other = (jaxblur.estimate(photo, weights) for weights in (found, wanted))
    np.testing.assert_array_equal(one.edges, other.edges)
    assert one.edges.any()
    np.testing.assert_allclose(one.radius, other.radius, atol=0.02)
    np.testing.assert_allclose(one.confidence, other.confidence, atol=0.04)
