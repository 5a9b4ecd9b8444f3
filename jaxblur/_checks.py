"""Checks of arguments, made before anything is traced: the message names the argument, the rule and the value got."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


def is_concrete(value: Any) -> bool:
    """Whether `value` can be looked at now, i.e. is not being traced by jit, vmap or grad."""
    return not isinstance(value, Tracer)


def check_rank(name: str, array: Any, ranks: tuple[int, ...], layout: str) -> None:
    """Raise ValueError unless `array` has one of `ranks` dimensions; `layout` says what is right, e.g. "(H, W, 3)"."""
    if np.ndim(array) not in ranks:
        raise ValueError(f"{name} must have shape {layout}, got {tuple(np.shape(array))}")


def check_not_empty(name: str, array: Any) -> None:
    """Raise ValueError if `array` has a dimension of size 0."""
    if 0 in np.shape(array):
        raise ValueError(f"{name} must not be empty, got shape {tuple(np.shape(array))}")


def check_float(name: str, array: Any) -> None:
    """Raise TypeError unless `array` holds floating-point numbers."""
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"{name} must hold floating-point numbers, got {array.dtype}")


def check_same_size(name: str, array: Any, other_name: str, other: Any) -> None:
    """Raise ValueError unless the two arrays agree in height and width (their first two dimensions)."""
    if tuple(array.shape[:2]) != tuple(other.shape[:2]):
        raise ValueError(
            f"{name} must have the height and width of {other_name} {tuple(other.shape[:2])}, "
            f"got {tuple(array.shape[:2])}"
        )


def check_positive(name: str, value: Any) -> None:
    """Raise ValueError unless the scalar `value` is positive and finite; a traced value passes."""
    if is_concrete(value) and not (0 < float(value) < float("inf")):
        raise ValueError(f"{name} must be positive and finite, got {float(value)}")
