"""The recursion of the domain transform along one axis: pixel after pixel, or in parallel."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxblur.config import RecursionMethod


def recurse(
    signal: Float[Array, "n c m"], weight: Float[Array, "n m"], *, method: RecursionMethod
) -> Float[Array, "n c m"]:
    """Forward then backward along the whole leading axis; `weight[i]` couples i with i - 1."""
    none = jnp.zeros_like(signal[0]), jnp.zeros_like(weight[0])
    signal = recurse_forward(signal, weight, none[0], method=method)
    return recurse_backward(signal, weight, none, method=method)


def recurse_forward(
    signal: Float[Array, "n c m"],
    weight: Float[Array, "n m"],
    before: Float[Array, "c m"],
    *,
    method: RecursionMethod,
) -> Float[Array, "n c m"]:
    """y_i = x_i + w_i (y_{i-1} - x_i) along the leading axis; `before` is the result just before the first."""

    def scan(signal: Array, weight: Array, before: Array) -> Array:
        return _scan_in_place(_forward_step, before, signal, weight, False)

    def associative(signal: Array, weight: Array, before: Array) -> Array:
        values = (1 - weight[:, None]) * signal
        return _compose_all(weight[:, None], values.at[0].add(weight[:1] * before))

    return by_method(method, scan, associative, signal, weight, before)


def recurse_backward(
    signal: Float[Array, "n c m"],
    weight: Float[Array, "n m"],
    after: tuple[Float[Array, "c m"], Float[Array, " m"]],
    *,
    method: RecursionMethod,
) -> Float[Array, "n c m"]:
    """y_i = x_i + w_{i+1} (y_{i+1} - x_i) from the end; `after` is the result and weight just after the last."""

    def scan(signal: Array, weight: Array, after: tuple[Array, Array]) -> Array:
        return _scan_in_place(_backward_step, after, signal, weight, True)

    def associative(signal: Array, weight: Array, after: tuple[Array, Array]) -> Array:
        weight = jnp.concatenate([weight[1:], after[1][None]])[:, None]
        values = (1 - weight) * signal
        return _compose_all(weight, values.at[-1].add(weight[-1] * after[0]), reverse=True)

    return by_method(method, scan, associative, signal, weight, after)


def _forward_step(last: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
    value, weight = row
    result = value + weight[None] * (last - value)
    return result, result


def _backward_step(state: tuple[Array, Array], row: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
    last, weight_to_last = state
    value, weight = row
    result = value + weight_to_last[None] * (last - value)
    return (result, weight), result


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 4))
def _scan_in_place(
    step: Callable[..., Any], state: Any, signal: Array, weight: Array, reverse: bool
) -> Array:
    """The outputs of `lax.scan(step, state, (signal, weight))`, written over the signal.

    `lax.scan` first fills an array of zeros of its own: on CPU the whole filter then takes 1.3 to 2.3 times as long.
    """
    last = signal.shape[0] - 1

    def one_row(i: Array, carried: tuple[Array, Any]) -> tuple[Array, Any]:
        signal, state = carried
        place = last - i if reverse else i
        state, result = step(state, (_take(signal, place), _take(weight, place)))
        return _put(signal, result, place), state

    return lax.fori_loop(0, last + 1, one_row, (signal, state))[0]


@_scan_in_place.defjvp
def _scan_derivative(
    step: Callable[..., Any], reverse: bool, primals: tuple[Any, ...], tangents: tuple[Any, ...]
) -> tuple[Array, Array]:
    def scan(state: Any, signal: Array, weight: Array) -> Array:
        return lax.scan(step, state, (signal, weight), reverse=reverse)[1]

    # The value from the function itself: with that of the scan, JAX 0.10 loses the batch axis in grad of vmap.
    return _scan_in_place(step, *primals, reverse), jax.jvp(scan, primals, tangents)[1]


@jax.custom_jvp
def recurse_along_rows(signal: Float[Array, "h c m"], weight: Float[Array, "b m r"]) -> Float[Array, "h c m"]:
    """Forward then backward along the last axis, one pixel after another, in blocks of r = h / b rows.

    `weight[k, j]` couples column j with j - 1 in the rows of block k. The result is written over the signal: columns
    are read where they are and kept as rows of a block that fits into the cache, and so on the way back. On CPU this
    takes a third to half of the time of `recurse` between two transpositions of the whole.
    """
    width, rows = weight.shape[1:]

    def one_block(block: Array, signal: Array) -> Array:
        zero, own = jnp.zeros_like(block), _take(weight, block)

        def corner(column: Array) -> tuple[Array, Array, Array]:
            return block * rows, zero, column

        def forward(i: Array, carried: tuple[Array, Array]) -> tuple[Array, Array]:
            columns, last = carried
            shape = (rows, signal.shape[1], 1)
            column = lax.dynamic_slice(signal, corner(i), shape, allow_negative_indices=False)
            last, result = _forward_step(last, (column[..., 0].T, _take(own, i)))
            return _put(columns, result, i), last

        def backward(i: Array, carried: tuple[Array, Any]) -> tuple[Array, Any]:
            signal, state = carried
            place = width - 1 - i
            state, result = _backward_step(state, (_take(columns, place), _take(own, place)))
            column = result.T[..., None]
            return lax.dynamic_update_slice(
                signal, column, corner(place), allow_negative_indices=False
            ), state

        none = jnp.zeros_like(signal[:rows, :, 0].T)
        start = jnp.zeros((width, *none.shape), signal.dtype)
        columns, _ = lax.fori_loop(0, width, forward, (start, none))
        return lax.fori_loop(0, width, backward, (signal, (none, none[0])))[0]

    return lax.fori_loop(0, weight.shape[0], one_block, signal)


@recurse_along_rows.defjvp
def _along_rows_derivative(
    primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    def scans(signal: Array, weight: Array) -> Array:
        signal, weight = signal.transpose(2, 1, 0), weight.transpose(1, 0, 2).reshape(weight.shape[1], -1)
        none = jnp.zeros_like(signal[0])
        signal = lax.scan(_forward_step, none, (signal, weight))[1]
        signal = lax.scan(_backward_step, (none, none[0]), (signal, weight), reverse=True)[1]
        return signal.transpose(2, 1, 0)

    return recurse_along_rows(*primals), jax.jvp(scans, primals, tangents)[1]


def _take(rows: Array, i: Array) -> Array:
    return lax.dynamic_index_in_dim(rows, i, keepdims=False, allow_negative_indices=False)


def _put(rows: Array, row: Array, i: Array) -> Array:
    return lax.dynamic_update_index_in_dim(rows, row, i, 0, allow_negative_indices=False)


def by_method(
    method: RecursionMethod, scan: Callable[..., Array], associative: Callable[..., Array], *arguments: Any
) -> Array:
    """One of two functions of the arguments: "auto" takes `scan` on a CPU, the other one elsewhere.

    That is decided where the program is lowered, so a program can be made for devices that are not here.
    """
    if method == "auto":
        return lax.platform_dependent(*arguments, cpu=scan, default=associative)
    return (scan if method == "scan" else associative)(*arguments)


def _compose_all(weight: Array, value: Array, *, reverse: bool = False) -> Array:
    """The recursion in parallel: each step is the affine map y -> w y + v, and these compose."""

    def compose(first, second):
        return first[0] * second[0], second[0] * first[1] + second[1]

    return lax.associative_scan(compose, (weight, value), reverse=reverse)[1]
