"""What can be known before the first step is refused before it, in one line, and nothing is left behind."""

import dataclasses
import json
import shutil
from importlib import resources
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from jaxblur.network.weights import Weights
from jaxblur.weights import save_weights
from train.config import StageConfig
from train.export.variables import load_initial, save_variables
from train.prepare import BLUR_FILE, prepare
from train.stages import forward
from train.stages.fold import fold_batch_norm

SHIPPED = resources.files("jaxblur.weights") / "jaxblur.safetensors"


@pytest.fixture(scope="module")
def variables(config):
    return jax.tree.map(np.asarray, forward.init_variables(jax.random.key(1), config.network))


@pytest.fixture(scope="module")
def start(variables, tmp_path_factory):
    """Files of all parts, of the first two alone, and of weights without fusion."""
    folder = tmp_path_factory.mktemp("start")
    save_variables(folder / "all.safetensors", variables)
    half = {kind: {part: tree[part] for part in ("f1", "b")} for kind, tree in variables.items()}
    save_variables(folder / "half.safetensors", half)
    return folder


def refused(config, folder, stages, message, kind=ValueError):
    before = sorted(folder.rglob("*")) if folder.exists() else None
    with pytest.raises(kind, match=message) as error:
        prepare(config, folder, stages, allow_config_change=False)
    assert "\n" not in str(error.value)
    assert (sorted(folder.rglob("*")) if folder.exists() else None) == before


@pytest.mark.parametrize(
    ("stages", "changes", "message"),
    [
        (("blur", "depth"), {}, "stages must be some of blur,edges,multiscale,joint, got 'depth'"),
        (("blur", "dense"), {}, "got 'dense'"),
        (("blur", "blur"), {}, "each stage is trained once, got blur,blur"),
        (("edges",), {}, "without the stage blur, f1 and b must come from --initial, got none"),
        (("multiscale",), {}, "f1 and b must come from --initial, got none"),
        ((), {}, "f1 and b must come from --initial, got none"),
        (("multiscale",), {"initial": "half"}, "f2 and e must come from --initial, got .*half.safetensors"),
        (("blur", "multiscale"), {}, "without the stage edges, f2 and e must come from --initial, got none"),
        (("blur",), {"multiscale_from": SHIPPED}, "f2 and e must come from --initial"),
        (
            ("blur", "edges", "joint"),
            {},
            "joint goes on from the stage multiscale, which is not among blur,edges,",
        ),
        (
            ("blur", "edges", "multiscale"),
            {"multiscale_from": SHIPPED},
            "either trained or that of .*, got both",
        ),
        (("blur", "edges"), {"multiscale_from": "all"}, "all.safetensors: not a jaxblur weights file"),
        (("blur", "edges"), {"initial": "none"}, "none.safetensors: no such file; variables.safetensors of"),
    ],
)
def test_stages_and_what_they_start_from(config, start, tmp_path, stages, changes, message):
    paths = {
        name: start / f"{value}.safetensors" if isinstance(value, str) else value
        for name, value in changes.items()
    }
    kind = (ValueError, FileNotFoundError)
    refused(dataclasses.replace(config, **paths), tmp_path / "run", stages, message, kind)


def test_the_joint_stage_needs_composed_scenes(config, start, tmp_path):
    alone = StageConfig(steps=1, contents=8)
    own = dataclasses.replace(config, blur=alone, edges=alone, network_scene_count=0)
    own = dataclasses.replace(own, initial=start / "all.safetensors")
    refused(own, tmp_path / "run", ("multiscale", "joint"), "composed scenes, got the preset smoke without")


def test_levels_of_the_fusion_are_those_of_the_networks(config, variables, tmp_path):
    levels = dataclasses.replace(config.network, levels=config.network.levels[:-1])
    own = dataclasses.replace(config, network=levels, multiscale_from=SHIPPED)
    refused(own, tmp_path / "run", ("blur", "edges"), "jaxblur.safetensors: must have the levels .* 5.75")
    params, network = fold_batch_norm(**variables, network=config.network)
    save_weights(tmp_path / "two.safetensors", Weights({"params": params}, network))
    own = dataclasses.replace(config, multiscale_from=tmp_path / "two.safetensors")
    message = "two.safetensors: weights with a multiscale stage are asked for, these have none"
    refused(own, tmp_path / "run", ("blur", "edges"), message)


