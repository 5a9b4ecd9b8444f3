"""Photos in size buckets, so that few programs are compiled for a data set of many sizes."""

import jax
import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8

from jaxblur import detect_edges, size_bucket
from jaxblur.image.size import pad_to_shape


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
