"""What the networks are made of, as Flax Linen modules: convolution, column, trunk, classification network."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Bool, Float

from jaxblur.network.config import ColumnConfig, NetworkConfig, parse_layer
from jaxblur.network.convolution import convolve, convolve_patches, max_pool

_PATCH = 24  # px; on grids this small one matrix product over all windows beats a convolution


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
        self,
        x: jax.Array,
        dilation: int = 1,
        train: bool = False,
        mask: jax.Array | None = None,
        stride: int = 1,
    ) -> jax.Array:
        if stride > 1 or (x.shape[1] <= _PATCH and dilation == 1):
            linear = convolve_patches(x, self.kernel, stride=stride)
        else:
            linear = convolve(x, self.kernel, dilation=dilation)
        return self.activate(linear, train, mask)

    def activate(self, linear: jax.Array, train: bool = False, mask: jax.Array | None = None) -> jax.Array:
        """What follows the linear part."""
        return nn.relu(self.normalise(linear, train, mask))


class Column(nn.Module):
    """One column of f1-NET, or f2-NET; or the stem before them."""

    layers: tuple[str, ...]
    inputs: int
    config: NetworkConfig
    axis_name: str | None = None
    step: int = 1  # stride of the first layer

    def setup(self) -> None:
        inputs, made = self.inputs, []
        for layer in map(parse_layer, self.layers):
            if not layer.is_pool:
                outputs = layer.width or self.config.width
                made.append(Conv(layer.size, inputs, outputs, self.config.normalisation, self.axis_name))
                inputs = outputs
        self.convolutions = made

    def __call__(self, x: jax.Array, dense: bool = False, train: bool = False) -> jax.Array:
        """(n, size, size, c) patches to (n, grid, grid, width), or images to maps of that at every point if `dense`."""
        convolutions = iter(self.convolutions)
        dilation, stride = 1, self.step
        for layer in map(parse_layer, self.layers):
            if layer.is_pool:
                x = (
                    max_pool(x, size=layer.size, stride=1, dilation=dilation)
                    if dense
                    else max_pool(x, size=layer.size, stride=layer.size)
                )
                dilation *= layer.size if dense else 1
            else:
                x = next(convolutions)(x, dilation, train, stride=stride)
                stride = 1
        return x


class Trunk(nn.Module):
    """b-NET or e-NET: the joint features of several columns to one vector of `width` numbers (fB or fE)."""

    columns: tuple[ColumnConfig, ...]  # that it reads, in order
    config: NetworkConfig
    axis_name: str | None = None

    def setup(self) -> None:
        inputs, layers = sum(self.widths), []
        for layer in map(parse_layer, self.config.trunk):
            outputs = layer.width or self.config.width
            layers.append(Conv(layer.size, inputs, outputs, self.config.normalisation, self.axis_name))
            inputs = outputs
        self.convolutions = layers

    @property
    def widths(self) -> list[int]:
        """Features of each column."""
        return [column_width(column, self.config) for column in self.columns]

    def __call__(
        self, grids: list[jax.Array], train: bool = False, mask: Bool[Array, " n"] | None = None
    ) -> Float[Array, "n features"]:
        """From the grids of each column (patch-wise form)."""
        x = self.convolutions[0](jnp.concatenate(grids, axis=-1), train=train, mask=mask)
        return self._rest(x, train, mask)

    def project(self, maps: list[jax.Array]) -> dict[int, jax.Array]:
        """The linear part of the first convolution, per stride, from the columns' aligned maps (dense form)."""
        kernel = self.convolutions[0].kernel
        strides = [column.stride for column in self.columns]
        kernels = jnp.split(kernel, np.cumsum(self.widths)[:-1], axis=2)
        out = {}
        for stride in sorted(set(strides)):
            chosen = [i for i, s in enumerate(strides) if s == stride]
            part = jnp.concatenate([kernels[i] for i in chosen], axis=2)
            out[stride] = convolve(jnp.concatenate([maps[i] for i in chosen], axis=-1), part, dilation=stride)
        return out

    def from_projection(
        self,
        grid: Float[Array, "n side side width"],
        train: bool = False,
        mask: Bool[Array, " n"] | None = None,
    ) -> Float[Array, "n features"]:
        """From the sum of the projections read at each point (dense form)."""
        return self._rest(self.convolutions[0].activate(grid, train, mask), train, mask)

    def _rest(self, x: jax.Array, train: bool, mask: jax.Array | None) -> jax.Array:
        for convolution in self.convolutions[1:]:
            x = convolution.activate(convolve_patches(x, convolution.kernel), train, mask)
        return x.reshape(x.shape[0], -1)


def column_width(column: ColumnConfig, config: NetworkConfig) -> int:
    """Features that a column ends in."""
    last = [layer for layer in map(parse_layer, column.layers) if not layer.is_pool][-1]
    return last.width or config.width


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
