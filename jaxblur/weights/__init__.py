"""Weights: reading and writing them, and the ones that ship with the package (see README.md in this folder)."""

from jaxblur.network.weights import Weights, hash_weights
from jaxblur.weights.file import load_weights, save_weights

__all__ = ["Weights", "hash_weights", "load_weights", "save_weights"]
