"""The quotient of a normalised convolution: finite where hardly anything arrives."""

import jax
import jax.numpy as jnp
from jaxtyping import Array


def _least_normaliser(dtype: jnp.dtype) -> Array:
    """Least denominator that still carries full precision: below, sums of subnormal numbers lose digits."""
    info = jnp.finfo(dtype)
    return jnp.asarray(info.tiny / info.eps, dtype)


@jax.custom_jvp
def _divide(numerator: Array, denominator: Array) -> Array:
    return numerator / denominator


# The plain rule for the denominator squares it, which underflows where the quotient itself is sound.
_divide.defjvps(lambda t, quotient, n, d: t / d, lambda t, quotient, n, d: -quotient * (t / d))


def quotient(numerator: Array, denominator: Array, otherwise: Array) -> Array:
    """The quotient where the denominator can carry it, else `otherwise`; finite in value and gradient."""
    defined = denominator >= _least_normaliser(denominator.dtype)
    return jnp.where(defined, _divide(numerator, jnp.where(defined, denominator, 1)), otherwise)
