"""Propagation by the fast global smoother.

Min, Choi, Lu, Ham, Sohn and Do, "Fast Global Image Smoothing Based on Weighted Least Squares", IEEE TIP 23, 2014. Along
every row, and then along every column, the smoother u of a signal f solves a tridiagonal system,

    u_i + lambda_t sum over neighbours j of c_ij (u_i - u_j) = f_i,   c_ij = exp(-|I_i - I_j| / sigma),

in T rounds with lambda_t = 1.5 * 4^(T - t) / (4^T - 1) * lambda. Readings are filled in by a normalised quotient,
u(w r) / u(w), as the paper fills in sparse colours. Here a certain depth edge between two pixels cuts them apart.

Settings: lambda = 30^2 px^2, sigma = 0.03 of a guide in [0, 1], T = 3.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from eval.bucket import bucketed
from eval.methods.propagations.mean import mean_reading
from jaxblur.image.size import inside_mask

LAMBDA = 900.0
SIGMA = 0.03
ROUNDS = 3
_LEAST = 1e-12  # of the smoothed weight, below which nothing is known


def propagate(
    radius: Float[np.ndarray, "h w"],
    weight: Float[np.ndarray, "h w"],
    depth: Float[np.ndarray, "h w"],
    image: Float[np.ndarray, "h w 3"],
) -> tuple[Float[np.ndarray, "h w"], None]:
    """The map, see `eval.methods.propagations`."""
    mean = mean_reading(radius, weight)
    read = weight > 0
    offset = np.where(read, radius - mean, 0).astype(np.float32)
    scaled = np.where(read, weight / max(float(weight.max()), 1e-30), 0).astype(np.float32)
    (result,) = bucketed(_propagate, offset, scaled, depth, image)
    return np.maximum(result + mean, 0), None


@jax.jit
def _propagate(
    values: jax.Array, weight: jax.Array, depth: jax.Array, image: jax.Array, size: jax.Array
) -> tuple[jax.Array]:
    inside = inside_mask(values.shape, size)
    signals = jnp.stack([weight * values, weight])
    left, up = couplings(image, depth, inside)
    for step in range(1, ROUNDS + 1):
        strength = 1.5 * 4 ** (ROUNDS - step) / (4**ROUNDS - 1) * LAMBDA
        signals = smooth_rows(signals, strength * left)
        signals = smooth_rows(signals.transpose(0, 2, 1), strength * up.T).transpose(0, 2, 1)
    known = signals[1] > _LEAST
    return (jnp.where(known, signals[0] / jnp.where(known, signals[1], 1), 0),)


def couplings(
    image: Float[jax.Array, "h w 3"], depth: Float[jax.Array, "h w"], inside: jax.Array
) -> tuple[Float[jax.Array, "h w"], Float[jax.Array, "h w"]]:
    """c of every pixel and its left, and its upper, neighbour; 0 where there is none in the photo."""
    result = []
    for axis in (1, 0):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (1, 0)
        step = jnp.sqrt(jnp.sum(jnp.diff(image, axis=axis) ** 2, axis=-1))
        alike = jnp.pad(jnp.exp(-step / SIGMA), pad)
        both = inside & jnp.pad(inside, pad)[: inside.shape[0], : inside.shape[1]]
        result.append(jnp.where(both, alike * (1 - jnp.clip(depth, 0, 1)), 0))
    return result[0], result[1]


def smooth_rows(signals: Float[jax.Array, "c h w"], coupling: Float[jax.Array, "h w"]) -> jax.Array:
    """Solve (1 + sum c_ij) u_i - sum c_ij u_j = f_i along every row; `coupling` has lambda in it."""
    lower = coupling.at[:, 0].set(0)
    upper = jnp.pad(lower[:, 1:], ((0, 0), (0, 1)))
    diagonal = 1 + lower + upper
    right = signals.transpose(1, 2, 0)
    return jax.lax.linalg.tridiagonal_solve(-lower, diagonal, -upper, right).transpose(2, 0, 1)
