"""The one place that knows how a per-device function is mapped over devices and hosts.

A step is written for one device: it sees its own rows of the batch and speaks with the others only through
collectives over the axis named `AXIS` (`psum`, `psum_mean`). Here `jax.pmap` maps it. For
`jax.shard_map` every argument and result would be split along its leading axis: only `map_devices` changes.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Key

AXIS = "devices"
"""Name of the mapped axis, for `jax.lax` collectives inside a step."""

Devices: TypeAlias = Sequence[jax.Device] | None  # pyright: ignore[reportInvalidTypeForm]


def map_devices(
    step: Callable[..., Any], *, donate_argnums: tuple[int, ...] = (), devices: Devices = None
) -> Callable[..., Any]:
    """Map a per-device function over devices, compiled, with the named axis `AXIS`.

    Args:
      step: function of pytrees; what is constant at compile time is closed over.
      donate_argnums: arguments whose buffers the result may reuse; they must not be used again.
      devices: devices to use, of all hosts; None: all of them.

    Returns:
      Function of pytrees with a leading axis of the local devices in every argument (`replicate`, `shard`)
      and in every result. Each new mapped function compiles anew: make it once and keep it.
    """
    return jax.pmap(step, axis_name=AXIS, donate_argnums=donate_argnums, devices=devices)


def initialise_distributed(
    coordinator_address: str | None = None, num_processes: int | None = None, process_id: int | None = None
) -> None:
    """Join the processes of several hosts; to be called before anything else touches JAX.

    Args:
      coordinator_address: "host:port" of process 0; None, like the next two: found out by JAX (TPU, Slurm).
      num_processes: number of processes.
      process_id: number of this process, from 0.
    """
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(coordinator_address, num_processes, process_id)


def split_cpu(rows: int) -> None:
    """Make a device of every CPU core, as far as `rows` can be shared out evenly; before anything else touches JAX.

    XLA makes little of a second core within one device. Without effect on accelerators, where XLA_FLAGS says how many
    devices the CPU has, and where JAX is in use already.

    Args:
      rows: of a batch.
    """
    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    cores = count_cores()
    count = max(n for n in range(1, max(cores, 1) + 1) if rows % n == 0)
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:  # its devices are chosen
        pass


def count_cores() -> int:
    """Cores of the CPU that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def local_device_count(devices: Devices = None) -> int:
    """Number of devices of this host among `devices` (None: all)."""
    return len(_local(devices))


def replicate(tree: Any, *, devices: Devices = None) -> Any:
    """Copy a pytree to every local device: each leaf gets a leading axis of the local devices.

    The copies share no memory with the originals, so they may be donated. Typed PRNG keys are welcome.
    """
    count, sharding = local_device_count(devices), _sharding(devices)

    def copy(leaf: Any) -> jax.Array:
        if _is_key(leaf):
            return jax.device_put(jnp.broadcast_to(leaf, (count, *leaf.shape)), sharding)
        leaf = np.asarray(leaf)
        return jax.device_put(np.broadcast_to(leaf, (count, *leaf.shape)), sharding, may_alias=False)

    return jax.tree.map(copy, tree)


def unreplicate(tree: Any) -> Any:
    """NumPy copy of the first local device's part of a mapped pytree; waits until it is computed.

    It stays valid after the mapped pytree is donated. Typed PRNG keys stay JAX arrays.
    """

    def first(leaf: Any) -> Any:
        part = leaf.addressable_shards[0].data if isinstance(leaf, jax.Array) else leaf
        return (
            part[0]
            if _is_key(leaf)
            else np.array(part[0] if isinstance(part, np.ndarray) else np.asarray(part)[0])
        )

    return jax.tree.map(first, tree)


