import dataclasses
import json
import shutil
from importlib import resources

import numpy as np
import pytest
import scipy.io
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from jaxblur.files import output
from jaxblur.multiscale.parameters import FORMER_NAMES
from jaxblur.network.config import ColumnConfig, NetworkConfig
from jaxblur.network.weights import Weights, flatten_arrays, hash_weights, published_network
from jaxblur.weights import load_weights, save_weights
from jaxblur.weights.file import SHIPPED, expected_shapes, from_arrays
from jaxblur.weights.published import _FILES

NETWORK = NetworkConfig(
    columns=(ColumnConfig(size=9, layers=("conv3",), shift=1),),
    depth_column=ColumnConfig(size=11, layers=("conv3", "conv3")),
    width=3,
    hidden=(4,),
    normalisation="bias",
    level_head="ordinal",
    input_offset=0.5,
    input_scale=3.0,
)
METADATA = {"name": "a test", "licence": "Apache-2.0", "note": 'two\nlines, "quotes", Ünicode'}


def random_arrays(network, rng, *, multiscale=True):
    return {
        name: np.asarray(rng.normal(size=shape), np.float32)
        for name, shape in expected_shapes(network, multiscale=multiscale).items()
    }


def flat(weights):
    return flatten_arrays(weights)


@pytest.fixture
def weights(rng):
    return from_arrays(random_arrays(NETWORK, rng), NETWORK, METADATA, where="test")


@pytest.fixture
def saved(weights, tmp_path):
    path = tmp_path / "own.safetensors"
    save_weights(path, weights)
    return path


def damage(path, **changes):
    """Rewrite a weights file with other arrays or header entries; None removes one."""
    with safe_open(path, framework="numpy") as file:
        header = dict(file.metadata())
    arrays = load_file(path)
    for name, value in changes.items():
        target = header if name in ("format", "network") else arrays
        if value is None:
            target.pop(name)
        else:
            target[name] = value
    save_file(arrays, path, metadata=header)


def test_round_trip_keeps_every_bit(weights, saved, tmp_path):
    loaded = load_weights(saved)
    assert loaded.network == NETWORK
    assert METADATA.items() <= loaded.metadata.items()
    assert flat(loaded).keys() == flat(weights).keys()
    for name, array in flat(weights).items():
        assert flat(loaded)[name].dtype == np.float32
        np.testing.assert_array_equal(
            np.asarray(flat(loaded)[name]).view(np.int32), np.asarray(array).view(np.int32)
        )
    save_weights(tmp_path / "again.safetensors", loaded)
    again = load_weights(tmp_path / "again.safetensors")
    assert again.network == loaded.network and again.metadata == loaded.metadata
    assert (tmp_path / "again.safetensors").stat().st_mode & 0o444 == 0o444


def test_files_written_before_the_present_names_load(weights, saved):
    """They call the fusion "spread", its parameters otherwise, and the flag for it "pyramid"."""
    former = {present: name for name, present in FORMER_NAMES.items()}
    arrays = {}
    for name, array in flat(weights).items():
        head, _, own = name.partition("multiscale/")
        arrays[name if head else f"params/spread/{former.get(own, own)}"] = np.asarray(array)
    assert {"params/spread/range", "params/spread/guide/kernel_0"} <= arrays.keys()
    with safe_open(saved, framework="numpy") as file:
        header = dict(file.metadata())
    header["network"] = json.dumps(json.loads(header["network"]) | {"pyramid": True})
    save_file(arrays, saved, metadata=header)
    loaded = load_weights(saved)
    assert loaded.network == NETWORK and hash_weights(loaded) == hash_weights(weights)


def test_hash_is_of_architecture_and_values(weights, saved):
    assert hash_weights(load_weights(saved)) == hash_weights(weights)
    shifted = dataclasses.replace(NETWORK, input_scale=2.0)
    assert hash_weights(dataclasses.replace(weights, network=shifted)) != hash_weights(weights)
    name = sorted(flat(weights))[0]
    other = {**flat(weights), name: flat(weights)[name] + 1}
    changed = from_arrays(other, NETWORK, METADATA, where="test")
    assert hash_weights(changed) != hash_weights(weights)


def test_every_setting_of_the_architecture_survives(tmp_path, rng):
    """Compared field by field with the defaults, so that a new field cannot be forgotten."""
    changed = {
        field.name
        for field in dataclasses.fields(NETWORK)
        if field.name not in ("trunk", "levels", "dropout")
    }
    stem = {"stem": ("conv2:3",), "step": 2, "patch": 24}
    network = dataclasses.replace(NETWORK, levels=(0.5, 1.0, 3.0), dropout=0.25, **stem)
    save_weights(
        tmp_path / "w.safetensors", from_arrays(random_arrays(network, rng), network, {}, where="test")
    )
    loaded = load_weights(tmp_path / "w.safetensors").network
    assert loaded == network
    for name in changed | {"levels", "dropout"}:
        assert getattr(loaded, name) != getattr(NetworkConfig(), name)


BIAS = "params/b/classification/dense_0/bias"


