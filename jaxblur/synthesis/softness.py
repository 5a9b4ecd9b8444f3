"""Point-spread functions that are soft at the rim: few lenses draw the aperture as sharply as geometry has it."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxblur.synthesis.kernels import gaussian_kernel
from jaxblur.units import radius_to_sigma, sigma_to_radius


def soft_kernel(
    aperture: Callable[[Float[Array, ""]], Float[Array, "size size"]],
    radius: Float[Array, ""],
    *,
    softness: Float[Array, ""] | float,
) -> Float[Array, "size size"]:
    """A smaller picture of the aperture convolved with a Gaussian, together of like sharpness as that of `radius`.

    Aberrations, diffraction and the optics of small cameras soften what defocus alone would make a sharp disk. Squared
    sigmas add; `radius_to_sigma` gives that of an aperture. So `radius` means the same at every softness: the disk
    that looks about as blurred.

    Args:
      aperture: radius (px) to a kernel of odd side and sum 1, for instance `functools.partial(disk_kernel, size=49)`.
      radius: px, at least 0; floating-point, may be traced.
      softness: fraction of the Gaussian in the squared sigma, in [0, 1]: 0 gives `aperture(radius)`, 1 a Gaussian of
        `radius_to_sigma(radius)`. May be traced. What lies beyond the kernel's border is cut off.

    Returns:
      Kernel that sums to 1, shaped as `aperture` gives it.

    Examples:
      >>> import functools, jax.numpy as jnp
      >>> from jaxblur.synthesis import disk_kernel, soft_kernel
      >>> kernel = soft_kernel(functools.partial(disk_kernel, size=15), jnp.float32(3.0), softness=0.2)
      >>> kernel.shape, round(float(kernel.sum()), 4)
      ((15, 15), 1.0)
    """
    sigma = radius_to_sigma(radius)
    softness = jnp.asarray(softness, sigma.dtype)
    kernel = aperture(sigma_to_radius(jnp.sqrt(1 - softness) * sigma))
    size = kernel.shape[0]
    line = gaussian_kernel(jnp.sqrt(softness) * sigma, size=size).sum(0)
    # One axis after the other: row i of the band holds the Gaussian around pixel i.
    band = jnp.stack([jnp.roll(jnp.pad(line, (0, size)), i - size // 2) for i in range(size)])[:, :size]
    softened = band.T @ kernel @ band
    return softened / softened.sum()
