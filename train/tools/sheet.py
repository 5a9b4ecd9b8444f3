"""`python -m train.tools.sheet`: a contact sheet of training samples with their labels, to check them by eye."""

import dataclasses
import sys
from pathlib import Path
from typing import Any, Literal

import cv2
import jax
import numpy as np
import tyro

from jaxblur.files import preview
from jaxblur.files.output import write_image
from train.config import TrainConfig
from train.data.source import DataConfig, open_source
from train.presets import PRESETS
from train.scenes import compose
from train.scenes.config import SceneConfig
from train.stages import composites, samples
from train.stages.networks import stage_config

_ZOOM = 4
_BAR = 22  # px of text above each view
_GAP, _EDGE = 10, 16  # px of white between scenes, and around them
_PATTERN, _DEPTH = (90, 220, 90), (255, 60, 60)  # RGB


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Draw training samples: blurred views, composites with pattern and depth edges, or scenes with their radius."""

    photos: Path
    """Folder of sharp photos."""
    output: Path
    """Image file to write, for instance PNG."""
    stage: Literal["blur", "edges", "scenes"] = "blur"
    """Whose samples."""
    preset: Literal["default", "paper", "smoke"] = "default"
    """Whose settings."""
    step: int = 0
    """Which batch."""
    columns: int = 6
    """Views per row of the sheet."""
    rows: int = 4
    """Rows of scenes."""


def make_samples(config: TrainConfig, name: str, step: int) -> tuple[Any, Any, list[str]]:
    """Examples of one batch, labels of their points, and a title per view."""
    own = stage_config(config, name)
    source, stage = open_source(own.data), getattr(own, name)
    margin, key = own.network.margin, jax.random.key(own.seed)
    keys = jax.random.split(jax.random.fold_in(key, step), stage.contents)
    if name == "blur":
        batch = source.contents(step)["content"]
        examples = jax.jit(
            lambda keys, batch: samples.blur_examples(
                keys, batch, views=stage.views, points=stage.points, margin=margin, config=own.formation
            )
        )(keys, batch)
        labels = np.zeros(examples.points.valid.shape, int)
        return examples, labels, [f"radius {radius:.2f} px" for radius in np.asarray(examples.radius[:, 0])]
    examples = jax.jit(
        lambda keys, batch: composites.depth_examples(
            keys,
            batch,
            points=stage.points,
            depth_fraction=stage.depth_fraction,
            margin=margin,
            config=own.formation,
        )
    )(keys, source.layers(step))
    labels = np.asarray(examples.label)
    valid = np.asarray(examples.points.valid)
    counts = [((labels[i] == 1) & valid[i]).sum() for i in range(len(labels))]
    return examples, labels, [f"{count} depth of {v.sum()}" for count, v in zip(counts, valid, strict=True)]


def draw_sheet(
    examples: Any, labels: np.ndarray, titles: list[str], *, margin: int, columns: int
) -> np.ndarray:
    """RGB uint8 picture of all views, magnified, their points as dots: green pattern edge, red depth edge."""
    cells = []
    for i, title in enumerate(titles):
        view = np.round(np.asarray(examples.views[i]) * 255).astype(np.uint8)
        cell = cv2.resize(view, None, fx=_ZOOM, fy=_ZOOM, interpolation=cv2.INTER_NEAREST)
        points, valid = np.asarray(examples.points.points[i]), np.asarray(examples.points.valid[i])
        for (row, col), taken, label in zip(points, valid, labels[i], strict=True):
            if taken:
                centre = (int((col + margin) * _ZOOM + _ZOOM // 2), int((row + margin) * _ZOOM + _ZOOM // 2))
                cv2.circle(cell, centre, 1, _DEPTH if label == 1 else _PATTERN, -1, cv2.LINE_AA)
        cell = np.pad(cell, ((_BAR, 4), (2, 2), (0, 0)), constant_values=255)
        cv2.putText(cell, title, (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
        cells.append(cell)
    return _in_rows(cells, columns)


def draw_scene_sheet(examples: compose.Scenes, *, columns: int) -> np.ndarray:
    """RGB uint8 picture of scenes, each above its radius in the colours of the preview, with their scale."""
    cells = []
    for view, radius in zip(np.asarray(examples.views), np.asarray(examples.radius), strict=True):
        pair = [np.rint(view * 255).astype(np.uint8), preview.colour_map(radius)]
        cells.append(np.pad(np.concatenate(pair), ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255))
    grid = _in_rows(cells, columns)
    height, width = grid.shape[0] - _GAP, grid.shape[1]
    sheet = np.pad(grid, ((_EDGE, _EDGE - _GAP), (_EDGE, preview.SCALE_WIDTH), (0, 0)), constant_values=255)
    preview.draw_scale(sheet, left=_EDGE + width, top=_EDGE, height=height)
    return sheet


def _in_rows(cells: list[np.ndarray], columns: int) -> np.ndarray:
    """One picture of pictures of the same size, the last row filled with white."""
    cells = cells + [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    return np.concatenate(
        [np.concatenate(cells[i : i + columns], axis=1) for i in range(0, len(cells), columns)]
    )


def _make_sheet(options: Arguments) -> np.ndarray:
    data = DataConfig(photos=options.photos)
    if options.stage == "scenes":
        own = SceneConfig(scenes_per_batch=options.rows * options.columns)
        examples = compose.draw_scenes(compose.scene_source(data, own), own, options.step)
        return draw_scene_sheet(examples, columns=options.columns)
    config = PRESETS[options.preset](data)
    examples, labels, titles = make_samples(config, options.stage, options.step)
    return draw_sheet(examples, labels, titles, margin=config.network.margin, columns=options.columns)


def main(args: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = tyro.cli(Arguments, args=args, prog="python -m train.tools.sheet")
    try:
        write_image(options.output, _make_sheet(options))
    except (ValueError, OSError) as error:
        print(f"python -m train.tools.sheet: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
