"""Photos padded to a few sizes, so that few programs are compiled for a data set of many sizes."""

import jax
import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8

from jaxblur import detect_edges

_BUCKET = 64  # px


def pad_photo(
    image: UInt8[np.ndarray, "h w 3"],
) -> tuple[Float32[np.ndarray, "h2 w2 3"], Int32[np.ndarray, " 2"]]:
    """The photo in [0, 1], its border repeated up to multiples of 64 px, and its true (height, width)."""
    height, width = image.shape[:2]
    pads = ((0, -height % _BUCKET), (0, -width % _BUCKET), (0, 0))
    padded = np.pad(image.astype(np.float32) / np.float32(255), pads, mode="edge")
    return padded, np.array([height, width], np.int32)


def edges_of(image: UInt8[np.ndarray, "h w 3"]) -> Bool[np.ndarray, "h w"]:
    """`jaxblur.detect_edges` of a photo."""
    height, width = image.shape[:2]
    return np.asarray(_edges(*pad_photo(image)))[:height, :width]


@jax.jit
def _edges(image: jax.Array, size: jax.Array) -> jax.Array:
    return detect_edges(image, size=(size[0], size[1]))
