"""VALID convolution, the one operation the networks spend their time in.

On GPU and TPU this is XLA's own convolution. On CPU it is a scan over small blocks of rows, each one matrix product
over its im2col columns, which stay in cache: forward and weight gradient then run near the rate of a large matrix
product, about twice as fast as XLA's CPU convolution (`benchmarks/bench_networks.py`).
"""

import contextlib
import contextvars
import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

_PIXELS_PER_BLOCK = (
    160  # output pixels per matrix product: columns of 3x3x64 floats then fit the second-level cache
)

_plain = contextvars.ContextVar("_plain", default=False)


@contextlib.contextmanager
def plain_convolutions() -> Iterator[None]:
    """What is traced inside uses XLA's own convolution on every backend, as converters to other formats expect."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)


def convolve(
    x: Float[Array, "b h w c"], kernel: Float[Array, "k k c d"], *, dilation: int = 1
) -> Float[Array, "b h2 w2 d"]:
    """VALID convolution (cross-correlation) of stride 1.

    Args:
      x: batch of feature maps.
      kernel: square filters, odd or even size k.
      dilation: distance of neighbouring filter taps, px.

    Returns:
      Maps of height h - (k - 1) * dilation and width likewise.

    Raises:
      ValueError: channels differ, or the maps are smaller than the dilated filter.
    """
    extent = (kernel.shape[0] - 1) * dilation
    if x.shape[-1] != kernel.shape[2]:
        raise ValueError(f"x must have {kernel.shape[2]} channels as the kernel has, got {x.shape[-1]}")
    if min(x.shape[1], x.shape[2]) <= extent:
        raise ValueError(f"x must be larger than the dilated filter ({extent + 1} px), got {x.shape[1:3]}")
    if kernel.shape[0] == 1:
        return jnp.einsum("bhwc,cd->bhwd", x, kernel[0, 0])

    def plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(
            x,
            kernel,
            (1, 1),
            "VALID",
            rhs_dilation=(dilation, dilation),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    # Filters over 3 channels make columns too thin for a matrix product to pay.
    if x.shape[-1] < 16 or _plain.get():
        return plain(x, kernel)
    return lax.platform_dependent(
        x, kernel, cpu=lambda x, kernel: _blocked(x, kernel, dilation), default=plain
    )


def _factor(x: jax.Array) -> jax.Array:
    """`x` as a factor of products under `jax.default_matmul_precision`, which XLA's own products ignore on CPU."""
    precision: str | None = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    return x.astype(jnp.bfloat16) if precision == "bfloat16" else x


def _row_blocks(x: jax.Array, extent: int) -> tuple[jax.Array, int, int]:
    """`x` padded to whole blocks of output rows, the rows per block, and the number of blocks per image."""
    height, width = x.shape[1] - extent, x.shape[2] - extent
    rows = min(height, max(1, _PIXELS_PER_BLOCK // width))
    blocks = -(-height // rows)
    return jnp.pad(x, ((0, 0), (0, blocks * rows - height), (0, 0), (0, 0))), rows, blocks


def _columns(block: jax.Array, rows: int, width: int, size: int, dilation: int) -> jax.Array:
    """im2col: (rows * width, size * size * c), in the order of a flattened (size, size, c, d) kernel."""
    taps = [
        block[i * dilation : i * dilation + rows, j * dilation : j * dilation + width]
        for i in range(size)
        for j in range(size)
    ]
    return jnp.concatenate(taps, axis=-1).reshape(rows * width, -1)


def _slice_block(x: jax.Array, index: jax.Array, rows: int, blocks: int, extent: int) -> jax.Array:
    zero = jnp.zeros_like(index)
    start = (index // blocks, (index % blocks) * rows, zero, zero)
    return lax.dynamic_slice(x, start, (1, rows + extent, x.shape[2], x.shape[3]))[0]


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _blocked(x: jax.Array, kernel: jax.Array, dilation: int) -> jax.Array:
    size, _, _, features = kernel.shape
    extent = (size - 1) * dilation
    batch, height, width = x.shape[0], x.shape[1] - extent, x.shape[2] - extent
    padded, rows, blocks = _row_blocks(_factor(x), extent)
    matrix = _factor(kernel).reshape(-1, features)

    def one_block(index: jax.Array) -> jax.Array:
        block = _slice_block(padded, index, rows, blocks, extent)
        columns = _columns(block, rows, width, size, dilation)
        return jnp.matmul(columns, matrix, preferred_element_type=x.dtype)

    out = lax.map(one_block, jnp.arange(batch * blocks))
    return out.reshape(batch, blocks * rows, width, features)[:, :height]


def _blocked_forward(
    x: jax.Array, kernel: jax.Array, dilation: int
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _blocked(x, kernel, dilation), (x, kernel)


def _blocked_backward(
    dilation: int, saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    size, _, channels, features = kernel.shape
    extent = (size - 1) * dilation
    batch, width = x.shape[0], gradient.shape[2]

    margin = ((0, 0), (extent, extent), (extent, extent), (0, 0))
    flipped = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    x_gradient: jax.Array = _blocked(jnp.pad(gradient, margin), flipped, dilation)

    padded, rows, blocks = _row_blocks(_factor(x), extent)
    gradient, _, _ = _row_blocks(_factor(gradient), 0)
    # Turned as a whole: XLA's product with a turned factor is slower, and knows no bfloat16.
    turned = gradient.reshape(batch * blocks, rows * width, features).transpose(0, 2, 1)

    def add_block(total: jax.Array, inputs: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        index, out = inputs
        block = _slice_block(padded, index, rows, blocks, extent)
        columns = _columns(block, rows, width, size, dilation)
        return total + jnp.matmul(out, columns, preferred_element_type=total.dtype), None

    start = jnp.zeros((features, size * size * channels), x.dtype)
    kernel_gradient, _ = lax.scan(add_block, start, (jnp.arange(batch * blocks), turned))
    return x_gradient, kernel_gradient.T.reshape(kernel.shape)


_blocked.defvjp(_blocked_forward, _blocked_backward)


def max_pool(x: Float[Array, "b h w c"], *, size: int, stride: int) -> Float[Array, "b h2 w2 c"]:
    """VALID maximum over size x size windows; `stride` is `size` (patches) or 1 (dense form).

    Nested maxima instead of `reduce_window`: the gradient is 18 times faster on CPU and the numbers are the same.
    """
    height, width = x.shape[1] - size + 1, x.shape[2] - size + 1
    x = functools.reduce(jnp.maximum, [x[:, i : i + height : stride] for i in range(size)])
    return functools.reduce(jnp.maximum, [x[:, :, j : j + width : stride] for j in range(size)])
