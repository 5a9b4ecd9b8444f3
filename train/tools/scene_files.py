"""`python -m train.tools.scene_files`: composed scenes as a data set that `python -m eval folder` reads."""

import dataclasses
import io
import sys
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import tyro

from jaxblur.files.output import atomic_file
from train.data.config import DataConfig
from train.scenes.config import SceneConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Write composed scenes as image/NAME.png and map/NAME.npy (disk radius, px).

    Example: python -m train.tools.scene_files --photos PHOTOS --output scenes, then
    python -m eval folder --data scenes --unit radius
    """

    photos: Path
    """Folder of sharp photos, as for training."""
    output: Path
    """Folder to write to."""
    count: int = 32
    """Scenes."""
    view_size: int = 384
    """Side, px."""
    max_radius: float = 24.0
    """Greatest radius, px."""
    split: Literal["held_out", "train"] = "held_out"
    """Photos they are made of: those that no training run on the same folder has seen, or the others."""
    seed: int = 0
    """Of every random choice."""


def write_scenes(options: Arguments) -> None:
    """Compose and write them; files that are there are written anew."""
    from train.scenes.compose import draw_scenes, scene_source

    config = SceneConfig(view_size=options.view_size, scenes_per_batch=1, max_radius=options.max_radius)
    source = scene_source(DataConfig(photos=options.photos, seed=options.seed), config)
    for folder in ("image", "map"):
        (options.output / folder).mkdir(parents=True, exist_ok=True)
    for number in range(options.count):
        views, radius = draw_scenes(source, config, number, split=options.split)
        pixels = np.rint(np.asarray(views[0]) * 255).astype(np.uint8)
        encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes()
        values = io.BytesIO()
        np.save(values, np.asarray(radius[0], np.float32))
        for name, content in (("image", encoded), ("map", values.getvalue())):
            suffix = "png" if name == "image" else "npy"
            with atomic_file(options.output / name / f"{number:04d}.{suffix}") as file:
                file.write(content)


def main(args: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = tyro.cli(Arguments, args=args, prog="python -m train.tools.scene_files")
    try:
        if options.count < 1:
            raise ValueError(f"count must be at least 1, got {options.count}")
        write_scenes(options)
    except (ValueError, OSError) as error:
        print(f"python -m train.tools.scene_files: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
