"""A set of weights as a value."""

import dataclasses
import hashlib
import json
from typing import Any

import flax
import jax
import numpy as np

from jaxblur.network.config import NetworkConfig, config_to_dict


@dataclasses.dataclass(frozen=True)
class Weights:
    """Parameters of B-Net and E-Net with their architecture. A pytree whose leaves are the arrays.

    Attributes:
      variables: Flax variables of `defocus_net.DefocusNet`, float32.
      network: the architecture, with crop offsets, input scaling and blur levels (disk radius, px).
      metadata: strings on origin, licence, training; free keys.
      multiscale: parameters of the fusion, `multiscale.parameters.MultiscaleParameters`; None for the networks alone.

    Examples:
      >>> import jaxblur
      >>> weights = jaxblur.load_weights()
      >>> networks_alone = jaxblur.Weights(weights.variables, weights.network)
      >>> networks_alone.multiscale is None
      True
    """

    variables: Any
    network: NetworkConfig
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)
    multiscale: Any = None

    def __repr__(self) -> str:
        """One line, without the arrays."""
        count = sum(
            int(np.prod(np.shape(leaf))) for leaf in jax.tree.leaves((self.variables, self.multiscale))
        )
        stages = "networks" if self.multiscale is None else "networks and multiscale fusion"
        return f"Weights({self.metadata.get('name', 'unnamed')!r}, {stages}, {count} numbers)"


jax.tree_util.register_pytree_node(
    Weights,
    lambda w: ((w.variables, w.multiscale), (w.network, tuple(sorted(w.metadata.items())))),
    lambda aux, children: Weights(children[0], aux[0], dict(aux[1]), children[1]),
)


def flatten_arrays(weights: Weights) -> dict[str, Any]:
    """All arrays by name: "params/f1/..." of the networks, "multiscale/..." of the fusion."""
    tree = dict(weights.variables)
    if weights.multiscale is not None:
        tree["multiscale"] = flax.serialization.to_state_dict(weights.multiscale)
    return dict[str, Any](flax.traverse_util.flatten_dict(tree, sep="/"))


def hash_weights(weights: Weights) -> str:
    """First 12 digits of a SHA-256 over architecture and all parameters, whatever file they came from."""
    digest = hashlib.sha256(json.dumps(config_to_dict(weights.network)).encode())
    flat = flatten_arrays(weights)
    for name in sorted(flat):
        digest.update(name.encode() + b"\0")
        digest.update(np.ascontiguousarray(flat[name], np.float32).tobytes())
    return digest.hexdigest()[:12]


def published_network() -> NetworkConfig:
    """The paper's architecture with the crop offsets of the published weights, one pixel off centre."""
    network = NetworkConfig()
    wide, *smaller = network.columns
    return dataclasses.replace(network, columns=(wide, *(dataclasses.replace(c, shift=1) for c in smaller)))
