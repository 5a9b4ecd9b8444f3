"""`python -m train.sheet`: a contact sheet of training samples with their labels, to check the synthesis by eye."""

import dataclasses
import sys
from pathlib import Path
from typing import Any, Literal

import cv2
import jax
import numpy as np
import tyro

from jaxblur.files import write_image
from train import composites, samples
from train.config import PRESETS, TrainConfig
from train.data.source import DataConfig, open_source
from train.stages import stage_config

_ZOOM = 4
_BAR = 22  # px of text above each view
_PATTERN, _DEPTH = (90, 220, 90), (255, 60, 60)  # RGB


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Draw training samples: blurred views with radius and edge points, or composites with pattern and depth edges."""

    photos: Path
    """Folder of sharp photos."""
    output: Path
    """PNG file to write."""
    stage: Literal["blur", "edges"] = "blur"
    """Whose samples."""
    preset: Literal["default", "paper", "smoke"] = "default"
    """Whose settings."""
    step: int = 0
    """Which batch."""
    columns: int = 6
    """Views per row of the sheet."""


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
        return examples, labels, [f"radius {radius:.2f} px" for radius in np.asarray(examples.radius)]
    examples = jax.jit(
        lambda keys, batch: composites.depth_examples(
            keys,
            batch,
            points=stage.points,
            depth_share=stage.depth_share,
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
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    rows = [np.concatenate(cells[i : i + columns], axis=1) for i in range(0, len(cells), columns)]
    return np.concatenate(rows, axis=0)


def main(args: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = tyro.cli(Arguments, args=args, prog="python -m train.sheet")
    try:
        config = PRESETS[options.preset](DataConfig(photos=options.photos))
        examples, labels, titles = make_samples(config, options.stage, options.step)
        sheet = draw_sheet(examples, labels, titles, margin=config.network.margin, columns=options.columns)
        write_image(options.output, sheet)
    except (ValueError, OSError) as error:
        print(f"python -m train.sheet: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
