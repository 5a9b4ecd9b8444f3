"""What the networks are made of, as Flax Linen modules: convolution, column, trunk, classification network."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Bool, Float

from jaxblur.network.config import ColumnConfig, NetworkConfig
from jaxblur.network.convolution import convolve, max_pool


def _filter_init(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """Glorot-uniform filters (paper's release)."""
    return nn.initializers.glorot_uniform()(key, shape, dtype)


class Normalise(nn.Module):
    """What follows a linear layer: nothing, a bias, or batch normalisation with count-weighted statistics.

    Unlike `nn.BatchNorm`, the statistics of a masked batch are exact on any number of devices: sums and counts are
    added over `axis_name`, so eight devices equal one.
    """

    kind: str
    axis_name: str | None = None
    momentum: float = 0.97
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False, mask: jax.Array | None = None) -> jax.Array:
        """`x` (..., c); `mask` over its leading dimensions says which entries count in the statistics."""
        shape = (x.shape[-1],)
        if self.kind == "none":
            return x
        if self.kind == "bias":
            return x + self.param("bias", nn.initializers.zeros, shape).reshape((1,) * (x.ndim - 1) + shape)
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        mean_state = self.variable("batch_stats", "mean", jnp.zeros, shape)
        variance_state = self.variable("batch_stats", "variance", jnp.ones, shape)
        mean, variance = mean_state.value, variance_state.value
        if train:
            mean, variance = self._statistics(x, mask)
            if not self.is_initializing():
                keep = self.momentum
                mean_state.value = keep * mean_state.value + (1 - keep) * mean
                variance_state.value = keep * variance_state.value + (1 - keep) * variance
        gain = scale * lax.rsqrt(variance + self.epsilon)
        ones = (1,) * (x.ndim - 1)
        return x * gain.reshape(ones + shape) + (bias - mean * gain).reshape(ones + shape)

    def _statistics(self, x: jax.Array, mask: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        axes = tuple(range(x.ndim - 1))
        if mask is None:
            count = jnp.asarray(x.size // x.shape[-1], x.dtype)
        else:
            weight = mask.astype(x.dtype).reshape(mask.shape + (1,) * (x.ndim - mask.ndim))
            count = weight.sum() * (x.size // x.shape[-1] // mask.size)
            x = x * weight  # sums below; squares stay right since the weight is 0 or 1
        sums = (x.sum(axes), jnp.square(x).sum(axes), count)
        if self.axis_name is not None:
            sums = lax.psum(sums, self.axis_name)
        total, squares, count = sums
        mean = total / jnp.maximum(count, 1.0)
        return mean, jnp.maximum(squares / jnp.maximum(count, 1.0) - jnp.square(mean), 0.0)


class Conv(nn.Module):
    """Convolution without bias, normalisation, ReLU."""

    size: int
    inputs: int
    outputs: int
    normalisation: str
    axis_name: str | None = None

    def setup(self) -> None:
        self.kernel = self.param("kernel", _filter_init, (self.size, self.size, self.inputs, self.outputs))
        self.normalise = Normalise(self.normalisation, self.axis_name)

    def __call__(
        self, x: jax.Array, dilation: int = 1, train: bool = False, mask: jax.Array | None = None
    ) -> jax.Array:
        return self.activate(convolve(x, self.kernel, dilation=dilation), train, mask)

    def activate(self, linear: jax.Array, train: bool = False, mask: jax.Array | None = None) -> jax.Array:
        """What follows the linear part."""
        return nn.relu(self.normalise(linear, train, mask))


class Column(nn.Module):
    """One column of f1-NET, or f2-NET."""

    column: ColumnConfig
    config: NetworkConfig
    axis_name: str | None = None

    def setup(self) -> None:
        inputs, layers = 3, []
        for layer in self.column.layers:
            if layer != "pool3":
                size = int(layer[-1])
                layers.append(
                    Conv(size, inputs, self.config.width, self.config.normalisation, self.axis_name)
                )
                inputs = self.config.width
        self.convolutions = layers

    def __call__(self, x: jax.Array, dense: bool = False, train: bool = False) -> jax.Array:
        """(n, size, size, 3) patches to (n, 7, 7, width), or images to maps of the same at every point if `dense`."""
        convolutions = iter(self.convolutions)
        dilation = 1
        for layer in self.column.layers:
            if layer == "pool3":
                x = max_pool(x, size=3, stride=1) if dense else max_pool(x, size=3, stride=3)
                dilation *= 3 if dense else 1
            else:
                x = next(convolutions)(x, dilation, train)
        return x


class Trunk(nn.Module):
    """b-NET or e-NET: the joint features of several columns to one vector of `width` numbers (fB or fE)."""

    strides: tuple[int, ...]  # of the columns it reads, in order
    config: NetworkConfig
    axis_name: str | None = None

    def setup(self) -> None:
        inputs, layers = len(self.strides) * self.config.width, []
        for layer in self.config.trunk:
            layers.append(
                Conv(int(layer[-1]), inputs, self.config.width, self.config.normalisation, self.axis_name)
            )
            inputs = self.config.width
        self.convolutions = layers

    def __call__(
        self, grids: list[jax.Array], train: bool = False, mask: Bool[Array, " n"] | None = None
    ) -> Float[Array, "n width"]:
        """From the 7x7 grids of each column (patch-wise form)."""
        x = self.convolutions[0](jnp.concatenate(grids, axis=-1), train=train, mask=mask)
        return self._rest(x, train, mask)

    def project(self, maps: list[jax.Array]) -> dict[int, jax.Array]:
        """The linear part of the first convolution, per stride, from the columns' aligned maps (dense form)."""
        width, kernel = self.config.width, self.convolutions[0].kernel
        out = {}
        for stride in sorted(set(self.strides)):
            chosen = [i for i, s in enumerate(self.strides) if s == stride]
            part = jnp.concatenate([kernel[:, :, i * width : (i + 1) * width] for i in chosen], axis=2)
            out[stride] = convolve(jnp.concatenate([maps[i] for i in chosen], axis=-1), part, dilation=stride)
        return out

    def from_projection(
        self, grid: Float[Array, "n 5 5 width"], train: bool = False, mask: Bool[Array, " n"] | None = None
    ) -> Float[Array, "n width"]:
        """From the sum of the projections read at each point (dense form)."""
        return self._rest(self.convolutions[0].activate(grid, train, mask), train, mask)

    def _rest(self, x: jax.Array, train: bool, mask: jax.Array | None) -> jax.Array:
        for convolution in self.convolutions[1:]:
            size, _, inputs, outputs = convolution.kernel.shape
            side = x.shape[1] - size + 1
            # On grids this small one matrix product over all windows beats a convolution.
            windows = [x[:, i : i + side, j : j + side] for i in range(size) for j in range(size)]
            columns = jnp.concatenate(windows, axis=-1).reshape(-1, size * size * inputs)
            linear = (columns @ convolution.kernel.reshape(-1, outputs)).reshape(-1, side, side, outputs)
            x = convolution.activate(linear, train, mask)
        return x.reshape(x.shape[0], -1)


class ClassificationNetwork(nn.Module):
    """Classification Network I or II: dense 300, dense 150 (ReLU, dropout after each), dense logits."""

    outputs: int
    config: NetworkConfig
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, x: Float[Array, "n width"], train: bool = False, mask: Bool[Array, " n"] | None = None
    ) -> Float[Array, "n outputs"]:
        """Logits of the classes."""
        batch_norm = self.config.normalisation == "batch"
        for i, features in enumerate(self.config.hidden):
            x = nn.Dense(features, use_bias=not batch_norm, name=f"dense_{i}")(x)
            if batch_norm:
                x = Normalise("batch", self.axis_name, name=f"normalise_{i}")(x, train, mask)
            x = nn.Dropout(self.config.dropout, deterministic=not train)(nn.relu(x))
        return nn.Dense(self.outputs, name=f"dense_{len(self.config.hidden)}")(x)
