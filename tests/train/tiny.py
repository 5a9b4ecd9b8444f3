"""A run small enough for tests: three photos of random shapes, networks of 2 channels, views of 48 px, scenes of 64."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np

from jaxblur.network.config import NetworkConfig
from train import config
from train.camera import CameraConfig
from train.data.config import DataConfig
from train.scenes.config import SCENE_CAMERA, SceneConfig

NETWORK = NetworkConfig(
    width=2,
    hidden=(4, 4),
    normalisation="batch",
    level_head="ordinal",
    input_offset=0.5,
    input_scale=3.0,
)


def write_photos(folder: Path, count: int = 3) -> Path:
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


def tiny_config(photos: Path | None, **network: object) -> config.TrainConfig:
    """The settings that the run in tests/golden/run was made with; `network` changes its architecture."""
    scene = SceneConfig(view_size=64, scenes_per_batch=8, max_radius=4.0, slices=2, camera=SCENE_CAMERA)
    stage = config.StageConfig(steps=3, contents=8, views=1, view_size=48, points=8, scene_views=1)
    return config.TrainConfig(
        preset="smoke",
        network=dataclasses.replace(NETWORK, **network),
        blur=stage,
        edges=dataclasses.replace(stage, steps=2),
        multiscale=config.MultiscaleConfig(steps=2, training_scenes=8, held_out_scenes=8),
        joint=config.JointConfig(steps=1),
        multiscale_scene=scene,
        network_scene=scene,
        network_scene_count=8,
        formation=config.FormationConfig(
            max_radius=7.0,
            wide_probability=0.12,
            sharp_probability=0.15,
            camera=CameraConfig(
                soft_probability=0.3,
                low_contrast_probability=0.4,
                noise_probability=0.5,
                jpeg_probability=0.4,
            ),
        ),
        validation=config.ValidationConfig(contents=1, radii=(0.5, 6.0), points=8, statistics_batches=1),
        data=DataConfig(photos=photos),
    )
