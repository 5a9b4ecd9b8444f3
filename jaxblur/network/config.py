"""The architecture as data: columns, widths, levels, crop offsets. A variant of the networks is another config."""

import dataclasses
from typing import Any, Literal

GRID = 7  # every column ends in a 7x7 grid of features


@dataclasses.dataclass(frozen=True, kw_only=True)
class ColumnConfig:
    """One column of f1-NET or f2-NET: `layers` of "conv1", "conv3" (VALID, ReLU) and "pool3" (max, stride 3).

    `size` is the side of the patch it reads. `shift` moves that patch off the centre of the edge point, px down and
    right: 0 except for the published weights, which were trained with patches one pixel off.

    Examples:
      >>> from jaxblur import ColumnConfig
      >>> ColumnConfig(size=15, layers=("conv3", "conv3", "conv3", "conv3")).stride
      1
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
            raise ValueError(
                f"a column must end in a {GRID}x{GRID} grid, got {side}x{side} from a {self.size} px patch"
            )

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

    Examples:
      >>> from jaxblur import NetworkConfig
      >>> network = NetworkConfig(width=32)
      >>> network.patch_size, network.levels[:3]
      (41, (0.5, 0.75, 1.0))
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
            raise ValueError(
                f"trunk must begin with conv3 and reduce the 7x7 grid to one point, got {self.trunk}"
            )
        for column in (*self.columns, self.depth_column):
            if not 0 <= self.corner(column) <= self.patch_size - column.size:
                raise ValueError(
                    f"the shift of a column must keep its {column.size} px inside the {self.patch_size} px patch, "
                    f"got {column.shift}"
                )
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
    values.pop("pyramid", None)  # older files say there whether they hold parameters of the multiscale fusion
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
