"""The networks of the paper as Flax Linen modules: f1-NET, f2-NET, b-NET, e-NET and the two classification networks.

Each runs in two forms from the same parameters. The *patch-wise* form is the paper's definition: a 41x41 patch around an
edge point in, its probabilities out. The *dense* form computes all convolutions before the first ReLU of b-NET and e-NET
once per image: the stride of each max-pool becomes a dilation of what follows, and the first convolution of b-NET and
e-NET, being linear, splits by the stride of the columns it reads. `jaxblur.dense` documents the index arithmetic.

References: Karaali, Harte, Jung, Deep Multi-Scale Feature Learning for Defocus Blur Estimation, IEEE TIP 2022.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Bool, Float

from jaxblur.convolution import convolve, max_pool

GRID = 7  # every column ends in a 7x7 grid of features
NUM_EDGE_CLASSES = 2  # 0 pattern edge, 1 depth edge


@dataclasses.dataclass(frozen=True, kw_only=True)
class ColumnConfig:
    """One column of f1-NET or f2-NET: `layers` of "conv1", "conv3" (VALID, ReLU) and "pool3" (max, stride 3).

    `size` is the side of the patch it reads. `shift` moves that patch off the centre of the edge point, px down and
    right: 0 except for the published weights, which were trained with patches one pixel off.
    """

    size: int
    layers: tuple[str, ...]
    shift: int = 0

    def __post_init__(self) -> None:
        side, unknown = self.size, set(self.layers) - {"conv1", "conv3", "pool3"}
        if unknown:
            raise ValueError(f"layers must be conv1, conv3 or pool3, got {sorted(unknown)}")
        for layer in self.layers:
            side = side // 3 if layer == "pool3" else side - 2 * (layer == "conv3")
        if side != GRID:
            raise ValueError(f"a column must end in a {GRID}x{GRID} grid, got {side}x{side} from a {self.size} px patch")

    @property
    def stride(self) -> int:
        """Distance in the image, px, of neighbouring points of the 7x7 grid."""
        return 3 ** self.layers.count("pool3")


_COLUMN_41 = ColumnConfig(size=41, layers=("conv3", "pool3", "conv3", "conv3", "conv3"))
_COLUMN_27 = ColumnConfig(size=27, layers=("conv3", "conv3", "conv3", "pool3", "conv1"))
_COLUMN_15 = ColumnConfig(size=15, layers=("conv3", "conv3", "conv3", "conv3"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Architecture that belongs to a set of weights. The defaults are the paper's (section III and figures 2, 3).

    `normalisation` says what follows each linear layer but the last of a classification network: nothing ("none", the
    paper; dense layers still have biases), a bias ("bias", what folded batch normalisation leaves), or batch
    normalisation ("batch", while training). `level_head` says how Classification Network I codes its levels: one logit
    each ("softmax"), or one for each "blurrier than level k" ("ordinal"). Inputs are (image - input_offset) *
    input_scale.
    """

    columns: tuple[ColumnConfig, ...] = (_COLUMN_41, _COLUMN_27, _COLUMN_15)
    depth_column: ColumnConfig = _COLUMN_41
    width: int = 64
    trunk: tuple[str, ...] = ("conv3", "conv3", "conv3", "conv1")
    hidden: tuple[int, ...] = (300, 150)
    levels: tuple[float, ...] = tuple(0.5 + 0.25 * i for i in range(23))
    normalisation: Literal["none", "bias", "batch"] = "none"
    level_head: Literal["softmax", "ordinal"] = "softmax"
    input_offset: float = 0.0
    input_scale: float = 1.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.trunk[:1] != ("conv3",) or 1 + 2 * self.trunk.count("conv3") != GRID or "pool3" in self.trunk:
            raise ValueError(f"trunk must begin with conv3 and reduce the 7x7 grid to one point, got {self.trunk}")
        if self.normalisation not in ("none", "bias", "batch"):
            raise ValueError(f"normalisation must be none, bias or batch, got {self.normalisation!r}")
        if self.level_head not in ("softmax", "ordinal"):
            raise ValueError(f"level_head must be softmax or ordinal, got {self.level_head!r}")
        if len(self.levels) < 2 or any(b <= a for a, b in zip(self.levels, self.levels[1:], strict=False)):
            raise ValueError(f"levels must be at least two increasing radii, got {self.levels}")

    @property
    def patch_size(self) -> int:
        """Side of the largest patch, px."""
        return max(column.size for column in (*self.columns, self.depth_column))

    @property
    def margin(self) -> int:
        """Pixels of context that an edge point needs on each side."""
        return self.patch_size // 2

    def corner(self, column: ColumnConfig) -> int:
        """First row and column of a column's patch inside the largest patch, px."""
        return self.margin - column.size // 2 + column.shift


