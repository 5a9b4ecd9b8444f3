"""A run small enough for tests: two photos made of random shapes, networks of 8 channels, views of 48 px."""

import dataclasses

import cv2
import numpy as np

from train import config
from train.data.source import DataConfig
from train.scenes.config import SceneConfig


def write_photos(folder, count=3):
    """Sharp photos: random rectangles and disks on a textured ground."""
    rng = np.random.default_rng(5)
    for number in range(count):
        photo = rng.integers(0, 255, (160, 200, 3)).astype(np.uint8) // 8 + 90
        for _ in range(60):
            colour = tuple(int(c) for c in rng.integers(0, 255, 3))
            x, y = int(rng.integers(0, 200)), int(rng.integers(0, 160))
            if rng.random() < 0.5:
                cv2.rectangle(
                    photo, (x, y), (x + int(rng.integers(5, 40)), y + int(rng.integers(5, 40))), colour, -1
                )
            else:
                cv2.circle(photo, (x, y), int(rng.integers(4, 20)), colour, -1)
        cv2.imwrite(str(folder / f"photo_{number}.png"), photo)
    return folder


def tiny_config(photos, **network):
    """The smoke preset, smaller still."""
    full = config.smoke(DataConfig(photos=photos))
    scene = SceneConfig(view_size=96, scenes=8, max_radius=4.0, slices=2)
    stage = dataclasses.replace(full.blur, steps=4, contents=8, views=1, view_size=48, points=16)
    return dataclasses.replace(
        full,
        network=dataclasses.replace(full.network, width=8, hidden=(12, 10), **network),
        blur=stage,
        edges=dataclasses.replace(stage, steps=3),
        dense=config.DenseConfig(steps=2, scenes=8, held_out=8),
        scene=scene,
        network_scene=scene,
        validation=dataclasses.replace(
            full.validation, contents=1, radii=(0.5, 6.0), points=8, statistics_batches=1
        ),
    )
