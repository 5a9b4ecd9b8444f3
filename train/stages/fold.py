"""Batch normalisation folded into the linear layers before it: what is shipped has plain kernels and biases."""

import dataclasses
from typing import Any

import jax.numpy as jnp

from jaxblur.network.config import NetworkConfig
from jaxblur.network.layers import Normalise


def fold_batch_norm(params: Any, batch_stats: Any, network: NetworkConfig) -> tuple[Any, NetworkConfig]:
    """Parameters and architecture without batch normalisation that compute the same.

    Args:
      params: parameters of `DefocusNet` (or of some of its parts) trained with `normalisation="batch"`.
      batch_stats: their statistics.
      network: the architecture; returned unchanged with `params` if it has no batch normalisation.

    Returns:
      Parameters for the second value, the same architecture with `normalisation="bias"`.
    """
    if network.normalisation != "batch":
        return params, network
    return _fold(params, batch_stats), dataclasses.replace(network, normalisation="bias")


def _fold(params: Any, stats: Any) -> Any:
    if "normalise" in params:  # a convolution
        kernel, bias = _fold_layer(params["kernel"], params["normalise"], stats["normalise"])
        return {"kernel": kernel, "normalise": {"bias": bias}}
    out = {}
    for name, value in params.items():
        partner = name.replace("dense_", "normalise_")
        if name.startswith("dense_") and partner in params:  # a hidden layer of a classification network
            kernel, bias = _fold_layer(value["kernel"], params[partner], stats[partner])
            out[name] = {"kernel": kernel, "bias": bias}
        elif name.startswith("normalise_"):
            continue
        elif isinstance(value, dict):
            out[name] = _fold(value, stats.get(name, {}))
        else:
            out[name] = value
    return out


def _fold_layer(kernel: Any, affine: Any, stats: Any) -> tuple[Any, Any]:
    gain = affine["scale"] / jnp.sqrt(stats["variance"] + Normalise.epsilon)
    return kernel * gain.reshape((1,) * (kernel.ndim - 1) + gain.shape), affine["bias"] - stats["mean"] * gain
