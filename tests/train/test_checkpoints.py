"""Checkpoints: complete, checked, and robust against damage of any kind."""

import logging
import resource
import shutil
from types import SimpleNamespace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from train.checkpoints import Checkpoint, CheckpointError, Checkpoints, newest_settings
from train.settings import ConfigChangedError

CONFIG = {"rate": 0.01, "levels": [1, 2], "net": {"width": 8}}


class State(NamedTuple):
    step: np.ndarray
    params: dict
    opt_state: optax.OptState
    key: jax.Array
    batch_stats: dict


def make_state(step, seed=0):
    rng = np.random.default_rng([seed, step])
    params = {
        "w": rng.normal(size=(100, 30)).astype(np.float32),
        "half": jnp.asarray(rng.normal(size=3), jnp.bfloat16),
    }
    return State(np.int32(step), params, optax.adam(1e-3).init(params), jax.random.key(step), {})


def save(checkpoints, step, **options):
    settings = dict(key=jax.random.key(9), config=CONFIG, progress={"samples": 10 * step})
    checkpoints.save(step, make_state(step), **{**settings, **options})


def assert_state(found, step):
    assert isinstance(found, Checkpoint) and found.step == step
    expected = make_state(step)
    assert jax.tree.structure(found.state) == jax.tree.structure(expected)
    assert found.state.key == expected.key
    for got, wanted in zip(
        jax.tree.leaves(found.state._replace(key=0)), jax.tree.leaves(expected._replace(key=0)), strict=True
    ):
        assert np.asarray(got).dtype == np.asarray(wanted).dtype
        np.testing.assert_array_equal(np.asarray(got), np.asarray(wanted))


def reopened(folder, **options):
    """Read the newest checkpoint with a manager of its own, as a new process would."""
    checkpoints = Checkpoints(folder)
    try:
        return checkpoints.restore_latest(make_state(0), config=CONFIG, **options), checkpoints.steps
    finally:
        checkpoints.close()


@pytest.fixture
def folder(tmp_path):
    checkpoints = Checkpoints(tmp_path / "run")
    for step in (5, 10, 15):
        save(checkpoints, step)
    checkpoints.close()
    return tmp_path / "run"


def test_round_trip_of_everything(folder):
    found, steps = reopened(folder)
    assert_state(found, 15)
    assert found.key == jax.random.key(9)
    assert found.config == CONFIG and found.progress == {"samples": 150}
    assert steps == [5, 10, 15]


def test_restores_into_shapes_without_values(folder):
    checkpoints = Checkpoints(folder)
    found = checkpoints.restore_latest(
        jax.eval_shape(lambda: make_state(0))._replace(key=jax.random.key(0)), config=CONFIG
    )
    assert_state(found, 15)
    checkpoints.close()