def config_from_dict(values: dict[str, Any]) -> NetworkConfig:
    """Rebuild a `NetworkConfig` from `dataclasses.asdict` after JSON.

    Raises:
      ValueError: an unknown key or an invalid value.
    """
    values = dict(values)
    known = {field.name for field in dataclasses.fields(NetworkConfig)}
    if unknown := set(values) - known:
        raise ValueError(f"unknown network setting {sorted(unknown)}, known are {sorted(known)}")

    def column(entry: dict[str, Any]) -> ColumnConfig:
        return ColumnConfig(size=entry["size"], layers=tuple(entry["layers"]), shift=entry.get("shift", 0))

    if "columns" in values:
        values["columns"] = tuple(column(entry) for entry in values["columns"])
    if "depth_column" in values:
        values["depth_column"] = column(values["depth_column"])
    for name in ("trunk", "hidden", "levels"):
        if name in values:
            values[name] = tuple(values[name])
    return NetworkConfig(**values)


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

    def __call__(self, x: jax.Array, dilation: int = 1, train: bool = False, mask: jax.Array | None = None) -> jax.Array:
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
                layers.append(Conv(size, inputs, self.config.width, self.config.normalisation, self.axis_name))
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
            layers.append(Conv(int(layer[-1]), inputs, self.config.width, self.config.normalisation, self.axis_name))
            inputs = self.config.width
        self.convolutions = layers

    def __call__(self, grids: list[jax.Array]) -> Float[Array, "n width"]:
        """From the 7x7 grids of each column (patch-wise form)."""
        x = self.convolutions[0](jnp.concatenate(grids, axis=-1))
        return self._rest(x, False, None)

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


class F1Net(nn.Module):
    """f1-NET: the columns at three scales that B-Net and E-Net share."""

    config: NetworkConfig
    axis_name: str | None = None

    def setup(self) -> None:
        self.columns = [Column(column, self.config, self.axis_name) for column in self.config.columns]

    def __call__(self, patches: list[jax.Array], dense: bool = False, train: bool = False) -> list[jax.Array]:
        """Features of each column, from its own patch or (dense) its own part of the image."""
        return [column(x, dense, train) for column, x in zip(self.columns, patches, strict=True)]


class F2Net(nn.Module):
    """f2-NET: E-Net's own column."""

    config: NetworkConfig
    axis_name: str | None = None

    def setup(self) -> None:
        self.column = Column(self.config.depth_column, self.config, self.axis_name)

    def __call__(self, patch: jax.Array, dense: bool = False, train: bool = False) -> jax.Array:
        """Features of the column."""
        return self.column(patch, dense, train)


class BNet(nn.Module):
    """The part of B-Net behind f1-NET: b-NET and Classification Network I."""

    config: NetworkConfig
    axis_name: str | None = None

    def setup(self) -> None:
        self.trunk = Trunk(tuple(c.stride for c in self.config.columns), self.config, self.axis_name)
        outputs = len(self.config.levels) - (self.config.level_head == "ordinal")
        self.classification = ClassificationNetwork(outputs, self.config, self.axis_name)


class ENet(nn.Module):
    """The part of E-Net behind f2-NET and f1-NET: e-NET and Classification Network II."""

    config: NetworkConfig
    axis_name: str | None = None

    def setup(self) -> None:
        strides = (self.config.depth_column.stride, *(c.stride for c in self.config.columns))
        self.trunk = Trunk(strides, self.config, self.axis_name)
        self.classification = ClassificationNetwork(NUM_EDGE_CLASSES, self.config, self.axis_name)