def shard(batch: Any, *, devices: Devices = None) -> Any:
    """Split this host's rows of a batch over its devices: (B, ...) -> (devices, B / devices, ...).

    Raises:
      ValueError: a leaf without leading axis, leaves that differ in it, or a B the devices do not divide.
    """
    count = local_device_count(devices)
    rows = _leading_size(batch)
    if rows % count:
        raise ValueError(
            f"batch must have a multiple of {count} rows, one share per local device, got {rows}"
        )
    sharding = _sharding(devices)
    return jax.tree.map(lambda leaf: jax.device_put(_fold(leaf, count), sharding), batch)


def pad_and_shard(batch: Any, *, devices: Devices = None) -> tuple[Any, Bool[Array, "devices rows"]]:
    """Split a batch of any size over the local devices, padded with copies of its last row.

    Args:
      batch: pytree of arrays (B, ...).
      devices: as in `map_devices`.

    Returns:
      The batch as (devices, rows, ...) and a mask (devices, rows), True for real rows.

    Raises:
      ValueError: as `shard`, or an empty batch.
    """
    rows = _leading_size(batch)
    if rows == 0:
        raise ValueError("batch must have at least one row, got none")
    padding = -rows % local_device_count(devices)

    def pad(leaf: Any) -> np.ndarray:
        leaf = np.asarray(leaf)
        return np.concatenate([leaf, np.repeat(leaf[-1:], padding, axis=0)])

    padded = jax.tree.map(pad, batch)
    return shard((padded, np.arange(rows + padding) < rows), devices=devices)


def unshard(tree: Any, *, num_rows: int | None = None) -> Any:
    """Undo `shard` or `pad_and_shard`: (devices, rows, ...) -> the first `num_rows` (None: all) as NumPy."""
    return jax.tree.map(lambda leaf: np.asarray(leaf).reshape(-1, *leaf.shape[2:])[:num_rows], tree)


def psum(tree: Any) -> Any:
    """Sum over all devices of all hosts, inside a step."""
    return jax.lax.psum(tree, AXIS)


def psum_mean(sums: Any, count: Any) -> Any:
    """Mean over all devices from each device's sums and count, inside a step.

    Exact for any spread of valid rows over devices, unlike a mean of means; 0 where no row is valid at all.

    Args:
      sums: pytree of floating-point arrays, sums over this device's valid rows (or their gradients).
      count: () number of this device's valid rows.
    """
    total = jnp.maximum(jax.lax.psum(count, AXIS), 1)
    return jax.tree.map(lambda value: jax.lax.psum(value, AXIS) / total.astype(value.dtype), sums)


def sample_keys(key: Key[Array, ""], num_rows: int) -> Key[Array, "rows"]:
    """One key for each of this device's rows, inside a step; a row of the batch has it on any device count.

    Args:
      key: () the same on every device.
      num_rows: rows of this device.
    """
    row = jax.lax.axis_index(AXIS) * num_rows + jnp.arange(num_rows, dtype=jnp.int32)
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, row)


def any_process(flag: bool) -> bool:
    """Whether `flag` is true on any host; every host must call it at the same point."""
    if jax.process_count() == 1:
        return flag
    flags = np.full(jax.local_device_count(), flag, np.int32)
    return bool(unreplicate(map_devices(psum)(flags)))


def _local(devices: Devices) -> Sequence[Any]:
    if devices is None:
        return jax.local_devices()
    return [device for device in devices if device.process_index == jax.process_index()]


def _sharding(devices: Devices) -> NamedSharding:
    return NamedSharding(Mesh(np.array(_local(devices)), (AXIS,)), PartitionSpec(AXIS))


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _fold(leaf: Any, count: int) -> np.ndarray:
    leaf = np.asarray(leaf)
    return leaf.reshape(count, leaf.shape[0] // count, *leaf.shape[1:])


def _leading_size(batch: Any) -> int:
    shapes = [np.shape(leaf) for leaf in jax.tree.leaves(batch)]
    sizes = {shape[:1] for shape in shapes}
    if len(sizes) != 1 or () in sizes:
        raise ValueError(f"batch must hold arrays that share their leading axis, got shapes {shapes}")
    return shapes[0][0]
