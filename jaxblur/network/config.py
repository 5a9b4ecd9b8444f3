"""The architecture as data: columns, widths, levels, crop offsets. A variant of the networks is another config."""

import dataclasses
import re
from typing import Any, Literal, NamedTuple

_LAYER = re.compile(r"(conv|pool)([1-9])(?::([1-9]\d*))?")


class Layer(NamedTuple):
    """One layer: "conv3" (VALID, ReLU), "conv3:16" (with a width of its own), "pool2" (max, stride as its size)."""

    kind: str
    size: int
    width: int | None

    @property
    def is_pool(self) -> bool:
        """Whether it has no weights."""
        return self.kind == "pool"

    def side(self, side: int) -> int:
        """Side of what it makes of a patch of `side`."""
        return side // self.size if self.is_pool else side - self.size + 1


def parse_layer(layer: str) -> Layer:
    """A layer from its name.

    Raises:
      ValueError: not the name of a layer.
    """
    match = _LAYER.fullmatch(layer)
    if not match:
        raise ValueError(f"layers must be like conv1, conv3, conv3:16 or pool3, got {layer!r}")
    return Layer(match[1], int(match[2]), int(match[3]) if match[3] else None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ColumnConfig:
    """One column of f1-NET or f2-NET: its `layers`, see `Layer`.

    `size` is the side of the patch it reads, px, or cells of the stem where there is one. `shift` moves that patch off
    the centre, down and right: 0 except for the published weights, which were trained with patches one pixel off.

    Examples:
      >>> from jaxblur import ColumnConfig
      >>> ColumnConfig(size=15, layers=("conv3", "conv3", "conv3", "conv3")).stride
      1
    """

    size: int
    layers: tuple[str, ...]
    shift: int = 0

    def __post_init__(self) -> None:
        if self.grid < 1:
            raise ValueError(f"{self.layers} leave nothing of a patch of {self.size}")

    @property
    def grid(self) -> int:
        """Side of the grid of features that the column ends in."""
        side = self.size
        for layer in map(parse_layer, self.layers):
            side = layer.side(side)
        return side

    @property
    def stride(self) -> int:
        """Distance of neighbouring points of the grid, in the unit of `size`."""
        stride = 1
        for layer in map(parse_layer, self.layers):
            stride *= layer.size if layer.is_pool else 1
        return stride


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

    Beyond the paper: all columns may read the map of one `stem` instead of the image, whose first layer may have a
    stride (`step`). Then the points of each cell of step x step px share one patch of `patch` px in the middle of which
    the cell lies. Without a `depth_column` E-Net has none of its own.

    Examples:
      >>> from jaxblur import NetworkConfig
      >>> network = NetworkConfig(width=32)
      >>> network.patch_size, network.levels[:3]
      (41, (0.5, 0.75, 1.0))
    """

    stem: tuple[str, ...] = ()
    step: int = 1
    patch: int = 0  # px; 0: the largest column, where there is no stem
    columns: tuple[ColumnConfig, ...] = (_COLUMN_41, _COLUMN_27, _COLUMN_15)
    depth_column: ColumnConfig | None = _COLUMN_41
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
        grids = {column.grid for column in self.all_columns}
        side = next(iter(grids))
        for layer in map(parse_layer, self.trunk):
            side = 0 if layer.is_pool else layer.side(side)
        if len(grids) != 1 or side != 1 or self.trunk[0].startswith("conv1"):
            raise ValueError(
                f"all columns must end in one grid, which trunk reduces to one point, got {sorted(grids)}, {self.trunk}"
            )
        if self.step not in (1, 2, 4) or (self.step > 1 and not self.stem):
            raise ValueError(f"step must be 1, or 2 or 4 with a stem, got {self.step}")
        if self.stem and any(parse_layer(layer).is_pool for layer in self.stem):
            raise ValueError(f"the stem must be of convolutions, got {self.stem}")
        if bool(self.stem) != bool(self.patch):
            raise ValueError(f"patch and stem go together, got {self.patch} and {self.stem}")
        if (self.patch_size - self.step) % 2:
            raise ValueError(
                f"a patch must lie evenly around the {self.step} px of its cell, got {self.patch_size} px"
            )
        for column in self.all_columns:
            if not 0 <= self.corner(column) <= self.cells - column.size:
                raise ValueError(
                    f"the shift of a column must keep its {column.size} px inside the {self.cells} of the patch, "
                    f"got {column.shift}"
                )
        if self.normalisation not in ("none", "bias", "batch"):
            raise ValueError(f"normalisation must be none, bias or batch, got {self.normalisation!r}")
        if self.level_head not in ("softmax", "ordinal"):
            raise ValueError(f"level_head must be softmax or ordinal, got {self.level_head!r}")
        if len(self.levels) < 2 or any(b <= a for a, b in zip(self.levels, self.levels[1:], strict=False)):
            raise ValueError(f"levels must be at least two increasing radii, got {self.levels}")

    @property
    def all_columns(self) -> tuple[ColumnConfig, ...]:
        """Those of f1-NET, and E-Net's own if it has one."""
        return self.columns if self.depth_column is None else (*self.columns, self.depth_column)

    @property
    def grid(self) -> int:
        """Side of the grids of features."""
        return self.columns[0].grid

    @property
    def patch_size(self) -> int:
        """Side of the patch that is read at a point, px."""
        return self.patch or max(column.size for column in self.all_columns)

    @property
    def margin(self) -> int:
        """Pixels of context that an edge point needs on each side."""
        return (self.patch_size - self.step) // 2

    @property
    def cells(self) -> int:
        """Side of the stem's map of a patch; of the patch itself without a stem."""
        side = self.patch_size
        for i, layer in enumerate(map(parse_layer, self.stem)):
            side = (side - layer.size) // (self.step if i == 0 else 1) + 1
        return side

    def corner(self, column: ColumnConfig) -> int:
        """First row and column of a column's patch inside the stem's map of the patch."""
        return self.cells // 2 - column.size // 2 + column.shift


def config_to_dict(network: NetworkConfig) -> dict[str, Any]:
    """The settings as files and hashes hold them: what goes beyond the paper only where it is set.

    So networks without a stem have the hashes that they had before there were any.
    """
    values = dataclasses.asdict(network)
    return {name: value for name, value in values.items() if name not in _LATER or value != _LATER[name]}


_LATER = {"stem": (), "step": 1, "patch": 0}
"""Settings that the first weights files do not have, and their defaults."""


def config_from_dict(values: dict[str, Any]) -> NetworkConfig:
    """Rebuild a `NetworkConfig` from `config_to_dict` after JSON.

    Raises:
      ValueError: an unknown key or an invalid value.
    """
    values = dict(values)
    values.pop("pyramid", None)  # older files say there whether they hold parameters of the multiscale fusion
    known = {field.name for field in dataclasses.fields(NetworkConfig)}
    if unknown := set(values) - known:
        raise ValueError(f"unknown network setting {sorted(unknown)}, known are {sorted(known)}")

    def column(entry: dict[str, Any] | None) -> ColumnConfig | None:
        if entry is None:
            return None
        return ColumnConfig(size=entry["size"], layers=tuple(entry["layers"]), shift=entry.get("shift", 0))

    if "columns" in values:
        values["columns"] = tuple(column(entry) for entry in values["columns"])
    if "depth_column" in values:
        values["depth_column"] = column(values["depth_column"])
    for name in ("stem", "trunk", "hidden", "levels"):
        if name in values:
            values[name] = tuple(values[name])
    return NetworkConfig(**values)
