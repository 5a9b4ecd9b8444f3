"""Training state on disk: written in the background, whole or not at all, and checked when it is read."""

import json
import logging
import shutil
import zlib
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import tensorstore as ts
from orbax.checkpoint.checkpoint_managers import preservation_policy

from train import renamed
from train.settings import ConfigChangedError, check_config

_log = logging.getLogger(__name__)

_FORMAT = 2  # of the state; 1, not written, has parameters by former names
_KEPT = 3  # newest checkpoints; with fewer than two there would be none to fall back on


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written or read; the message says which and why."""


class Checkpoint(NamedTuple):
    """What is saved: everything that decides how a run goes on.

    `step` is the number of finished steps, the data position as well; `state` a pytree of NumPy arrays; `key`
    the run's PRNG key; `config` its settings and `progress` its running totals, both plain JSON.
    """

    step: int
    state: Any
    key: jax.Array
    config: dict[str, Any]
    progress: dict[str, Any]


class Checkpoints:
    """The last few checkpoints of one stage of a run, in one folder."""

    def __init__(self, directory: str | Path) -> None:
        """Open a folder of checkpoints, made if needed.

        Raises:
          CheckpointError: the folder cannot be made.
        """
        self.directory = Path(directory).absolute()
        options = ocp.CheckpointManagerOptions(
            preservation_policy=preservation_policy.LatestN(_KEPT), cleanup_tmp_directories=True
        )
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._manager = ocp.CheckpointManager(self.directory, options=options)
        except OSError as error:
            raise CheckpointError(
                f"cannot use {self.directory} for checkpoints: {_first_line(error)}"
            ) from error

    @property
    def steps(self) -> list[int]:
        """Steps of the checkpoints in the folder, ascending."""
        return sorted(self._manager.all_steps())

    def save(
        self, step: int, state: Any, *, key: jax.Array, config: dict[str, Any], progress: dict[str, Any]
    ) -> None:
        """Start writing a checkpoint; it counts once it is complete on disk.

        Args:
          step: finished steps; greater than that of every checkpoint in the folder.
          state: pytree of arrays or PRNG keys (of one device); NumPy arrays must not be changed afterwards.
          key: () typed PRNG key of the run.
          config: settings of the run, JSON.
          progress: running totals, JSON.

        Raises:
          CheckpointError: this or the previous checkpoint cannot be written (no space, no permission);
            nothing half-written stays.
        """
        packed = jax.tree.map(_pack, state)
        size = sum(leaf.nbytes for leaf in jax.tree.leaves(packed))
        free = shutil.disk_usage(self.directory).free
        if free < 2 * size:  # found out beforehand, a full disk is one plain message
            self._fail(OSError(f"{free / 1e6:.1f} MB are free, {2 * size / 1e6:.1f} MB needed"))
        meta = {
            "checksum": _checksum(packed),
            "key": {
                "impl": str(jax.random.key_impl(key)),
                "data": np.asarray(jax.random.key_data(key)).tolist(),
            },
            "config": config,
            "progress": progress,
            "format": _FORMAT,
        }
        items = ocp.args.Composite(state=ocp.args.StandardSave(packed), meta=ocp.args.JsonSave(meta))
        try:
            self._manager.save(step, args=items, force=True)
        except Exception as error:
            self._fail(error)

    def wait(self) -> None:
        """Wait until everything is on disk; raises CheckpointError as `save`."""
        try:
            self._manager.wait_until_finished()
            self._manager.check_for_errors()
        except Exception as error:
            self._fail(error)

    def close(self) -> None:
        """Finish writing and let go of the folder; raises CheckpointError as `save`."""
        self.wait()
        self._manager.close()

    def restore_latest(
        self, like: Any, *, config: dict[str, Any], allow_config_change: bool = False
    ) -> Checkpoint | None:
        """The newest checkpoint that can be read, or None if there is none at all.

        Damaged newer ones are removed with a warning, so that the run can write them again.

        Args:
          like: pytree of arrays (or `jax.ShapeDtypeStruct`) and PRNG keys, built and typed like the state.
          config: settings now, JSON; they must be those of the checkpoint.
          allow_config_change: go on even if they differ.

        Raises:
          ConfigChangedError: other settings.
          CheckpointError: there are checkpoints, and none can be read.
        """
        failures: dict[int, Exception] = {}
        for step in reversed(self.steps):
            try:
                meta = self._read_meta(step)
                if not allow_config_change:
                    check_config(meta["config"], config)
                found = self._read(step, meta, like)
            except ConfigChangedError:
                raise
            except Exception as error:  # whatever a damaged file makes the readers raise
                failures[step] = error
                continue
            for damaged, error in failures.items():
                _log.warning(
                    "checkpoint %d is damaged (%s); going on from checkpoint %d",
                    damaged,
                    _first_line(error),
                    step,
                )
                self._manager.delete(damaged)
            return found
        if failures:
            newest = max(failures)
            raise CheckpointError(
                f"no checkpoint in {self.directory} can be read; {newest}: {_first_line(failures[newest])}"
            ) from failures[newest]
        return None

    def _read_meta(self, step: int) -> dict[str, Any]:
        return self._manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore()))["meta"]

    def _read(self, step: int, meta: dict[str, Any], like: Any) -> Checkpoint:
        former = meta.get("format", 1) < _FORMAT
        built = renamed.former_state(like) if former else like
        target = jax.tree.map(_empty, built)
        _probe(self.directory / str(step) / "state")
        items = ocp.args.Composite(state=ocp.args.StandardRestore(target))
        packed = self._manager.restore(step, args=items)["state"]
        if _checksum(packed) != meta["checksum"]:
            raise ValueError("its checksum is wrong")
        for wanted, got in zip(jax.tree.leaves(target), jax.tree.leaves(packed), strict=True):
            if (wanted.shape, wanted.dtype) != (got.shape, got.dtype):
                raise ValueError(f"it holds {got.dtype}{got.shape} in place of {wanted.dtype}{wanted.shape}")
        state = jax.tree.map(_unpack, packed, built)
        if former:
            state = renamed.present_state(like, state)
        data = jnp.asarray(np.array(meta["key"]["data"], np.uint32))
        key = jax.random.wrap_key_data(data, impl=meta["key"]["impl"])
        return Checkpoint(step, state, key, meta["config"], meta["progress"])

    def _fail(self, error: Exception) -> NoReturn:
        for unfinished in self.directory.glob("*.orbax-checkpoint-tmp*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        raise CheckpointError(
            f"cannot write a checkpoint to {self.directory}: {_first_line(error)}; those before it are intact"
        ) from error


def newest_settings(directory: Path) -> dict[str, Any] | None:
    """Settings in the newest checkpoint of a folder, JSON; None without one that can be read.

    Needs none of Orbax's machinery, so that settings can be compared before anything else is done.
    """
    steps = [int(path.name) for path in directory.glob("*") if path.name.isdigit()]
    for step in sorted(steps, reverse=True):
        try:
            return json.loads((directory / str(step) / "meta" / "metadata").read_text())["config"]
        except (OSError, ValueError, KeyError, TypeError):  # damaged: `restore_latest` warns of it
            continue
    return None


def _is_key(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _pack(leaf: Any) -> np.ndarray:
    # A JAX array on CPU may lend NumPy its own buffer, which the next step reuses: hence the copy.
    return np.array(jax.random.key_data(leaf)) if _is_key(leaf) else np.array(leaf)


def _unpack(packed: np.ndarray, like: Any) -> Any:
    if not _is_key(like):
        return packed
    return jax.random.wrap_key_data(jnp.asarray(packed), impl=jax.random.key_impl(like))


def _empty(like: Any) -> np.ndarray:
    shape = jax.eval_shape(jax.random.key_data, like) if _is_key(like) else like
    return np.zeros(np.shape(shape), shape.dtype if hasattr(shape, "dtype") else np.asarray(shape).dtype)


def _checksum(tree: Any) -> int:
    checksum = 0
    for leaf in jax.tree.leaves(tree):
        checksum = zlib.crc32(np.asarray(leaf).tobytes(), checksum)
    return checksum


def _probe(folder: Path) -> None:
    """Raise ValueError unless every array in an Orbax folder can be read.

    Orbax would find out as well, but its other reads in flight then print tracebacks of their own.
    """
    store = ts.KvStore.open({"driver": "ocdbt", "base": {"driver": "file", "path": f"{folder}/"}}).result()
    names = store.list().result()
    if not names or not all(store.read(name).result().value for name in names):  # a lost file reads as empty
        raise ValueError("arrays are missing")


def _first_line(error: Exception) -> str:
    return (
        f"{type(error).__name__}: {str(error).strip().splitlines()[0][:300]}"
        if str(error).strip()
        else repr(error)
    )
