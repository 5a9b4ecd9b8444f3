"""Mapping over devices. Run as a script, this file is one process of `test_two_processes_equal_one`."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxblur.runtime import parallel

TX = optax.sgd(0.1, momentum=0.9)


def batch_of(rows):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(rows, 4)).astype(np.float32)
    return {"x": x, "y": x.sum(1), "valid": np.arange(rows) % 5 != 1}


def initial_state():
    params = {"w": jnp.asarray(np.random.default_rng(4).normal(size=4).astype(np.float32))}
    return params, TX.init(params)


def step(state, batch, key):
    """Gradient step on a count-weighted mean, with noise per row."""
    params, opt_state = state

    def loss_sum(params):
        noise = jax.vmap(jax.random.uniform)(parallel.sample_keys(key, batch["x"].shape[0]))
        error = jnp.square(batch["x"] @ params["w"] + noise - batch["y"])
        return jnp.where(batch["valid"], error, 0.0).sum()

    total, gradient = jax.value_and_grad(loss_sum)(params)
    count = batch["valid"].sum(dtype=jnp.int32)
    updates, opt_state = TX.update(parallel.psum_mean(gradient, count), opt_state)
    return (optax.apply_updates(params, updates), opt_state), parallel.psum((total, count))


def train(mapped, *, rows=slice(None), num_steps=3, devices=None):
    """State and metrics after a few steps on a fixed batch of 16 rows."""
    state = parallel.replicate(initial_state(), devices=devices)
    key = parallel.replicate(jax.random.key(5), devices=devices)
    batch = parallel.shard(jax.tree.map(lambda leaf: leaf[rows], batch_of(16)), devices=devices)
    for _ in range(num_steps):
        state, metrics = mapped(state, batch, key)
    return parallel.unreplicate((state, metrics))


def assert_close(a, b, rtol=2e-5):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-6), a, b)


def numpy_train(num_steps=3):
    """Oracle: the same on all rows at once, by hand."""
    batch, (params, _) = batch_of(16), initial_state()
    w, velocity, valid = np.asarray(params["w"], np.float64), np.zeros(4), batch["valid"]
    keys = [jax.random.fold_in(jax.random.key(5), row) for row in range(16)]
    noise = np.array([jax.random.uniform(key) for key in keys])
    for _ in range(num_steps):
        error = (batch["x"] @ w + noise - batch["y"]) * valid
        velocity = 0.9 * velocity + 2 * error @ batch["x"] / valid.sum()
        total, w = np.square(error).sum(), w - 0.1 * velocity
    return w, (total, valid.sum())


@pytest.mark.parametrize("count", [1, 2, 8])
def test_any_device_count_gives_the_numbers_of_one_batch(count):
    devices = jax.devices()[:count]
    (params, _), metrics = train(parallel.map_devices(step, devices=devices), devices=devices)
    w, expected = numpy_train()
    assert_close(params["w"], w)
    assert_close(metrics, expected)


def test_same_step_through_shard_map():
    def per_shard(*args):
        outputs = step(*jax.tree.map(lambda leaf: leaf[0], args))
        return jax.tree.map(lambda leaf: leaf[None], outputs)

    mesh = Mesh(np.array(jax.devices()), (parallel.AXIS,))
    spec = P(parallel.AXIS)
    mapped = jax.jit(jax.shard_map(per_shard, mesh=mesh, in_specs=spec, out_specs=spec))
    assert_close(train(mapped), train(parallel.map_devices(step)), rtol=1e-6)


def test_replicas_may_be_donated_and_share_nothing_with_the_original():
    original = {"a": np.ones((64, 64), np.float32), "key": jax.random.key(1)}
    replicas = parallel.replicate(original)
    assert replicas["a"].shape == (8, 64, 64)
    before = parallel.unreplicate(replicas)
    add = parallel.map_devices(lambda tree: {**tree, "a": tree["a"] + 1.0}, donate_argnums=(0,))
    after = parallel.unreplicate(add(add(replicas)))
    assert replicas["a"].is_deleted()
    assert (original["a"] == 1).all() and (before["a"] == 1).all() and (after["a"] == 3).all()
    assert after["key"] == original["key"]


def test_replicate_and_unreplicate_keep_scalars_and_dtypes():
    tree = {"step": np.int32(3), "flag": np.bool_(True), "half": jnp.ones(2, jnp.bfloat16)}
    again = parallel.unreplicate(parallel.replicate(tree))
    for name, leaf in tree.items():
        assert again[name].shape == np.shape(leaf) and again[name].dtype == leaf.dtype
        np.testing.assert_array_equal(again[name], np.asarray(leaf))


def test_shard_and_unshard_keep_row_order():
    batch = batch_of(24)
    sharded = parallel.shard(batch)
    assert sharded["x"].shape == (8, 3, 4)
    jax.tree.map(np.testing.assert_array_equal, parallel.unshard(sharded), batch)


def test_shard_rejects_rows_it_cannot_split():
    with pytest.raises(ValueError, match="batch must have a multiple of 8 rows, .* got 12"):
        parallel.shard(batch_of(12))
    with pytest.raises(ValueError, match=r"share their leading axis, got shapes \[\(8,\), \(16, 2\)\]"):
        parallel.shard([np.zeros(8), np.zeros((16, 2))])
    with pytest.raises(ValueError, match=r"share their leading axis, got shapes \[\(\)\]"):
        parallel.shard(np.float32(1))


@pytest.mark.parametrize("rows, padded", [(1, 8), (5, 8), (8, 8), (9, 16)])
def test_pad_and_shard_masks_what_it_adds(rows, padded):
    x = np.arange(1.0, rows + 1, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    batch, mask = parallel.pad_and_shard(x)
    assert batch.shape == (8, padded // 8, 3) and mask.shape == (8, padded // 8) and mask.dtype == bool
    np.testing.assert_array_equal(parallel.unshard(batch, num_rows=rows), x)
    assert np.asarray(mask).ravel().tolist() == [True] * rows + [False] * (padded - rows)
    assert (np.asarray(batch)[~np.asarray(mask)] == rows).all()


def test_pad_and_shard_rejects_an_empty_batch():
    with pytest.raises(ValueError, match="batch must have at least one row, got none"):
        parallel.pad_and_shard(np.zeros((0, 2)))


def test_psum_mean_without_any_valid_row_is_zero():
    mapped = parallel.map_devices(lambda x: parallel.psum_mean(x, jnp.zeros((), jnp.int32)))
    np.testing.assert_array_equal(mapped(np.zeros((8, 2), np.float32)), 0)


def test_sample_keys_differ_between_rows_and_not_between_device_counts(key):
    def numbers(count):
        devices = jax.devices()[:count]
        draw = parallel.map_devices(
            lambda key: jax.vmap(jax.random.bits)(parallel.sample_keys(key, 16 // count)), devices=devices
        )
        return parallel.unshard(draw(parallel.replicate(key, devices=devices)))

    assert len(set(numbers(8).tolist())) == 16
    np.testing.assert_array_equal(numbers(8), numbers(1))
    np.testing.assert_array_equal(numbers(8), numbers(4))


@pytest.mark.parametrize(
    ("rows", "flags", "expected"),
    [(8, "", 4), (7, "", 1), (8, "--xla_force_host_platform_device_count=3", 3)],
)
def test_a_cpu_becomes_as_many_devices_as_its_cores_divide_a_batch(rows, flags, expected):
    program = f"""if True:
        import os
        os.sched_getaffinity = lambda process: set(range(6))
        import jax
        from jaxblur.runtime import parallel
        parallel.split_cpu({rows})
        print(jax.local_device_count("cpu"))
        parallel.split_cpu(5)
        print(jax.local_device_count("cpu"))
        """
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, env=environment, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(expected)] * 2


def test_any_process_of_one():
    assert parallel.any_process(True) and not parallel.any_process(False)


def test_two_processes_equal_one(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    root = Path(__file__).parents[3]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(root)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", __file__, address, str(number), str(tmp_path / f"{number}.npz")],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=120)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], outputs
    w, (total, count) = numpy_train()
    for number in range(2):
        got = np.load(tmp_path / f"{number}.npz")
        assert_close(got["w"], w)
        assert_close(got["metrics"], np.array([total, count]))
        np.testing.assert_allclose(got["mean_of_process_index"], 0.5)
        assert got["any"].tolist() == [True, False]


def two_process_main(address, number, output):
    jax.config.update("jax_num_cpu_devices", 2)
    parallel.initialise_distributed(address, 2, number)
    (params, _), metrics = train(parallel.map_devices(step), rows=slice(8 * number, 8 * number + 8))
    mean = parallel.map_devices(lambda x: jax.lax.pmean(x, parallel.AXIS))
    np.savez(
        output,
        w=params["w"],
        metrics=np.array([float(value) for value in metrics]),
        mean_of_process_index=mean(np.full(2, jax.process_index(), np.float32)),
        any=[parallel.any_process(number == 1), parallel.any_process(False)],
    )


if __name__ == "__main__":
    two_process_main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