def test_state_may_change_once_save_returned(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    state = jax.device_put(make_state(1).params["w"])
    checkpoints.save(1, {"w": state}, key=jax.random.key(0), config={}, progress={})
    jax.jit(lambda x: x * 0.0, donate_argnums=0)(state).block_until_ready()
    found = checkpoints.restore_latest({"w": make_state(0).params["w"]}, config={})
    np.testing.assert_array_equal(found.state["w"], make_state(1).params["w"])
    checkpoints.close()


def test_empty_folder_has_nothing(tmp_path):
    assert reopened(tmp_path / "new") == (None, [])


def test_keeps_the_last_across_restarts(tmp_path):
    for step in range(1, 6):
        checkpoints = Checkpoints(tmp_path)
        save(checkpoints, step)
        checkpoints.close()
    assert reopened(tmp_path)[1] == [3, 4, 5]


def test_settings_are_read_from_the_newest_that_can_be(folder):
    assert newest_settings(folder) == CONFIG
    truncate(folder / "15" / "meta" / "metadata")
    assert newest_settings(folder) == CONFIG
    assert newest_settings(folder / "none") is None


def truncate(file):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def largest(step_folder):
    return max(
        (file for file in step_folder.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size
    )


def empty(step_folder):
    shutil.rmtree(step_folder)
    step_folder.mkdir()


DAMAGES = {
    "values truncated": lambda f: truncate(largest(f)),
    "values flipped": lambda f: flip(largest(f)),
    "values missing": lambda f: largest(f).unlink(),
    "tree truncated": lambda f: truncate(f / "state" / "_METADATA"),
    "tree missing": lambda f: (f / "state" / "_METADATA").unlink(),
    "meta truncated": lambda f: truncate(f / "meta" / "metadata"),
    "meta missing": lambda f: (f / "meta" / "metadata").unlink(),
    "all missing": empty,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_newest_falls_back_with_one_warning(folder, caplog, damage):
    damage(folder / "15")
    with caplog.at_level(logging.WARNING, logger="train.checkpoints"):
        found, steps = reopened(folder)
    assert_state(found, 10)
    warnings = [record.getMessage() for record in caplog.records if record.name == "train.checkpoints"]
    assert len(warnings) == 1
    assert warnings[0].startswith("checkpoint 15 is damaged (") and "from checkpoint 10" in warnings[0]
    assert steps == [5, 10]  # so that 15 can be written again
    checkpoints = Checkpoints(folder)
    save(checkpoints, 15)
    checkpoints.close()
    assert_state(reopened(folder)[0], 15)


def test_all_damaged_is_an_error_that_says_why_and_removes_nothing(folder):
    for step in (5, 10, 15):
        truncate(largest(folder / str(step)))
    with pytest.raises(CheckpointError, match="no checkpoint in .* can be read; 15: "):
        reopened(folder)
    assert sorted(entry.name for entry in folder.iterdir()) == ["10", "15", "5"]


@pytest.mark.parametrize(
    "like, message",
    [
        (
            make_state(0)._replace(
                params={"w": np.zeros((4, 3), np.float32), "half": jnp.zeros(3, jnp.bfloat16)}
            ),
            "100, 30",
        ),
        (make_state(0)._replace(params={"w": np.zeros((100, 30), np.float32)}), "can be read"),
    ],
)
def test_state_of_another_shape_is_an_error(folder, like, message):
    checkpoints = Checkpoints(folder)
    with pytest.raises(CheckpointError, match=message):
        checkpoints.restore_latest(like, config=CONFIG)
    checkpoints.close()


def test_changed_config_is_refused_by_name_unless_allowed(folder):
    changed = {"rate": 0.01, "levels": [1, 3], "net": {"width": 8, "depth": 2}}
    checkpoints = Checkpoints(folder)
    with pytest.raises(
        ConfigChangedError, match=r"\(levels: \[1, 2\] -> \[1, 3\]; net.depth: 'absent' -> 2\)"
    ):
        checkpoints.restore_latest(make_state(0), config=changed)
    assert_state(checkpoints.restore_latest(make_state(0), config=changed, allow_config_change=True), 15)
    checkpoints.close()


def test_full_disk_is_noticed_before_writing(folder, monkeypatch, caplog):
    before = sorted(str(file) for file in folder.rglob("*"))
    checkpoints = Checkpoints(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(
        CheckpointError, match="cannot write .*: OSError: 0.0 MB are free, 0.1 MB needed; those before"
    ):
        save(checkpoints, 20)
    checkpoints.close()
    assert sorted(str(file) for file in folder.rglob("*")) == before
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


# Orbax's other writes in flight end in tracebacks of their own.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_failed_write_is_an_error_and_leaves_nothing_half_written(folder):
    before = sorted(str(file) for file in folder.rglob("*"))
    checkpoints = Checkpoints(folder)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # a write beyond this fails as on a full disk
    try:
        with pytest.raises(
            CheckpointError, match="cannot write a checkpoint to .*; those before it are intact"
        ):
            save(checkpoints, 20)
            checkpoints.wait()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(str(file) for file in folder.rglob("*")) == before
    assert_state(reopened(folder)[0], 15)


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot use .*file/checkpoints for checkpoints"):
        Checkpoints(tmp_path / "file" / "checkpoints")
