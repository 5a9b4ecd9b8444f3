"""Scenes composed on the fly from sharp photos, with exact ground truth: by seed, the same everywhere."""

import csv
import functools
import hashlib
from pathlib import Path

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from eval.datasets.structs import Dataset, MissingDataset, Sample
from jaxblur import synthesis
from jaxblur.files import images

SIZE = 256  # px, height and width of a scene
MAX_RADIUS = 6.0
_KERNEL = 15  # px, side that holds the largest disk
_SIDE = SIZE + _KERNEL - 1
_NOISE = 0.005  # standard deviation, of white


def open_composed(folder: Path, *, count: int, seed: int) -> Dataset:
    """Scenes of two or three layers, each a crop of another photo, with disk blur in linear light and slight
    noise.

    Photos are searched in subfolders too. A `photos.csv` with columns `file` and `sharp_everywhere` narrows
    them down to those marked 1. Each is first reduced until its shorter side just fills a scene, which makes
    it sharper.

    Args:
      folder: of sharp photos.
      count: number of scenes.
      seed: together with the photos it fixes every scene.

    Raises:
      MissingDataset: fewer than three photos.
    """
    photos = _find_photos(folder)
    if len(photos) < 3:
        raise MissingDataset(
            f"composed: fewer than 3 photos in {folder}; point it at a folder of sharp photos, any size"
        )
    digest = hashlib.blake2b(digest_size=6)
    for photo in photos:
        digest.update(photo.read_bytes())

    def read(index: int) -> Sample:
        return compose(photos, np.random.default_rng([seed, index]), name=f"{index:04d}")

    return Dataset(
        name="composed",
        unit="radius",
        version=f"seed {seed} {digest.hexdigest()}",
        names=[f"{index:04d}" for index in range(count)],
        read=read,
        about={
            "source": f"composed from {len(photos)} sharp photos",
            "citation": "",
            "licence": "That of the photos used.",
        },
    )


def compose(photos: list[Path], rng: np.random.Generator, *, name: str) -> Sample:
    """One scene; all randomness comes from `rng`."""
    chosen = rng.choice(len(photos), 3, replace=False)
    radii = rng.uniform(0.5, MAX_RADIUS, 3)
    radii[rng.integers(3)] = 0.5  # something is in focus
    alphas = np.stack([np.ones((_SIDE, _SIDE)), _blob(rng), _blob(rng)])
    if rng.uniform() < 0.5:
        alphas[2] = 0
    noise = rng.normal(size=(SIZE, SIZE, 3)) * _NOISE
    try:
        layers = np.stack([_crop(images.read_image(photos[i]), rng) for i in chosen])
    except (OSError, ValueError) as error:
        return Sample(name=name, image=noise, truth=noise[..., 0], problem=str(error))
    image, truth = _render(*(jnp.asarray(a, jnp.float32) for a in (layers, alphas, radii, noise)))
    return Sample(
        name=name, image=np.round(np.asarray(image) * 255).astype(np.uint8), truth=np.asarray(truth)
    )


@functools.cache
def _find_photos(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in images.PHOTO_SUFFIXES and p.is_file())
    table = folder / "photos.csv"
    if not table.is_file():
        return found
    with table.open(newline="", encoding="utf-8") as rows:
        table_rows = csv.DictReader(rows)
        if missing := {"file", "sharp_everywhere"} - set(table_rows.fieldnames or ()):
            raise ValueError(f"{table}: has no column {', '.join(sorted(missing))}")
        sharp = {row["file"] for row in table_rows if row["sharp_everywhere"] == "1"}
    return [p for p in found if p.relative_to(folder).as_posix() in sharp]


@jax.jit
def _render(
    images: jax.Array, alphas: jax.Array, radii: jax.Array, noise: jax.Array
) -> tuple[jax.Array, jax.Array]:
    kernels = jax.vmap(functools.partial(synthesis.disk_kernel, size=_KERNEL))(radii)
    image = synthesis.composite_layers(images, alphas, kernels, linear_light=True)
    truth = synthesis.valid_part(synthesis.layer_radius(alphas, radii), size=_KERNEL)
    return synthesis.quantise(image + noise), truth


def _crop(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A square crop of the photo, reduced until its shorter side fits; float in [0, 1]."""
    values = image.astype(np.float32) / (np.iinfo(image.dtype).max if image.dtype != np.float32 else 1)
    height, width = image.shape[:2]
    factor = _SIDE / min(height, width)
    size = (max(_SIDE, round(width * factor)), max(_SIDE, round(height * factor)))
    values = cv2.resize(values, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    row = rng.integers(values.shape[0] - _SIDE + 1)
    col = rng.integers(values.shape[1] - _SIDE + 1)
    return np.clip(values[row : row + _SIDE, col : col + _SIDE], 0, 1)


def _blob(rng: np.random.Generator) -> np.ndarray:
    """Alpha of a smooth random shape that covers some of the scene, its border one pixel wide."""
    centre, size = rng.uniform(0.2, 0.8, 2) * _SIDE, rng.uniform(0.15, 0.35) * _SIDE
    waves, phases = rng.normal(size=4) * [0.2, 0.15, 0.1, 0.05], rng.uniform(0, 2 * np.pi, 4)
    row, col = np.mgrid[:_SIDE, :_SIDE] - centre[:, None, None]
    angle = np.arctan2(row, col)[..., None]
    outline = size * (1 + (waves * np.cos(np.arange(1, 5) * angle + phases)).sum(-1))
    return np.clip(outline - np.hypot(row, col) + 0.5, 0, 1)
