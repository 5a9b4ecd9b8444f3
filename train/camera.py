"""What a camera does to a picture: its settings, and the degradations that blurred views and composed scenes share.

Values are gamma-encoded (sRGB) in [0, 1] unless a name says linear.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt8

from jaxblur import synthesis
from train.settings import check_fractions
from train.streams import Folded

KERNEL_SIZE = 15
"""Side of the kernels of composites and of validation, px: holds a disk of radius 7."""

NO_JPEG = 101.0
"""Quality that stands for no JPEG at all."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CameraConfig:
    """How pictures are taken. Probabilities are per picture."""

    soft_probability: float = 0.0  # of a soft lens, see `synthesis.soft_kernel`
    low_contrast_probability: float = 0.0  # of a subject of less contrast, as in haze or dim light
    contrast: tuple[float, float] = (0.15, 1.0)  # of such subjects; drawn log-uniformly
    linear_probability: float = 0.5  # of blur formed in linear light; the others on gamma-encoded values
    noise_probability: float = 0.75
    jpeg_probability: float = 0.5
    jpeg_quality: tuple[float, float] = (60.0, 97.0)  # drawn uniformly

    def __post_init__(self) -> None:
        check_fractions(self)
        if not 0 < self.contrast[0] <= self.contrast[1] <= 1:
            raise ValueError(f"contrast must be in (0, 1], lowest first, got {self.contrast}")
        if not 1 <= self.jpeg_quality[0] <= self.jpeg_quality[1] <= 100:
            raise ValueError(f"jpeg_quality must be in [1, 100], lowest first, got {self.jpeg_quality}")


class Degradation(NamedTuple):
    """How pictures are taken, beside the radius of their blur; arrays of one entry per picture."""

    black: Float[Array, "*n"]  # gamma-encoded value that what is black has before the lens
    white: Float[Array, "*n"]
    softness: Float[Array, "*n"]  # of the lens, in [0, 1], see `synthesis.soft_kernel`
    linear: Bool[Array, "*n"]  # blurred in linear light
    noise: Float[Array, "*n"]  # standard deviation, gamma-encoded values
    quality: Float[Array, "*n"]  # of JPEG, 1 to 100; `NO_JPEG` for none


def draw_degradation(key: jax.Array, count: int, config: CameraConfig, *, max_noise: float) -> Degradation:
    """Random degradations of `count` pictures.

    Args:
      key: ().
      count: of pictures.
      config: probabilities and ranges.
      max_noise: largest standard deviation of the noise, gamma-encoded values; drawn uniformly from 0.
    """
    keys = jax.random.split(key, 9)  # the others are those of the radius, see `samples.draw_radii`
    soft_key, softness_key = jax.random.split(jax.random.fold_in(key, Folded.SOFT_LENS))
    softness = jax.random.uniform(softness_key, (count,))
    low_key, contrast_key, black_key = jax.random.split(jax.random.fold_in(key, Folded.LOW_CONTRAST), 3)
    low, high = config.contrast
    contrast = low * (high / low) ** jax.random.uniform(contrast_key, (count,))
    is_low = jax.random.bernoulli(low_key, config.low_contrast_probability, (count,))
    contrast = jnp.where(is_low, contrast, 1.0)
    black = (1 - contrast) * jax.random.uniform(black_key, (count,))
    noise = max_noise * jax.random.uniform(keys[3], (count,))
    low, high = config.jpeg_quality
    quality = jax.random.uniform(keys[4], (count,), minval=low, maxval=high)

    def sometimes(key: jax.Array, probability: float, value: jax.Array, otherwise: float) -> jax.Array:
        return jnp.where(jax.random.bernoulli(key, probability, (count,)), value, otherwise)

    return Degradation(
        black=black,
        white=black + contrast,
        softness=sometimes(soft_key, config.soft_probability, softness, 0.0),
        linear=jax.random.bernoulli(keys[5], config.linear_probability, (count,)),
        noise=sometimes(keys[6], config.noise_probability, noise, 0.0),
        quality=sometimes(keys[7], config.jpeg_probability, quality, NO_JPEG),
    )


def shown(pixels: UInt8[Array, "*n"], black: Float[Array, ""], white: Float[Array, ""]) -> Float[Array, "*n"]:
    """Gamma-encoded values that the lens is shown: `black` for pixels of 0, `white` for pixels of 255."""
    return black + (white - black) * (pixels.astype(jnp.float32) / 255)


def lens(radius: Float[Array, ""], softness: Float[Array, ""], *, size: int) -> Float[Array, "size size"]:
    """Blur kernel of a lens: a disk of `radius` px, its rim more or less soft; sum 1."""
    disk = functools.partial(synthesis.disk_kernel, size=size)
    return synthesis.soft_kernel(disk, radius, softness=softness)


def capture(
    key: jax.Array, image: Float[Array, "h w 3"], noise: Float[Array, ""], quality: Float[Array, ""]
) -> Float[Array, "h w 3"]:
    """What a simple camera makes of the image that the lens forms: noise, JPEG, 8 bits.

    Args:
      key: () of the noise.
      image: in [0, 1].
      noise: standard deviation.
      quality: of JPEG; `NO_JPEG` for none.
    """
    image = synthesis.add_noise(key, image, read=noise, shot=0.0)
    return synthesis.quantise(synthesis.jpeg(image, quality))
