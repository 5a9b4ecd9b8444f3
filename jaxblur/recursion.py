"""The recursion of the domain transform along one axis: pixel after pixel, or in parallel."""

from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Method = Literal["auto", "scan", "associative"]
METHODS = ("auto", "scan", "associative")


def recurse(
    signal: Float[Array, "n c m"], weight: Float[Array, "n m"], *, method: Method
) -> Float[Array, "n c m"]:
    """Forward then backward along the whole leading axis; `weight[i]` couples i with i - 1."""
    none = jnp.zeros_like(signal[0]), jnp.zeros_like(weight[0])
    signal = recurse_forward(signal, weight, none[0], method=method)
    return recurse_backward(signal, weight, none, method=method)


def recurse_forward(
    signal: Float[Array, "n c m"], weight: Float[Array, "n m"], before: Float[Array, "c m"], *, method: Method
) -> Float[Array, "n c m"]:
    """y_i = x_i + w_i (y_{i-1} - x_i) along the leading axis; `before` is the result just before the first."""
    if _is_scan(method):

        def step(last, item):
            value, weight = item
            result = value + weight[None] * (last - value)
            return result, result

        return lax.scan(step, before, (signal, weight))[1]
    values = (1 - weight[:, None]) * signal
    return _compose_all(weight[:, None], values.at[0].add(weight[:1] * before))


def recurse_backward(
    signal: Float[Array, "n c m"],
    weight: Float[Array, "n m"],
    after: tuple[Float[Array, "c m"], Float[Array, " m"]],
    *,
    method: Method,
) -> Float[Array, "n c m"]:
    """y_i = x_i + w_{i+1} (y_{i+1} - x_i) from the end; `after` is the result and weight just after the last."""
    if _is_scan(method):

        def step(state, item):
            last, weight_to_last = state
            value, weight = item
            result = value + weight_to_last[None] * (last - value)
            return (result, weight), result

        return lax.scan(step, after, (signal, weight), reverse=True)[1]
    weight = jnp.concatenate([weight[1:], after[1][None]])[:, None]
    values = (1 - weight) * signal
    return _compose_all(weight, values.at[-1].add(weight[-1] * after[0]), reverse=True)


def _is_scan(method: Method) -> bool:
    return method == "scan" or (method == "auto" and jax.default_backend() == "cpu")


def _compose_all(weight: Array, value: Array, *, reverse: bool = False) -> Array:
    """The recursion in parallel: each step is the affine map y -> w y + v, and these compose."""

    def compose(first, second):
        return first[0] * second[0], second[0] * first[1] + second[1]

    return lax.associative_scan(compose, (weight, value), reverse=reverse)[1]
