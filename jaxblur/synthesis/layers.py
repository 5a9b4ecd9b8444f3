"""Images of several flat layers at different depths, each out of focus by its own amount, with true
occlusion.

A stack is listed from back to front. Layers are complete images: what lies behind a nearer layer is known,
since light from there reaches the camera around the border of a nearer layer that is out of focus. Layer 0 is
the background; it is opaque, whatever its alpha. The arguments of a stack of n layers:
  images: (n, H, W, C), sRGB-encoded, range [0, 1], not premultiplied.
  alphas: (n, H, W), how much of each pixel the layer covers, range [0, 1].
  kernels: (n, k, k), odd k, one point-spread function per layer, sum 1.
  radii: (n,), the disk radius of each kernel, px.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxblur._checks import check_float, check_rank
from jaxblur.synthesis.formation import Border, convolve, from_light, to_light


def composite_layers(
    images: Float[Array, "n h w c"],
    alphas: Float[Array, "n h w"],
    kernels: Float[Array, "n k k"],
    *,
    linear_light: Bool[Array, ""] | bool = False,
    border: Border = "valid",
) -> Float[Array, "h2 w2 c"]:
    """Image of a stack of layers: from back to front, seen = blur(alpha * colour) + (1 - blur(alpha)) * seen
    behind.

    Blurring the premultiplied colour and alpha alike makes occlusions free of dark and bright fringes. The
    formula is exact where at most one of the layers that meet is out of focus; else it takes the parts of the
    aperture that two layers cover for independent, as all such compositing does.

    Args:
      images: (n, H, W, C) the layers from back to front, sRGB-encoded in [0, 1], not premultiplied.
      alphas: (n, H, W) how much of each pixel a layer covers, in [0, 1]; layer 0 is opaque whatever it says.
      kernels: (n, k, k) point-spread function of each layer, odd k, sum 1.
      linear_light: sum light as a camera does instead of gamma-encoded values; may be traced.
      border: as in `convolve`.

    Returns:
      sRGB-encoded image, (H - k + 1, W - k + 1, C) or with border "reflect" (H, W, C).

    Raises:
      TypeError: `images` or `alphas` do not hold floating-point numbers.
      ValueError: the parts of the stack do not fit together, or as in `convolve`.

    Examples:
      >>> import jax, jax.numpy as jnp
      >>> from jaxblur.synthesis import composite_layers, disk_kernel
      >>> images = jnp.stack([jnp.zeros((16, 16, 3)), jnp.ones((16, 16, 3))])  # white before black
      >>> alphas = jnp.ones((2, 16, 16)).at[1, :, :8].set(0.0)  # it covers the right half
      >>> kernels = jnp.stack([disk_kernel(0.5, size=5), disk_kernel(2.0, size=5)])
      >>> print(composite_layers(images, alphas, kernels)[6, 3:9, 0].round(2))
      [0.   0.07 0.34 0.66 0.93 1.  ]
    """
    check_stack(alphas, kernels=kernels)
    check_float("images", images)
    check_rank("images", images, (4,), "(n, H, W, C)")
    if images.shape[:3] != alphas.shape:
        raise ValueError(f"images must have the layers and size of alphas {alphas.shape}, got {images.shape}")
    images = jnp.asarray(images)
    alphas = jnp.asarray(alphas, images.dtype).at[0].set(1.0)[..., None]
    premultiplied = jnp.concatenate([to_light(images, linear_light) * alphas, alphas], axis=-1)
    blurred = jax.vmap(lambda layer, kernel: convolve(layer, kernel, border=border))(premultiplied, kernels)
    seen = blurred[0, ..., :-1]
    for layer in blurred[1:]:
        seen = layer[..., :-1] + (1 - layer[..., -1:]) * seen
    return from_light(seen, linear_light)


def layer_radius(
    alphas: Float[Array, "n h w"], radii: Float[Array, " n"] | Float[Array, "n h w"]
) -> Float[Array, "h w"]:
    """True blur radius per pixel: that of the nearest layer whose sharp alpha is at least 1/2.

    This is the blur of the scene point that a pinhole camera would see, as in data sets with measured depth;
    near the border of a blurred layer the image itself is a mixture of two blurs. It has the size of
    `alphas`; see `valid_part` for that of a composite with border "valid".

    Args:
      alphas: (n, H, W) how much of each pixel a layer covers, in [0, 1], from back to front.
      radii: (n,) disk radius of each layer, px; may also vary within layers, (n, H, W).

    Returns:
      Radius, px, of the dtype of `radii`.

    Raises:
      TypeError: `alphas` or `radii` do not hold floating-point numbers.
      ValueError: the parts of the stack do not fit together.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxblur.synthesis import layer_radius
      >>> alphas = jnp.ones((2, 4, 4)).at[1, :, :2].set(0.0)  # the near layer covers the right half
      >>> layer_radius(alphas, jnp.asarray([0.5, 3.0]))[0].tolist()
      [0.5, 0.5, 3.0, 3.0]
    """
    if jnp.ndim(radii) == 3:
        check_stack(alphas)
        check_float("radii", radii)
        if radii.shape != alphas.shape:
            raise ValueError(f"radii must have the shape of alphas {alphas.shape}, got {radii.shape}")
    else:
        check_stack(alphas, radii=radii)
    radius = jnp.broadcast_to(radii[0], alphas.shape[1:])
    for alpha, layer in zip(alphas[1:], radii[1:], strict=True):
        radius = jnp.where(alpha >= 0.5, layer, radius)
    return radius


def check_stack(alphas: Array, *, kernels: Array | None = None, radii: Array | None = None) -> None:
    """Raise TypeError or ValueError unless these parts belong to one stack of layers."""
    check_float("alphas", alphas)
    check_rank("alphas", alphas, (3,), "(n, H, W)")
    if alphas.shape[0] == 0:
        raise ValueError(f"alphas must hold at least one layer, got {alphas.shape}")
    if kernels is not None:
        check_rank("kernels", kernels, (3,), "(n, k, k)")
        _check_same_layers("kernels", kernels, alphas)
    if radii is not None:
        check_float("radii", radii)
        check_rank("radii", radii, (1,), "(n,)")
        _check_same_layers("radii", radii, alphas)


def _check_same_layers(name: str, part: Array, alphas: Array) -> None:
    if part.shape[0] != alphas.shape[0]:
        raise ValueError(
            f"{name} must have as many layers as alphas ({alphas.shape[0]}), got {part.shape[0]}"
        )
