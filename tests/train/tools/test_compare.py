import json

import jax
import pytest

from jaxblur.network.weights import Weights
from jaxblur.weights import save_weights
from tests.train.tiny import tiny_config, write_photos
from train.data.config import DataConfig
from train.presets import PRESETS
from train.stages import forward
from train.stages.fold import fold_batch_norm
from train.tools import compare


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("photos"), count=12)


def test_figures_of_two_weights_at_the_radii_asked_for(photos, tmp_path, capsys):
    network = tiny_config(photos, width=8, hidden=(12, 10)).network
    for number in range(2):
        variables = forward.init_variables(jax.random.key(number), network)
        params, plain = fold_batch_norm(**variables, network=network)
        save_weights(tmp_path / f"{number}.safetensors", Weights({"params": params}, plain))
    names = [str(tmp_path / f"{number}.safetensors") for number in range(2)]
    arguments = ["--photos", str(photos), "--weights", *names, "--contents", "1"]
    assert compare.main([*arguments, "--radii", "1.125", "3", "--json", str(tmp_path / "out.json")]) == 0
    record = json.loads((tmp_path / "out.json").read_text())
    first, second = (record["figures"][name] for name in names)
    assert set(first["blur"]["clean"]) == {"1.125", "3.0"} and first["blur"] != second["blur"]
    printed = capsys.readouterr().out
    assert "1.125" in printed and f"{first['blur']['clean']['1.125']:.3f}" in printed
    assert f"{second['depth']['precision_clean']:.3f}" in printed


def test_weights_that_read_other_patches_are_refused(photos, tmp_path, capsys):
    network = PRESETS["smoke"](DataConfig()).network
    params, plain = fold_batch_norm(**forward.init_variables(jax.random.key(0), network), network=network)
    save_weights(tmp_path / "small.safetensors", Weights({"params": params}, plain))
    arguments = ["--photos", str(photos), "--weights", str(tmp_path / "small.safetensors")]
    assert compare.main([*arguments, "--contents", "1"]) == 2
    assert "small.safetensors reads patches of 23 px; 41 px are asked for" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--radii", "1", "8"], "radii must be"),
        (["--contents", "0"], "contents must be"),
        (["--weights", "none.safetensors"], "none.safetensors"),
    ],
)
def test_bad_input_is_one_line(extra, message, photos, capsys):
    assert compare.main(["--photos", str(photos), *extra]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and message in captured.err
