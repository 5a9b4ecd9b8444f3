"""Photos in size buckets, so that few programs are compiled for a data set of many sizes."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Float32, Int32, UInt8

from jaxblur import detect_edges, size_bucket
from jaxblur.image.size import pad_to_shape, repeat_border


def in_bucket(
    image: UInt8[np.ndarray, "h w 3"],
) -> tuple[Float32[np.ndarray, "h2 w2 3"], Int32[np.ndarray, " 2"]]:
    """The photo in [0, 1], in the top left of an array as large as its bucket, and its true (height, width)."""
    height, width = image.shape[:2]
    padded = pad_to_shape(image.astype(np.float32) / np.float32(255), size_bucket(height, width).shape)
    return padded, np.array([height, width], np.int32)


def edges_of(image: UInt8[np.ndarray, "h w 3"]) -> Bool[np.ndarray, "h w"]:
    """`jaxblur.detect_edges` of a photo."""
    height, width = image.shape[:2]
    return np.asarray(_edges(*in_bucket(image)))[:height, :width]


@jax.jit
def _edges(image: jax.Array, size: jax.Array) -> jax.Array:
    return detect_edges(image, size=(size[0], size[1]))


def bucketed(program: Callable[..., tuple[jax.Array, ...]], *arrays: Any) -> tuple[np.ndarray, ...]:
    """What a program says about a photo, run on arrays as large as the photo's bucket.

    Args:
      program: called as program(*arrays, size), with the photo in the top left of zeros and its true (height, width)
        as int32 array (2,); returns planes.
      arrays: photo, planes, all of one height and width.

    Returns:
      The planes that the program returned, cut to the size of the photo.
    """
    height, width = arrays[0].shape[:2]
    shape = size_bucket(height, width).shape
    padded = [jnp.asarray(pad_to_shape(np.asarray(array), shape)) for array in arrays]
    results = program(*padded, jnp.array([height, width], jnp.int32))
    return tuple(np.asarray(plane)[:height, :width] for plane in results)


def repeat_borders(size: jax.Array, *planes: Float[jax.Array, "h w"]) -> tuple[Float[jax.Array, "h w"], ...]:
    """Planes with the border of the photo repeated into the padding, for filters of small reach."""
    return tuple(repeat_border(jnp.asarray(plane), (size[0], size[1])) for plane in planes)
