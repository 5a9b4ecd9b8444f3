"""The networks of the paper as Flax Linen modules: f1-NET, f2-NET, b-NET, e-NET and the two classification networks.

Each runs in two forms from the same parameters. The *patch-wise* form is the paper's definition: a 41x41 patch around
an edge point in, its probabilities out. The *dense* form computes all convolutions before the first ReLU of b-NET and
e-NET once per image: the stride of each max-pool becomes a dilation of what follows, and the first convolution of b-NET
and e-NET, being linear, splits by the stride of the columns it reads. `network.pointwise` has the index arithmetic.

References: Karaali, Harte, Jung, Deep Multi-Scale Feature Learning for Defocus Blur Estimation, IEEE TIP 2022.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

from jaxblur.network.config import ColumnConfig, NetworkConfig, parse_layer
from jaxblur.network.layers import ClassificationNetwork, Column, Trunk

NUM_EDGE_CLASSES = 2  # 0 pattern edge, 1 depth edge


class F1Net(nn.Module):
    """f1-NET: the columns at three scales that B-Net and E-Net share."""

    config: NetworkConfig
    axis_name: str | None = None

    def setup(self) -> None:
        self.columns = [
            Column(column.layers, stem_width(self.config), self.config, self.axis_name)
            for column in self.config.columns
        ]
        if self.config.stem:
            self.stem = Column(self.config.stem, 3, self.config, self.axis_name, self.config.step)

    def __call__(self, patches: list[jax.Array], dense: bool = False, train: bool = False) -> list[jax.Array]:
        """Features of each column, from its own patch or (dense) its own part of the image."""
        return [column(x, dense, train) for column, x in zip(self.columns, patches, strict=True)]


class F2Net(nn.Module):
    """f2-NET: E-Net's own column."""

    config: NetworkConfig
    axis_name: str | None = None

    def setup(self) -> None:
        column = self.config.depth_column
        if column is not None:
            self.column = Column(column.layers, stem_width(self.config), self.config, self.axis_name)

    def __call__(self, patch: jax.Array, dense: bool = False, train: bool = False) -> jax.Array:
        """Features of the column."""
        return self.column(patch, dense, train)


class BNet(nn.Module):
    """The part of B-Net behind f1-NET: b-NET and Classification Network I."""

    config: NetworkConfig
    axis_name: str | None = None

    def setup(self) -> None:
        self.trunk = Trunk(self.config.columns, self.config, self.axis_name)
        outputs = len(self.config.levels) - (self.config.level_head == "ordinal")
        self.classification = ClassificationNetwork(outputs, self.config, self.axis_name)


class ENet(nn.Module):
    """The part of E-Net behind f2-NET and f1-NET: e-NET and Classification Network II."""

    config: NetworkConfig
    axis_name: str | None = None

    def setup(self) -> None:
        own = () if self.config.depth_column is None else (self.config.depth_column,)
        self.trunk = Trunk((*own, *self.config.columns), self.config, self.axis_name)
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
        self, patches: Float[Array, "n size size 3"] | Float[np.ndarray, "n size size 3"]
    ) -> tuple[Float[Array, "n levels"], Float[Array, "n 2"]]:
        """Patch-wise form: logits of Classification Networks I and II for patches centred at edge points.

        `patches` are sRGB-encoded values in [0, 1] of side `config.patch_size`.
        """
        stem = self.stem_map(patches)
        grids = self.f1_grids(stem)
        blur = self.b.classification(self.b.trunk(grids))
        depth = self.e.classification(self.e.trunk([*self.f2_grid(stem), *grids]))
        return blur, depth

    def stem_map(
        self, image: Float[Array, "n h w 3"] | Float[np.ndarray, "n h w 3"], train: bool = False
    ) -> Float[Array, "n _ _ c"]:
        """What the columns read: the stem's map of scaled patches or images, or these themselves without a stem."""
        x = (jnp.asarray(image) - self.config.input_offset) * self.config.input_scale
        return self.f1.stem(x, True, train) if self.config.stem else x

    def f1_grids(
        self, stem: Float[Array, "n h w c"], train: bool = False
    ) -> list[Float[Array, "n side side _"]]:
        """Patch-wise form: f1-NET's grids, from `stem_map` of patches."""
        return self.f1([self._crop(stem, column) for column in self.config.columns], False, train)

    def f2_grid(
        self, stem: Float[Array, "n h w c"], train: bool = False
    ) -> list[Float[Array, "n side side _"]]:
        """Patch-wise form: f2-NET's grid, from `stem_map` of patches; nothing if E-Net has no column of its own."""
        column = self.config.depth_column
        return [] if column is None else [self.f2(self._crop(stem, column), False, train)]

    def f1_maps(self, stem: Float[Array, "b h w c"], train: bool = False) -> list[Float[Array, "b _ _ _"]]:
        """Dense form, once per image: f1-NET's maps, see `jaxblur.network.pointwise`.

        `stem` is the `stem_map` of images that carry `config.margin` pixels of context on each side.
        """
        return self.f1([self._view(stem, column) for column in self.config.columns], True, train)

    def blur_maps(self, f1: list[Float[Array, "b _ _ _"]]) -> dict[int, jax.Array]:
        """Dense form, once per image: B-Net's projections, given f1-NET's maps."""
        return self.b.trunk.project(f1)

    def depth_maps(
        self, stem: Float[Array, "b h w c"], f1: list[Float[Array, "b _ _ _"]], train: bool = False
    ) -> dict[int, jax.Array]:
        """Dense form, once per image: E-Net's projections, given `stem_map` and f1-NET's maps."""
        column = self.config.depth_column
        own = [] if column is None else [self.f2(self._view(stem, column), True, train)]
        return self.e.trunk.project([*own, *f1])

    def blur_logits(self, grid: jax.Array, train: bool = False, mask: jax.Array | None = None) -> jax.Array:
        """Logits of Classification Network I from the projections read at edge points, (n, 5, 5, width)."""
        return self.b.classification(self.b.trunk.from_projection(grid, train, mask), train, mask)

    def depth_logits(self, grid: jax.Array, train: bool = False, mask: jax.Array | None = None) -> jax.Array:
        """Logits of Classification Network II from the projections read at edge points, (n, 5, 5, width)."""
        return self.e.classification(self.e.trunk.from_projection(grid, train, mask), train, mask)

    def _crop(self, stem: jax.Array, column: ColumnConfig) -> jax.Array:
        """The part of the stem's map of patches that a column reads."""
        corner = self.config.corner(column)
        return stem[:, corner : corner + column.size, corner : corner + column.size]

    def _view(self, stem: jax.Array, column: ColumnConfig) -> jax.Array:
        """The part of the stem's map of an image that a column reads, aligned so that cell p begins at index p."""
        corner, spare = self.config.corner(column), self.config.cells - column.size
        height, width = stem.shape[1] - spare, stem.shape[2] - spare
        return stem[:, corner : corner + height, corner : corner + width]


def stem_width(config: NetworkConfig) -> int:
    """Channels of what the columns read."""
    return (parse_layer(config.stem[-1]).width or config.width) if config.stem else 3


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