class DefocusNet(nn.Module):
    """B-Net and E-Net on one pass of f1-NET.

    Parameters lie under `f1`, `b` (B-Net) and `f2`, `e` (E-Net). `axis_name` names the mapped device axis over which
    batch statistics are added while training.
    """

    config: NetworkConfig
    axis_name: str | None = None

    def setup(self) -> None:
        self.f1 = F1Net(self.config, self.axis_name)
        self.f2 = F2Net(self.config, self.axis_name)
        self.b = BNet(self.config, self.axis_name)
        self.e = ENet(self.config, self.axis_name)

    def classify_patches(
        self, patches: Float[Array, "n size size 3"]
    ) -> tuple[Float[Array, "n levels"], Float[Array, "n 2"]]:
        """Patch-wise form: logits of Classification Networks I and II for patches centred at edge points.

        `patches` are sRGB-coded values in [0, 1] of side `config.patch_size`.
        """
        patches = (patches - self.config.input_offset) * self.config.input_scale

        def crop(column: ColumnConfig) -> jax.Array:
            corner = self.config.corner(column)
            return patches[:, corner : corner + column.size, corner : corner + column.size]

        grids = self.f1([crop(column) for column in self.config.columns])
        own = self.f2(crop(self.config.depth_column))
        blur = self.b.classification(self.b.trunk(grids))
        depth = self.e.classification(self.e.trunk([own, *grids]))
        return blur, depth

    def f1_maps(self, padded: Float[Array, "b h w 3"], train: bool = False) -> list[Float[Array, "b h2 w2 width"]]:
        """Dense form, once per image: f1-NET's maps, see `jaxblur.dense`.

        `padded` carries `config.margin` pixels of context on each side.
        """
        x = (padded - self.config.input_offset) * self.config.input_scale
        return self.f1([self._view(x, column) for column in self.config.columns], True, train)

    def blur_maps(self, f1: list[Float[Array, "b h2 w2 width"]]) -> dict[int, jax.Array]:
        """Dense form, once per image: B-Net's projections, given f1-NET's maps."""
        return self.b.trunk.project(f1)

    def depth_maps(
        self, padded: Float[Array, "b h w 3"], f1: list[Float[Array, "b h2 w2 width"]], train: bool = False
    ) -> dict[int, jax.Array]:
        """Dense form, once per image: E-Net's projections, given f1-NET's maps."""
        x = (padded - self.config.input_offset) * self.config.input_scale
        own = self.f2(self._view(x, self.config.depth_column), True, train)
        return self.e.trunk.project([own, *f1])

    def blur_logits(self, grid: jax.Array, train: bool = False, mask: jax.Array | None = None) -> jax.Array:
        """Logits of Classification Network I from the projections read at edge points, (n, 5, 5, width)."""
        return self.b.classification(self.b.trunk.from_projection(grid, train, mask), train, mask)

    def depth_logits(self, grid: jax.Array, train: bool = False, mask: jax.Array | None = None) -> jax.Array:
        """Logits of Classification Network II from the projections read at edge points, (n, 5, 5, width)."""
        return self.e.classification(self.e.trunk.from_projection(grid, train, mask), train, mask)

    def _view(self, padded: jax.Array, column: ColumnConfig) -> jax.Array:
        """The part of the padded image that a column reads, aligned so that point p begins at index p."""
        corner = self.config.corner(column)
        margin = 2 * self.config.margin
        height = padded.shape[1] - margin + column.size - 1
        width = padded.shape[2] - margin + column.size - 1
        return padded[:, corner : corner + height, corner : corner + width]


def level_probabilities(logits: Float[Array, "*n k"], config: NetworkConfig) -> Float[Array, "*n levels"]:
    """Probabilities of the blur levels, summing to 1, from the logits of Classification Network I.

    With an ordinal head, logit k says "blurrier than level k"; the probabilities are the differences of the running
    minimum of their sigmoids, which makes them non-negative whatever the logits.
    """
    if config.level_head == "softmax":
        return nn.softmax(logits)
    above = lax.cummin(nn.sigmoid(logits), axis=logits.ndim - 1)
    ones, zeros = jnp.ones_like(above[..., :1]), jnp.zeros_like(above[..., :1])
    return jnp.concatenate([ones, above], -1) - jnp.concatenate([above, zeros], -1)


def apply(variables: Any, config: NetworkConfig, method: Callable[..., Any], *args: Any) -> Any:
    """Run one of DefocusNet's methods for inference."""
    return DefocusNet(config).apply(variables, *args, method=method)
