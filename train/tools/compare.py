"""`python -m train.tools.compare`: several weights on the same held-out samples, per radius and mix."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from jaxblur.files.output import atomic_file
from jaxblur.runtime.provenance import commit
from jaxblur.weights import load_weights
from train.config import TrainConfig, ValidationConfig
from train.data.source import DataConfig, open_source
from train.presets import PRESETS
from train.stages import depth_validation, validation
from train.stages.networks import stage_config


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Validate weights side by side on held-out photos, which no training run on the same folder has seen."""

    photos: Path
    """Folder of sharp photos; those held out by the hash of their name are used."""
    weights: tuple[str, ...] = ("shipped",)
    """Weights: "shipped", a .safetensors file, or the model folder of the published release."""
    contents: int = 48
    """Held-out crops."""
    radii: tuple[float, ...] = ValidationConfig().radii
    """Disk radii, px. Those of the default are levels of the networks; 1.125, say, is halfway between two."""
    json: Path | None = None
    """File for the figures."""


def compare(config: TrainConfig, names: tuple[str, ...]) -> dict[str, Any]:
    """Figures by weights: {"blur": {mix: {radius: MAE px}}, "depth": {name: value}}.

    Raises:
      ValueError, FileNotFoundError: photos or weights cannot be used, or weights read patches of another size.
    """
    loaded = {name: load_weights(None if name == "shipped" else name) for name in names}
    for name, weights in loaded.items():
        if weights.network.patch_size != config.network.patch_size:
            raise ValueError(
                f"{name} reads patches of {weights.network.patch_size} px; {config.network.patch_size} px are asked for"
            )
    blur, edges = stage_config(config, "blur"), stage_config(config, "edges")
    held_out_blur = validation.held_out_blur(open_source(blur.data), blur)
    held_out_depth = depth_validation.held_out_depth(open_source(edges.data), edges)
    return {
        name: {
            "blur": validation.blur_errors(weights.variables, weights.network, held_out_blur),
            "depth": depth_validation.depth_quality(weights.variables, weights.network, held_out_depth),
        }
        for name, weights in loaded.items()
    }


def print_tables(figures: dict[str, Any], console: Console) -> None:
    """Two tables: error by radius and mix, quality of E-Net."""
    first = next(iter(figures.values()))
    radii = list(next(iter(first["blur"].values())))
    table = Table(title="mean absolute error at edge points, px, by disk radius")
    for column in ("mix", "weights", "mean", *(f"{radius:g}" for radius in radii)):
        table.add_column(column, justify="left" if column in ("mix", "weights") else "right")
    for mix in first["blur"]:
        for name, figure in figures.items():
            errors = list(figure["blur"][mix].values())
            table.add_row(mix, Path(name).name, *(f"{value:.3f}" for value in (np.mean(errors), *errors)))
        table.add_section()
    console.print(table)
    table = Table(title="E-Net on held-out composites (radius steps of 0.75 px or more)")
    table.add_column("weights")
    for name in first["depth"]:
        table.add_column(name.replace("_", " "), justify="right")
    for name, figure in figures.items():
        table.add_row(Path(name).name, *(f"{value:.3f}" for value in figure["depth"].values()))
    console.print(table)


def main(args: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = tyro.cli(Arguments, args=args, prog="python -m train.tools.compare")
    try:
        validation_config = ValidationConfig(contents=options.contents, radii=options.radii)
        config = PRESETS["default"](DataConfig(photos=options.photos))
        config = dataclasses.replace(config, validation=validation_config)
        figures = compare(config, options.weights)
        print_tables(figures, Console(width=130))
        if options.json is not None:
            record = {"commit": commit(), "contents": options.contents, "figures": figures}
            with atomic_file(options.json) as file:
                file.write(json.dumps(record, indent=1).encode())
    except (ValueError, OSError) as error:
        print(f"python -m train.tools.compare: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
