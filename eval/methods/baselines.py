"""What an estimator should at least beat: functions from one photo to (map, confidence or None)."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.ndimage
from jaxtyping import Float32, UInt8

from eval.bucket import in_bucket
from eval.methods.readings.gradient_ratio import edge_sigma
from jaxblur import detect_edges, propagate
from jaxblur.image.size import repeat_border

_SHARP_ENERGY = 1e-3  # mean squared Laplacian of an image in [0, 1] that scores 1/2
_WINDOW = 15  # px

Photo = UInt8[np.ndarray, "h w 3"]
Plane = Float32[np.ndarray, "h w"]


def zhuo_sim(image: Photo) -> tuple[Plane, Plane]:
    """Gaussian sigma (px) from the ratio of gradients at edges before and after a known blur, spread by
    `propagate`.

    At an edge blurred by sigma, blurring again by sigma0 divides the gradient by R = sqrt(1 + (sigma0 /
    sigma)^2), hence sigma = sigma0 / sqrt(R^2 - 1), less the blur of the difference that stands for the
    gradient. The paper's matting Laplacian is replaced by this project's propagation.

    References:
      Zhuo and Sim, "Defocus map estimation from a single image", Pattern Recognition 2011.
    """
    height, width = image.shape[:2]
    sigma, confidence = _zhuo_sim(*in_bucket(image))
    return np.asarray(sigma)[:height, :width], np.asarray(confidence)[:height, :width]


def laplacian(image: Photo) -> tuple[Plane, None]:
    """Blur score in [0, 1] from the local energy of the Laplacian, 1 / (1 + energy / 0.001); flat areas score
    high.

    References:
      Subbarao, Choi, Nikzad, "Focusing techniques", Optical Engineering 1993; Pertuz, Puig, Garcia, "Analysis
      of focus measure operators for shape-from-focus", Pattern Recognition 2013.
    """
    grey = image.max(-1).astype(np.float32) / np.float32(255)
    energy = scipy.ndimage.uniform_filter(scipy.ndimage.laplace(grey) ** 2, _WINDOW)
    return 1 / (1 + np.maximum(energy, 0) / np.float32(_SHARP_ENERGY)), None


def constant(image: Photo, *, radius: float) -> tuple[Plane, None]:
    """The same radius everywhere: the floor of every error in px."""
    return np.full(image.shape[:2], radius, np.float32), None


@jax.jit
def _zhuo_sim(image: jax.Array, size: jax.Array) -> tuple[jax.Array, jax.Array]:
    true_size = (size[0], size[1])
    edges = detect_edges(image, size=true_size)
    sigma = edge_sigma(repeat_border(image.max(-1), true_size), edges)
    weight = edges.astype(image.dtype)
    return propagate(sigma, weight, jnp.zeros_like(weight), image, size=true_size)
