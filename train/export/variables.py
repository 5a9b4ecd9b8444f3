"""Variables as they are trained, batch normalisation not folded: files that another stage or run goes on from."""

import json
from pathlib import Path
from typing import Any

import flax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from jaxblur.files.output import atomic_file
from jaxblur.network.config import NetworkConfig
from jaxblur.weights.file import expected_shapes
from train import renamed

KINDS = ("params", "batch_stats")

Variables = dict[str, dict[str, Any]]
"""Arrays by kind ("params", "batch_stats") and part of `DefocusNet` ("f1", "b", "f2", "e"), then by layer."""


def save_variables(path: Path, variables: Variables, facts: dict[str, Any] | None = None) -> None:
    """Write variables, and facts (JSON) on their training, to a safetensors file, whole or not at all.

    Raises:
      OSError: the file cannot be written.
    """
    flat = flax.traverse_util.flatten_dict(variables, sep="/")
    arrays = {name: np.asarray(leaf, order="C") for name, leaf in flat.items()}
    with atomic_file(path) as file:
        file.write(save(arrays, metadata={"facts": json.dumps(facts or {})}))


def load_variables(path: Path) -> tuple[Variables, dict[str, Any]]:
    """Variables and facts that `save_variables` wrote; a kind without arrays comes back empty.

    Raises:
      FileNotFoundError: nothing lies there.
      ValueError: not a file of that kind, or a value in it is not finite.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; variables.safetensors of an earlier run is asked for")
    try:
        with safe_open(path, framework="np") as file:
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not a file of variables ({error})") from error
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{path}: {name} holds values that are not finite")
    flat = {name: jnp.asarray(array) for name, array in arrays.items()}
    tree = flax.traverse_util.unflatten_dict(flat, sep="/")
    parts = {part for kind in tree.values() for part in kind}
    variables = {kind: {part: tree.get(kind, {}).get(part, {}) for part in parts} for kind in KINDS}
    return variables, renamed.facts(facts)


def load_initial(path: Path, network: NetworkConfig) -> tuple[Variables, dict[str, Any]]:
    """Variables to start a run from, see `load_variables`, which must fit the architecture of that run.

    Raises:
      FileNotFoundError: nothing lies there.
      ValueError: none of that kind, or of another architecture; weights to estimate with are one, since their batch
        normalisation is folded.
    """
    variables, facts = load_variables(path)
    flat: dict[str, Any] = dict(flax.traverse_util.flatten_dict(variables, sep="/"))
    found = {name: leaf.shape for name, leaf in flat.items() if hasattr(leaf, "shape")}
    parts = {name.split("/")[1] for name in found}
    wanted = {n: shape for n, shape in expected_shapes(network).items() if n.split("/")[1] in parts}
    if wrong := sorted(name for name in found.keys() | wanted if found.get(name) != wanted.get(name)):
        # An array too many or too few says more than a shape.
        name = next((name for name in wrong if (name in found) != (name in wanted)), wrong[0])
        raise ValueError(
            f"{path}: {name} must have shape {wanted.get(name, 'none')}, got {found.get(name, 'none')}; the "
            "variables.safetensors of a run with the same network settings is asked for"
        )
    return variables, facts


def parts_in(variables: Variables) -> set[str]:
    """Parts of `DefocusNet` that have parameters."""
    return {part for part, tree in variables["params"].items() if tree}


def pick(variables: Variables, parts: tuple[str, ...]) -> Variables:
    """The variables of some parts."""
    return {kind: {part: variables[kind].get(part, {}) for part in parts} for kind in KINDS}


def merge(variables: Variables, newer: Variables) -> Variables:
    """Variables of all parts of both; those of `newer` where both have one."""
    return {kind: {**variables[kind], **newer[kind]} for kind in KINDS}
