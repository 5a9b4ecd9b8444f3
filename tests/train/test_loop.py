"""The loop on a toy stage. Run as a script, this file trains the toy in a process that a test can kill."""

import contextlib
import dataclasses
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxblur.runtime import parallel
from train import loop, settings, writers

TX = optax.sgd(1e-2, momentum=0.9)


@flax.struct.dataclass
class State:
    step: jax.Array
    params: Any
    opt_state: optax.OptState


class Toy:
    """Noisy linear regression; every seventh row is invalid, so that means must be weighted by counts."""

    name = "toy"

    def __init__(self, *, rows=16, pause=0.0):
        self.rows, self.pause = rows, pause

    def init(self, key):
        params = {"w": jax.random.normal(key, (5, 3)), "b": jnp.zeros(3)}
        return State(jnp.zeros((), jnp.int32), params, TX.init(params))

    def batch(self, step):
        time.sleep(self.pause)
        x = np.random.default_rng([7, step]).normal(size=(self.rows, 5)).astype(np.float32)
        return {"x": x, "y": x[:, :3] - x[:, 1:4], "valid": np.arange(self.rows) % 7 != 3}

    def step(self, state, batch, key):
        def loss_sum(params):
            keys = parallel.sample_keys(key, batch["x"].shape[0])
            noise = jax.vmap(lambda k: jax.random.uniform(k, (5,)))(keys)
            error = jnp.square((batch["x"] + 0.1 * noise) @ params["w"] + params["b"][None] - batch["y"])
            return jnp.where(batch["valid"], error.sum(1), 0.0).sum()

        total, gradient = jax.value_and_grad(loss_sum)(state.params)
        count = batch["valid"].sum(dtype=jnp.int32)
        updates, opt_state = TX.update(parallel.psum_mean(gradient, count), state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        return State(state.step + 1, params, opt_state), {"loss": parallel.psum((total, count))}

    def validate(self, state):
        x = Toy.batch(self, 10**6)["x"]
        return {"mae": float(np.abs(x @ state.params["w"] + state.params["b"] - x[:, :3] + x[:, 1:4]).mean())}


def run(workdir, *, num_steps=20, stage=None, **options):
    defaults = dict(
        devices=jax.devices()[:2],
        config_dict={"rate": 0.01},
        log_every=4,
        validate_every=10,
        save_every=5,
    )
    return loop.run(stage or Toy(), workdir=workdir, num_steps=num_steps, **{**defaults, **options})


def assert_same_parameters(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


def saved_steps(workdir):
    return sorted(int(entry.name) for entry in (Path(workdir) / "checkpoints").iterdir())


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    return folder, run(folder)


def test_learns_and_keeps_the_last(tmp_path):
    state = run(tmp_path, num_steps=300, validate_every=50, save_every=60, log_every=50)
    lines = writers.read_curve(tmp_path / "curve.jsonl")
    validations = [line["mae"] for line in lines if line["kind"] == "validation"]
    assert int(state.step) == 300
    assert validations[-1] < 0.5 * validations[0]
    assert saved_steps(tmp_path) == [240, 250, 300]


def test_one_device_equals_eight_with_the_same_batch(tmp_path):
    one, eight = (run(tmp_path / str(n), devices=jax.devices()[:n]) for n in (1, 8))
    for name, value in eight.params.items():
        np.testing.assert_allclose(one.params[name], value, rtol=2e-5, atol=1e-6)
    losses = [
        [line["loss"] for line in writers.read_curve(tmp_path / n / "curve.jsonl") if "loss" in line]
        for n in "18"
    ]
    np.testing.assert_allclose(*losses, rtol=2e-5)


def test_curve_holds_count_weighted_means_and_samples(tmp_path):
    class Counting(Toy):
        def step(self, state, batch, key):
            value = jnp.where(batch["valid"], batch["x"][:, 0], 0.0).sum()
            count = batch["valid"].sum(dtype=jnp.int32)
            never = (jnp.zeros(()), jnp.zeros((), jnp.int32))
            return dataclasses.replace(state, step=state.step + 1), {
                "loss": parallel.psum((value, count)),
                "never": never,
            }

    run(tmp_path, num_steps=6, stage=Counting())
    train = [line for line in writers.read_curve(tmp_path / "curve.jsonl") if line["kind"] == "train"]
    batches = [Toy().batch(step) for step in range(6)]
    means = [
        np.concatenate([batch["x"][batch["valid"], 0] for batch in window]).mean()
        for window in (batches[:4], batches[4:])
    ]
    np.testing.assert_allclose([line["loss"] for line in train], means, rtol=1e-5)
    valid_rows = int(batches[0]["valid"].sum())
    assert [(line["step"], line["samples"]) for line in train] == [(4, 4 * valid_rows), (6, 6 * valid_rows)]
    assert all("never" not in line for line in train)


@pytest.mark.parametrize("stop_at", [5, 13])
def test_stopped_and_resumed_is_bit_identical(tmp_path, uninterrupted, caplog, stop_at):
    class Stopping(Toy):
        def batch(self, step):
            if step == stop_at:  # asked for ahead of time, so the loop stops at or somewhat before this step
                os.kill(os.getpid(), signal.SIGTERM)
            return super().batch(step)

    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with caplog.at_level(logging.INFO, logger="train"):
        stopped = run(tmp_path, stage=Stopping(pause=0.01))
    assert 0 < int(stopped.step) < 20
    assert saved_steps(tmp_path)[-1] == int(stopped.step)
    assert f"stopped at step {int(stopped.step)} of 20; the same command goes on" in caplog.text
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers

    state = run(tmp_path)
    assert_same_parameters(state.params, uninterrupted[1].params)
    timeless = [
        [
            {name: value for name, value in line.items() if "second" not in name}
            for line in writers.read_curve(folder / "curve.jsonl")
        ]
        for folder in (tmp_path, uninterrupted[0])
    ]
    assert timeless[0] == timeless[1]


def test_time_budget_saves_and_goes_on(tmp_path, uninterrupted):
    steps = []
    for _ in range(30):
        state = run(tmp_path, stage=Toy(pause=0.005), max_seconds=0.0)
        steps.append(int(state.step))
        if steps[-1] == 3:
            break
    assert steps == [1, 2, 3]
    assert_same_parameters(run(tmp_path).params, uninterrupted[1].params)


def test_a_finished_run_returns_its_state_again(uninterrupted):
    folder, state = uninterrupted
    again = run(folder)
    assert int(again.step) == 20
    assert_same_parameters(again.params, state.params)


def test_non_finite_loss_stops_with_the_last_good_state(tmp_path):
    class Bad(Toy):
        def batch(self, step):
            batch = super().batch(step)
            batch["x"] = np.where(step == 12, np.nan, 1.0).astype(np.float32) * batch["x"]
            return batch

    with pytest.raises(loop.NonFiniteError, match=r"loss is nan at step 13; .* checkpoint 10 in"):
        run(tmp_path, stage=Bad())
    assert saved_steps(tmp_path)[-1] == 10


def test_non_finite_state_is_never_saved(tmp_path):
    class Bad(Toy):
        def step(self, state, batch, key):
            new, metrics = super().step(state, batch, key)
            b = jnp.where(state.step == 6, jnp.inf, new.params["b"])
            return dataclasses.replace(new, params={**new.params, "b": b}), {
                "loss": (jnp.ones(()), jnp.ones((), jnp.int32))
            }

    with pytest.raises(
        loop.NonFiniteError, match=r"state.params\['b'\] is not finite at step 10; .* checkpoint 5"
    ):
        run(tmp_path, stage=Bad())
    assert saved_steps(tmp_path) == [5]


def test_changed_config_is_refused_unless_allowed(tmp_path):
    run(tmp_path, num_steps=5)
    with pytest.raises(settings.ConfigChangedError, match=r"rate: 0.01 -> 0.02; seed: 0 -> 1\)"):
        run(tmp_path, config_dict={"rate": 0.02}, seed=1)
    assert int(run(tmp_path, num_steps=7, config_dict={"rate": 0.02}, allow_config_change=True).step) == 7


def test_errors_in_data_come_out_and_the_thread_ends(tmp_path):
    class Broken(Toy):
        def batch(self, step):
            if step == 7:
                raise OSError("photo 7 is unreadable")
            return super().batch(step)

    with pytest.raises(OSError, match="photo 7 is unreadable"):
        run(tmp_path, stage=Broken())
    assert saved_steps(tmp_path) == [5]
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_stage_that_does_not_count_steps_is_refused(tmp_path):
    class Stuck(Toy):
        def step(self, state, batch, key):
            return state, super().step(state, batch, key)[1]

    with pytest.raises(ValueError, match="must add 1 to state.step, got 0 after step 5"):
        run(tmp_path, stage=Stuck())


@pytest.mark.parametrize("name", ["num_steps", "log_every", "validate_every", "save_every"])
def test_counts_must_be_positive(tmp_path, name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        run(tmp_path, **{name: 0})


def test_the_log_says_that_a_stage_is_compiled(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="train"):
        run(tmp_path, num_steps=3)
    lines = [record.getMessage() for record in caplog.records]
    before = lines.index("toy: the program of a step is compiled first, which may take minutes")
    assert re.fullmatch(r"toy: compiled in \d+ s", lines[before + 1])
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="train"):
        run(tmp_path, num_steps=3)  # finished: nothing to compile
    assert not [record for record in caplog.records if "compiled" in record.getMessage()]


def test_killed_at_random_moments_is_bit_identical(tmp_path, rng):
    command = [sys.executable, __file__]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([*command, tmp_path / "whole", "150"], env=environment, check=True)
    kills = 0
    for _ in range(4):
        with subprocess.Popen([*command, tmp_path / "killed", "150"], env=environment) as process:
            if kills < 3:
                wait_for_new_checkpoint(tmp_path / "killed" / "checkpoints", process)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(rng.uniform(0.0, 0.15))
                kills += process.poll() is None
                process.kill()
    assert kills == 3
    assert process.returncode == 0
    whole, killed = (np.load(tmp_path / name / "final.npz") for name in ("whole", "killed"))
    assert_same_parameters(dict(whole), dict(killed))
    steps = [line["step"] for line in writers.read_curve(tmp_path / "killed" / "curve.jsonl")]
    assert steps == [line["step"] for line in writers.read_curve(tmp_path / "whole" / "curve.jsonl")]


def wait_for_new_checkpoint(folder, process):
    def newest():
        names = (
            [int(entry.name) for entry in folder.iterdir() if entry.name.isdigit()] if folder.exists() else []
        )
        return max(names, default=0)

    before = newest()
    while newest() == before and process.poll() is None:
        time.sleep(0.005)


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 2)
    final = run(sys.argv[1], num_steps=int(sys.argv[2]), stage=Toy(pause=0.01), devices=None)
    np.savez(Path(sys.argv[1]) / "final.npz", **final.params)
