"""A whole distillation in small: stopped, gone on, and the weights that it ends in."""

import dataclasses
import json

import numpy as np
import pytest

import jaxblur
from tests.jaxblur.tiny import add_multiscale, make_weights
from tests.train.tiny import write_photos
from train.config import OptimiserConfig
from train.data.config import DataConfig
from train.distil import __main__ as command
from train.distil.config import DistilConfig
from train.distil.run import run
from train.run import RunOptions

pytestmark = pytest.mark.usefixtures("standard_promotion")
SMALL = DistilConfig(
    steps=3, points=16, taught_files=1, labelled_files=1, scenes=2, optimiser=OptimiserConfig(warmup_steps=1)
)


@pytest.fixture
def own(config):
    """Settings whose scenes are large enough to cut views from."""
    return dataclasses.replace(config, network_scene=dataclasses.replace(config.network_scene, view_size=96))


def test_a_teacher_with_other_levels_is_refused(own, tmp_path):
    teacher = make_weights(dataclasses.replace(own.network, normalisation="bias", levels=(1.0, 2.0)))
    with pytest.raises(ValueError, match="teacher: must have an ordinal head and the levels"):
        run(own, SMALL, tmp_path / "run", RunOptions(), teacher=teacher)
    assert not (tmp_path / "run").exists()


def test_bad_input_of_the_command_is_one_line(tmp_path, capsys):
    assert command.main(["--photos", str(tmp_path / "none"), "--output", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err.strip().endswith(f"photo folder {tmp_path / 'none'} does not exist")
    assert command.main(["--photos", str(tmp_path), "--output", str(tmp_path / "run"), "--points", "3"]) == 2
    assert "points must be a multiple of 8, got 3" in capsys.readouterr().err


@pytest.mark.slow
def test_stopped_it_goes_on_to_the_same_weights(own, tmp_path):
    own = dataclasses.replace(own, data=DataConfig(photos=write_photos(tmp_path)))
    teacher = add_multiscale(make_weights(dataclasses.replace(own.network, normalisation="bias")))
    options = RunOptions(save_every=1, log_every=1, validate_every=2)
    whole = run(own, SMALL, tmp_path / "whole", options, teacher=teacher)
    stopped = dataclasses.replace(options, max_seconds=0.0)
    for _ in range(SMALL.steps):
        path = run(own, SMALL, tmp_path / "parts", stopped, teacher=teacher)
    weights, other = jaxblur.load_weights(whole), jaxblur.load_weights(path)
    for one, two in zip(*(sorted(w.variables["params"]) for w in (weights, other)), strict=True):
        assert one == two
    np.testing.assert_array_equal(
        weights.variables["params"]["b"]["classification"]["dense_0"]["kernel"],
        other.variables["params"]["b"]["classification"]["dense_0"]["kernel"],
    )
    assert weights.multiscale is not None and weights.network.normalisation == "bias"
    facts = json.loads(weights.metadata["facts"])
    assert facts["distil_steps"] == 3 and "from_teacher_px" in facts["distil_validation"]
    assert (tmp_path / "whole" / "variables.safetensors").exists()
