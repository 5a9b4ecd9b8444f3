"""Tiny stand-ins for the data sets, laid out like them, two test samples each."""

import re
from pathlib import Path

import cv2
import numpy as np
import scipy.io


def squeezed(table: str) -> str:
    """A Markdown table without the spaces that align it."""
    return re.sub(" +", " ", table)


def _photo(rng: np.random.Generator, height: int = 20, width: int = 24) -> np.ndarray:
    return cv2.GaussianBlur(rng.integers(0, 256, (height, width, 3)).astype(np.uint8), (0, 0), 1.0)


def _write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def _half_mask(height: int = 20, width: int = 24) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[:, : width // 3] = 255
    return mask


def rtf(folder: Path, rng: np.random.Generator) -> Path:
    for number in (1, 2):
        _write(folder / f"image_{number:02d}.png", _photo(rng, 24, 44))
        radius = np.full((24, 44), 0.5 + number / 4)
        radius[:, 12:] = 3
        scipy.io.savemat(folder / f"map_{number:02d}.mat", {"blurMap": radius})
    return folder


def cuhk(folder: Path, rng: np.random.Generator) -> Path:
    for name in ("out_of_focus0604", "out_of_focus0605", "out_of_focus0704", "motion0001"):
        _write(folder / "image" / f"{name}.jpg", _photo(rng))
        _write(folder / "gt" / f"{name}.png", _half_mask())
    return folder


def dut(folder: Path, rng: np.random.Generator) -> Path:
    for split, names in (("train", "x"), ("test", "ab")):
        for name in names:
            _write(folder / split / "image" / f"{name}.jpg", _photo(rng))
            _write(folder / split / "gt" / f"{name}.png", _half_mask())
    return folder


def scenes(folder: Path, rng: np.random.Generator) -> Path:
    for number in (2, 6):
        grey = (_photo(rng, 30, 36)[..., 0].astype(np.uint16)) * 257
        _write(folder / f"scene_{number:02d}.png", grey + rng.integers(0, 2, grey.shape).astype(np.uint16))
        sigma = np.linspace(0.4, 9, 30 * 36, dtype=np.float32).reshape(30, 36)
        sigma[:, :5] = np.nan
        np.savez(folder / f"scene_{number:02d}.npz", sigma=sigma)
    return folder


def folder(folder: Path, rng: np.random.Generator, maps: str = "map") -> Path:
    for name in "ab":
        _write(folder / "image" / f"{name}.png", _photo(rng))
    (folder / maps).mkdir()
    np.save(folder / maps / "a.npy", np.linspace(0.5, 6, 480, dtype=np.float32).reshape(20, 24))
    _write(folder / maps / "b.png", np.repeat(np.arange(24, dtype=np.uint8)[None], 20, 0))
    return folder


def syndof(folder_: Path, rng: np.random.Generator) -> Path:
    return folder(folder_, rng, maps="blur_map")


def photos(folder: Path, rng: np.random.Generator) -> Path:
    for name in "abc":
        _write(folder / "sub" / f"{name}.jpg", _photo(rng, 40, 50))
    return folder


MAKERS = {f.__name__: f for f in (rtf, cuhk, dut, scenes, folder, syndof, photos)}
