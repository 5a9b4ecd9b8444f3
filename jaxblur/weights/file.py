"""Weights as safetensors files: arrays of all layers, and in the header everything one has to know about them."""

import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from jaxblur.files.output import atomic_file
from jaxblur.multiscale.parameters import FORMER_NAMES, MultiscaleParameters, init_parameters
from jaxblur.network.config import NetworkConfig, config_from_dict, config_to_dict
from jaxblur.network.defocus_net import DefocusNet
from jaxblur.network.weights import Weights, flatten_arrays, published_network
from jaxblur.weights.published import read_published

FORMAT = "jaxblur-weights-1"
SHIPPED = "jaxblur.safetensors"


def expected_shapes(network: NetworkConfig, *, multiscale: bool = False) -> dict[str, tuple[int, ...]]:
    """Name and shape of every array of some weights.

    Args:
      network: their architecture; its arrays are called "params/f1/..." and so on.
      multiscale: whether the parameters of the fusion belong to them, "multiscale/...".
    """
    patch = jax.ShapeDtypeStruct((1, network.patch_size, network.patch_size, 3), jnp.float32)
    net = DefocusNet(network)
    tree: Any = jax.eval_shape(
        lambda key, x: net.init(key, x, method=DefocusNet.classify_patches), jax.random.key(0), patch
    )
    fusion: Any = None
    if multiscale:
        fusion = jax.eval_shape(lambda key: init_parameters(network, key), jax.random.key(0))
    return {name: leaf.shape for name, leaf in flatten_arrays(Weights(tree, network, {}, fusion)).items()}


def from_arrays(
    arrays: dict[str, Any], network: NetworkConfig, metadata: dict[str, str], *, where: str
) -> Weights:
    """Build `Weights` from named arrays, checking that each one is there, finite and of the right shape.

    Args:
      arrays: by the names of `expected_shapes`.
      network: their architecture.
      metadata: see `Weights`.
      where: the file or folder, for messages.

    Raises:
      ValueError: an array is missing, unknown, of the wrong shape, or not finite; the message begins with `where`.
    """
    arrays = {_present_name(name): array for name, array in arrays.items()}
    shapes = expected_shapes(network, multiscale=any(name.startswith("multiscale/") for name in arrays))
    if missing := sorted(set(shapes) - set(arrays)):
        raise ValueError(f"{where}: lacks {len(missing)} arrays, the first {missing[0]}")
    if unknown := sorted(set(arrays) - set(shapes)):
        raise ValueError(
            f"{where}: has {len(unknown)} arrays that the architecture does not know, the first {unknown[0]}"
        )
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{where}: array {name} must have shape {shape}, got {arrays[name].shape}")
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{where}: array {name} holds values that are not finite")
    flat = {name: jnp.asarray(array, jnp.float32) for name, array in arrays.items()}
    tree = flax.traverse_util.unflatten_dict(flat, sep="/")
    fusion = tree.pop("multiscale", None)
    return Weights(tree, network, metadata, None if fusion is None else MultiscaleParameters(**fusion))


def _present_name(name: str) -> str:
    """Today's name of an array: files written before call the parameters of the fusion "params/spread/..."."""
    head, found, own = name.partition("params/spread/")
    return f"multiscale/{FORMER_NAMES.get(own, own)}" if found and not head else name


def load_weights(path: str | os.PathLike[str] | None = None) -> Weights:
    """Load weights.

    Args:
      path: None for the ones that ship with the package, a `.safetensors` file, or the model folder of the published
        release (`blur/0.mat` ... `edge/25.mat`).

    Raises:
      FileNotFoundError: nothing lies there.
      ValueError: not a file of this kind, or damaged; one line says what is wrong.

    Examples:
      >>> import jaxblur
      >>> weights = jaxblur.load_weights()
      >>> len(weights.network.levels)
      23
    """
    if path is None:
        shipped = resources.files("jaxblur.weights") / SHIPPED
        if not shipped.is_file():
            raise FileNotFoundError(
                "no weights ship with this version: point --weights (or load_weights) at a .safetensors file or at the "
                "model folder of the published release"
            )
        with resources.as_file(shipped) as file:
            return _read_file(file)
    path = Path(path)
    if path.is_dir():
        network = published_network()
        arrays = read_published(path)
        return from_arrays(arrays, network, dict(PUBLISHED_METADATA), where=f"weights folder {path}")
    if not path.exists():
        raise FileNotFoundError(f"weights {path}: no such file or folder")
    return _read_file(path)


def save_weights(path: str | os.PathLike[str], weights: Weights) -> None:
    """Write weights to a `.safetensors` file, whole or not at all.

    Raises:
      OSError: the folder cannot be written.

    Examples:
      >>> import jaxblur
      >>> jaxblur.save_weights("copy.safetensors", jaxblur.load_weights())
      >>> jaxblur.load_weights("copy.safetensors").network == jaxblur.load_weights().network
      True
    """
    path = Path(path)
    flat = flatten_arrays(weights)
    arrays = {name: np.asarray(leaf, np.float32, order="C") for name, leaf in flat.items()}
    header = {
        **weights.metadata,
        "format": FORMAT,
        "network": json.dumps(config_to_dict(weights.network)),
        "unit": "disk radius in pixels of the input image",
    }
    with atomic_file(path) as file:
        file.write(save(arrays, metadata=header))


PUBLISHED_METADATA = {
    "name": "published release of Karaali, Harte, Jung, IEEE TIP 2022",
    "licence": "GPL-3.0",
    "light": "gamma-encoded values",
}


def _read_file(path: Path) -> Weights:
    where = f"weights {path}"
    try:
        with safe_open(path, framework="numpy") as file:
            header = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{where}: not a readable safetensors file ({error})") from error
    if header.get("format") != FORMAT:
        raise ValueError(
            f"{where}: not a jaxblur weights file (format {header.get('format')!r}, expected {FORMAT!r})"
        )
    try:
        network = config_from_dict(json.loads(header.pop("network")))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{where}: damaged architecture in the header ({error})") from error
    return from_arrays(arrays, network, header, where=where)
