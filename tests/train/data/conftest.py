"""Tiny photos: random flat rectangles are sharp at every edge and pass the gate."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from train.data.gate import GateConfig
from train.data.source import DataConfig


def draw_rectangles(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    image = np.full((height, width, 3), rng.integers(60, 200, size=3), np.uint8)
    for _ in range(height * width // 150):
        row, col = rng.integers(height), rng.integers(width)
        image[row : row + rng.integers(8, 24), col : col + rng.integers(8, 24)] = rng.integers(
            20, 235, size=3
        )
    return image


@pytest.fixture
def photos(tmp_path, rng) -> Path:
    """Ten sharp photos of 60x80 px in two folders."""
    folder = tmp_path / "photos"
    for number in range(10):
        path = folder / ("a" if number < 5 else "b") / f"photo_{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), draw_rectangles(rng, 60, 80))
    return folder


@pytest.fixture
def config(photos) -> DataConfig:
    """Crops of 24 px from these photos, four at once."""
    gate = GateConfig(max_sigma=0.6)
    return DataConfig(photos=photos, crop_size=24, contents_per_batch=4, gate=gate, seed=3)