def test_variables_must_fit_and_be_finite(config, variables, tmp_path):
    wide = dataclasses.replace(config, network=dataclasses.replace(config.network, width=3))
    path = tmp_path / "start.safetensors"
    save_variables(path, variables)
    refused(
        dataclasses.replace(wide, initial=path),
        tmp_path / "run",
        ("blur",),
        r"must have shape \(3,\), got \(2,\)",
    )
    bad = jax.tree.map(np.array, variables)
    bad["params"]["b"]["trunk"]["convolutions_1"]["kernel"][-1, -1, -1, -1] = np.nan
    save_variables(path, bad)
    message = "params/b/trunk/convolutions_1/kernel holds values that are not finite"
    refused(dataclasses.replace(config, initial=path), tmp_path / "run", ("blur",), message)
    with pytest.raises(ValueError, match="not finite"):
        load_initial(path, config.network)


def test_the_first_stage_of_an_earlier_call_must_fit(config, variables, tmp_path):
    save_variables(tmp_path / BLUR_FILE, variables)
    wide = dataclasses.replace(config, network=dataclasses.replace(config.network, width=3))
    refused(wide, tmp_path, ("blur", "edges"), f"{BLUR_FILE}: .* must have shape")


def test_views_fit_into_scenes_and_batches_on_devices(config, tmp_path):
    large = dataclasses.replace(config, blur=dataclasses.replace(config.blur, view_size=72))
    message = "views of the stage blur, 72 px, cannot be cut from scenes of 64 px"
    refused(large, tmp_path / "run", ("blur",), message)
    odd = dataclasses.replace(config, edges=dataclasses.replace(config.edges, contents=12))
    message = "contents of the stage edges must be a multiple of the number of devices 8, got 12"
    refused(odd, tmp_path / "run", ("blur", "edges"), message)
    joint = dataclasses.replace(config, joint=dataclasses.replace(config.joint, scenes_per_step=4))
    message = "scenes per step of the stage joint must be a multiple of the number of devices 8, got 4"
    refused(joint, tmp_path / "run", ("blur", "edges", "multiscale", "joint"), message)


def test_the_output_folder(config, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    message = "output .*file/run: cannot be written"
    refused(config, tmp_path / "file" / "run", ("blur", "edges"), message, OSError)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1e6))
    message = r"output .*run: 0.0 GB are free, up to 0.0 GB needed for checkpoints and scenes"
    refused(config, tmp_path / "run", ("blur", "edges", "multiscale"), message, OSError)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1e9))
    assert prepare(config, tmp_path / "run", ("blur", "edges"), allow_config_change=False).weights


@pytest.mark.parametrize(
    ("outlines", "message"),
    [
        ('{"instances": [{"file": "photo_0.png", "segmentation": [[1, 2', "is not readable"),
        ('{"instances": [{"file": "other.png", "segmentation": [[1, 2, 3, 4, 5, 6]]}]}', "names other.png"),
        (
            '{"instances": [{"file": "photo_0.png", "segmentation": [[1, NaN, 3, 4, 5, 6]]}]}',
            "leaves photo_0.png",
        ),
    ],
)
def test_outlines_are_read_before_b_net_is_trained(config, tmp_path, outlines, message):
    photos = tmp_path / "photos"
    shutil.copytree(config.data.photos, photos)
    (photos / "coco_instances.json").write_text(outlines)
    own = dataclasses.replace(config, data=dataclasses.replace(config.data, photos=photos))
    refused(own, tmp_path / "run", ("blur", "edges"), f"outline file .*coco_instances.json .*{message}")


def test_photos_too_small_for_scenes_are_refused_with_the_rest(config, tmp_path):
    scene = dataclasses.replace(config.multiscale_scene, view_size=180)
    own = dataclasses.replace(config, multiscale_scene=scene)
    refused(own, tmp_path / "run", ("blur", "edges", "multiscale"), "smaller than the crop")


def test_a_damaged_checkpoint_is_left_to_the_loop(config, tmp_path):
    folder = tmp_path / "blur" / "checkpoints" / "5" / "meta"
    folder.mkdir(parents=True)
    (folder / "metadata").write_text(json.dumps({"half": 1})[:-3])
    assert prepare(config, tmp_path, ("blur", "edges"), allow_config_change=False).stages == ("blur", "edges")