@pytest.mark.parametrize(
    "changes, message",
    [
        ({BIAS: None}, f"lacks 1 arrays, the first {BIAS}"),
        (
            {"params/z": np.zeros(2, np.float32)},
            "has 1 arrays that the architecture does not know, the first params/z",
        ),
        ({BIAS: np.zeros(5, np.float32)}, rf"array {BIAS} must have shape \(4,\), got \(5,\)"),
        ({BIAS: np.array([0, 1, np.inf, 0], np.float32)}, f"array {BIAS} holds values that are not finite"),
        ({BIAS: np.array([0, 1, np.nan, 0], np.float32)}, f"array {BIAS} holds values that are not finite"),
        ({"format": "other-1"}, "not a jaxblur weights file .format 'other-1'"),
        ({"format": None}, "not a jaxblur weights file .format None"),
        ({"network": None}, "damaged architecture in the header"),
        ({"network": "{"}, "damaged architecture in the header"),
        ({"network": "[3]"}, "damaged architecture in the header"),
        (
            {"network": json.dumps({"widht": 3})},
            "damaged architecture in the header .unknown network setting",
        ),
        ({"network": json.dumps({"columns": [{"layers": []}]})}, "damaged architecture in the header"),
    ],
)
def test_damaged_files_are_refused_in_one_line(changes, message, saved, unchecked):
    damage(saved, **changes)
    with pytest.raises(ValueError, match=message) as error:
        load_weights(saved)
    assert str(error.value).startswith(f"weights {saved}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content", [b"", b"hello, not a weights file", b"\xff" * 100, None], ids=["empty", "text", "bytes", "cut"]
)
def test_what_is_no_safetensors_file_is_refused(content, saved):
    saved.write_bytes(saved.read_bytes()[:-9] if content is None else content)
    with pytest.raises(ValueError, match="not a readable safetensors file") as error:
        load_weights(saved)
    assert "\n" not in str(error.value)


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.safetensors: no such file or folder"):
        load_weights(tmp_path / "absent.safetensors")


def test_shipped_weights_or_a_line_that_says_what_to_do():
    if (resources.files("jaxblur.weights") / SHIPPED).is_file():
        shipped = load_weights()
        assert isinstance(shipped, Weights) and shipped.metadata["licence"]
    else:
        with pytest.raises(
            FileNotFoundError, match="point --weights .* at a .safetensors file or at the model folder"
        ):
            load_weights()


def test_a_failed_write_leaves_what_was_there(weights, saved, tmp_path, monkeypatch):
    before = saved.read_bytes()

    def refuse(*_):
        raise OSError("disk full")

    monkeypatch.setattr(output.os, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        save_weights(saved, dataclasses.replace(weights, metadata={}))
    with pytest.raises(OSError, match="disk full"):
        save_weights(tmp_path / "new.safetensors", weights)
    assert [path.name for path in tmp_path.iterdir()] == [saved.name]
    assert saved.read_bytes() == before


@pytest.fixture
def release(tmp_path, rng):
    """A folder laid out like the published release, with random numbers."""
    arrays = random_arrays(published_network(), rng, multiscale=False)
    folder = tmp_path / "release"
    for part, names in _FILES.items():
        (folder / part).mkdir(parents=True)
        for number, name in enumerate(names):
            scipy.io.savemat(folder / part / f"{number}.mat", {"weights": arrays[name]})
    return folder, arrays


def test_published_folder(release, tmp_path):
    folder, arrays = release
    weights = load_weights(folder)
    assert [column.shift for column in weights.network.columns] == [0, 1, 1]
    assert flat(weights).keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(flat(weights)[name], array)
    save_weights(tmp_path / "imported.safetensors", weights)
    imported = load_weights(tmp_path / "imported.safetensors")
    assert imported.network == weights.network and imported.metadata["licence"] == "GPL-3.0"
    np.testing.assert_array_equal(
        flat(imported)["params/f2/column/convolutions_2/kernel"], arrays[_FILES["edge"][6]]
    )


def test_damaged_published_folders_are_refused(release):
    folder, arrays = release

    def refused(message):
        with pytest.raises(ValueError, match=message) as error:
            load_weights(folder)
        assert str(error.value).startswith(f"weights folder {folder}: ") and "\n" not in str(error.value)

    def write(name, array):
        scipy.io.savemat(folder / name, {"weights": array})

    kernel = arrays["params/f1/columns_1/convolutions_0/kernel"]
    write("edge/8.mat", kernel + 1e-6)
    refused("edge/8.mat differs from its copy of f1-NET in blur/")
    write("edge/8.mat", kernel)
    write("blur/21.mat", np.zeros(7))
    refused(r"array params/b/classification/dense_2/bias must have shape \(23,\), got \(7,\)")
    (folder / "blur/21.mat").write_bytes(b"no MATLAB file")
    refused("blur/21.mat holds no readable array 'weights'")
    scipy.io.savemat(folder / "blur/21.mat", {"other": np.zeros(23)})
    refused("blur/21.mat holds no readable array 'weights'")
    (folder / "blur/21.mat").unlink()
    refused("lacks blur/21.mat; the published release has")
    shutil.rmtree(folder / "blur")
    refused("lacks blur/0.mat")


def test_the_published_release_loads(shared):
    weights = load_weights(shared / "reference" / "published")
    assert weights.network == published_network()
    assert sum(array.size for array in flat(weights).values()) == 963_283
