"""Images of layered scenes whose layers may be slanted, so that the blur radius varies within a layer.

A layer is a plane in space: its signed circle of confusion is an affine function of the place in the view. A plane
that crosses the focal plane has a line along which it is sharp.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float
from scipy.fft import next_fast_len

from jaxblur._checks import check_float, check_positive, check_rank
from jaxblur.synthesis.formation import from_light, to_light, valid_part
from jaxblur.synthesis.layers import check_stack, layer_radius

_SPACING_OFFSET = (
    3.0  # px; slices are even in log(radius + this): 0.4 px apart when sharp, a tenth when large
)


def plane_radius(
    planes: Float[Array, "n 3"], *, height: int, width: int, margin: int = 0, max_radius: float
) -> Float[Array, "n h w"]:
    """Blur radius of planes: |p0 + p1 y + p2 x|, at most `max_radius`.

    y and x are 0 in the middle of the view of `height` x `width` px and -1 and 1 at its borders.

    Args:
      planes: p0, p1, p2 in px, the signed circle of confusion; the sign tells before from behind the focal plane.
      height: of the view, px.
      width: of the view, px.
      margin: px that are added around the view, where y and x go on.
      max_radius: px.

    Returns:
      Radius, px, (n, height + 2 margin, width + 2 margin), of the dtype of `planes`.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxblur.synthesis import plane_radius
      >>> slanted = jnp.asarray([[0.0, 0.0, 4.0]])  # in focus in the middle column
      >>> print(plane_radius(slanted, height=1, width=5, max_radius=3.0)[0, 0])
      [3.  1.6 0.  1.6 3. ]
    """
    check_float("planes", planes)
    check_rank("planes", planes, (2,), "(n, 3)")
    if planes.shape[1] != 3:
        raise ValueError(f"planes must have shape (n, 3), got {tuple(planes.shape)}")
    check_positive("max_radius", max_radius)
    y, x = (
        (jnp.arange(-margin, size + margin, dtype=planes.dtype) - (size - 1) / 2) / (size / 2)
        for size in (height, width)
    )
    middle, slope_y, slope_x = (planes[:, i, None, None] for i in range(3))
    return jnp.minimum(jnp.abs(middle + slope_y * y[None, :, None] + slope_x * x[None, None, :]), max_radius)


def render_scene(
    images: Float[Array, "n h w 3"],
    alphas: Float[Array, "n h w"],
    planes: Float[Array, "n 3"],
    *,
    kernel: Callable[[Float[Array, ""]], Float[Array, "k k"]],
    max_radius: float,
    linear_light: Bool[Array, ""] | bool = False,
    slices: int = 12,
) -> tuple[Float[Array, "h2 w2 3"], Float[Array, "h2 w2"]]:
    """Image of a stack of flat and slanted layers as the lens forms it, and its true blur radius.

    From back to front, seen = blurred colour + (1 - blurred alpha) * seen behind, as in `composite_layers`. Each
    source pixel is spread by the kernel of its own radius, quantised into `slices` radii that lie between the
    layer's least and greatest: a radius between two of them is their mixture with the right second moment, and a
    flat layer is exact. What a slanted layer spreads does not sum to 1 at every pixel, although radiance is the
    same along every ray; so the sums are divided by those of a layer of alpha 1, and an opaque surface of one colour
    stays so.

    Args:
      images: (n, H, W, 3) the layers from back to front, see `composite_layers`. They are larger than the result by
        k // 2 px on each side, since light from there gets into the view.
      alphas: (n, H, W) how much of each pixel a layer covers, in [0, 1].
      planes: see `plane_radius`; in px and y, x of the result.
      kernel: the aperture: radius (traced, px) to a point-spread function of odd side k and sum 1, for instance
        `functools.partial(disk_kernel, size=49)`. It must hold `max_radius`. Light before and behind the focal plane
        is spread alike, which is right for symmetric apertures only.
      max_radius: blur radii are cut off here, px.
      linear_light: sum light as a camera does instead of gamma-encoded values; may be traced.
      slices: number of radii per layer. At 12, from 0 to 24 px, they lie 0.6 (sharp) to 4 px apart.

    Returns:
      sRGB-encoded image before noise and coding, (H - k + 1, W - k + 1, 3), and the radius in px that `layer_radius`
      defines, (H - k + 1, W - k + 1).

    Raises:
      TypeError: `images`, `alphas` or `planes` do not hold floating-point numbers.
      ValueError: the parts of the stack do not fit together, too few slices, an even or non-square kernel, or
        images smaller than it.

    Examples:
      >>> import functools, jax.numpy as jnp
      >>> from jaxblur.synthesis import disk_kernel, render_scene
      >>> images, alphas, planes = jnp.ones((1, 40, 40, 3)), jnp.ones((1, 40, 40)), jnp.asarray([[1.0, 0.0, 2.0]])
      >>> kernel = functools.partial(disk_kernel, size=9)
      >>> image, radius = render_scene(images, alphas, planes, kernel=kernel, max_radius=4.0)
      >>> image.shape, radius.shape
      ((32, 32, 3), (32, 32))
    """
    check_stack(alphas)
    check_float("images", images)
    check_rank("images", images, (4,), "(n, H, W, C)")
    if images.shape[:3] != alphas.shape:
        raise ValueError(f"images must have the layers and size of alphas {alphas.shape}, got {images.shape}")
    if slices < 2:
        raise ValueError(f"slices must be at least 2, got {slices}")
    images = jnp.asarray(images)
    dtype = images.dtype
    size = _kernel_size(kernel, dtype)
    height, width = (side - size + 1 for side in alphas.shape[1:])
    if min(height, width) < 1:
        raise ValueError(f"images must be at least as large as kernel ({size} px), got {images.shape}")
    alphas = jnp.asarray(alphas, dtype).at[0].set(1.0)
    radii = plane_radius(
        jnp.asarray(planes, dtype), height=height, width=width, margin=size // 2, max_radius=max_radius
    )
    if radii.shape != alphas.shape:
        raise ValueError(
            f"planes must have as many layers as alphas ({alphas.shape[0]}), got {planes.shape[0]}"
        )
    light = to_light(images, linear_light)

    def add_layer(behind: Array, layer: tuple[Array, Array, Array]) -> tuple[Array, None]:
        colour, alpha = _spread(*layer, kernel=kernel, slices=slices)
        return colour + (1 - alpha) * behind, None

    nothing = jnp.zeros((height, width, images.shape[-1]), dtype)
    # One layer after the other: the slices of all at once would take some hundred megabytes.
    seen, _ = jax.lax.scan(add_layer, nothing, (light, alphas, radii))
    inner = functools.partial(valid_part, size=size)
    return from_light(seen, linear_light), layer_radius(jax.vmap(inner)(alphas), jax.vmap(inner)(radii))


def _kernel_size(kernel: Callable[[Array], Array], dtype: jnp.dtype) -> int:
    shape = jax.eval_shape(kernel, jax.ShapeDtypeStruct((), dtype)).shape
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] % 2 == 0:
        raise ValueError(f"kernel must give square kernels of odd side, got shape {tuple(shape)}")
    return shape[0]


def _spread(
    light: Array, alpha: Array, radius: Array, *, kernel: Callable[[Array], Array], slices: int
) -> tuple[Array, Array]:
    """Premultiplied colour (h2, w2, C) and alpha (h2, w2, 1) of one layer out of focus."""
    covered = alpha > 0
    low = jnp.min(radius, initial=jnp.inf, where=covered)
    high = jnp.max(radius, initial=0.0, where=covered)
    low = jnp.minimum(low, high)  # nothing is covered: 0
    planes = jnp.concatenate(
        [light * alpha[..., None], alpha[..., None], jnp.ones_like(alpha)[..., None]], -1
    )
    planes = jnp.moveaxis(planes, -1, 0)
    sums = jax.lax.cond(
        high > low,
        functools.partial(_sum_slices, kernel=kernel, slices=slices),
        functools.partial(_sum_slices, kernel=kernel, slices=1),
        planes,
        radius,
        low,
        high,
    )
    colour, blurred_alpha = jnp.moveaxis(sums[:-2], 0, -1), sums[-2][..., None]
    total = sums[-1][..., None]
    return colour / total, blurred_alpha / total


def _sum_slices(
    planes: Array, radius: Array, low: Array, high: Array, *, kernel: Callable[[Array], Array], slices: int
) -> Array:
    """Sum over slices of K(r_j) * (h_j planes), (c, h2, w2): one transform back for all."""
    steps = jnp.linspace(0.0, 1.0, slices, dtype=radius.dtype)
    ratio = (high + _SPACING_OFFSET) / (low + _SPACING_OFFSET)
    slice_radii = low + (low + _SPACING_OFFSET) * (ratio**steps - 1)
    kernels = jax.vmap(kernel)(slice_radii)
    size = kernels.shape[-1]
    height, width = radius.shape
    fast: list[int] = [next_fast_len(n, real=True) for n in (height, width)]  # pyright: ignore[reportAssignmentType]
    parts = _hats(radius, slice_radii)[:, None] * planes[None]
    spectrum = jnp.sum(jnp.fft.rfft2(parts, s=fast) * jnp.fft.rfft2(kernels, s=fast)[:, None], axis=0)
    # A circular convolution is right wherever the kernel does not wrap around: just the valid part.
    return jnp.fft.irfft2(spectrum, s=fast)[:, size - 1 : height, size - 1 : width]


def _hats(radius: Array, slice_radii: Array) -> Array:
    """Weights (s, h, w) of rising slice radii at each pixel, piecewise linear in the squared radius, sum 1.

    The variance of a disk goes with its squared radius, so that of the mixture is right.
    """
    squares = slice_radii**2
    lower, step = squares[:-1, None, None], jnp.diff(squares)[:, None, None]
    beyond = jnp.clip(
        (radius[None] ** 2 - lower) / jnp.where(step > 0, step, 1.0), 0.0, 1.0
    )  # fraction beyond each slice
    whole, none = jnp.ones_like(radius)[None], jnp.zeros_like(radius)[None]
    return jnp.concatenate([whole, beyond]) - jnp.concatenate([beyond, none])
