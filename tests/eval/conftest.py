"""Tiny stand-ins for the data sets, laid out like them, and what else several test files of the evaluation share."""

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.io
import tensorflow_datasets as tfds

from eval import runner, schema
from eval.datasets import Dataset, Sample
from eval.methods import Method, parse_method
from eval.report import summary
from jaxblur import ColumnConfig, NetworkConfig, Weights, save_weights
from jaxblur.network.defocus_net import DefocusNet

tfds.disable_progress_bar()


@pytest.fixture
def make_dummy(tmp_path, rng) -> Callable[..., Path]:
    """Makes the stand-in of the data set of this name in a folder of that name; returns the folder."""

    def make(name: str, folder: str = "data") -> Path:
        return _MAKERS[name](tmp_path / folder, rng)

    return make


@pytest.fixture
def make_dataset() -> Callable[..., Dataset]:
    """Makes a data set in memory: 20x24 px, truth 1 in the left third and 0.5 + index elsewhere."""

    def make(count=5, unit="radius", name="made", bad=()) -> Dataset:
        def read(index: int) -> Sample:
            image = np.random.default_rng(index).integers(0, 256, (20, 24, 3)).astype(np.uint8)
            truth = np.where(np.arange(24) < 8, 1.0, 0.5 + index).astype(np.float32)[None].repeat(20, 0)
            if unit == "mask":
                truth = (truth > 1).astype(np.float32)
            return Sample(name=str(index), image=image, truth=truth, problem="broken" if index in bad else "")

        names = [str(i) for i in range(count)]
        return Dataset(name=name, unit=unit, version="1", names=names, read=read, about={"source": "code"})

    return make


@pytest.fixture
def constant() -> Callable[..., Method]:
    """Makes the method that says the same radius everywhere."""
    return lambda radius=1.0: parse_method(f"constant={radius:g}", weights=None, preset="default")


@pytest.fixture
def evaluate(make_dataset, constant) -> Callable[..., list[summary.Summary]]:
    """Runs methods on data sets (those above by default) and averages what is in the output folder."""

    def run(output: Path, datasets=None, methods=None, **options) -> list[summary.Summary]:
        options = runner.RunnerOptions(**options)
        runner.evaluate(datasets or [make_dataset()], methods or [constant()], output, options)
        return summary.summarise(schema.read(output))

    return run


@pytest.fixture
def squeezed() -> Callable[[str], str]:
    """Takes the spaces that align a Markdown table out of it."""
    return lambda table: re.sub(" +", " ", table)


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory) -> Path:
    """A file of random weights of networks that compile at once."""
    network = NetworkConfig(
        columns=(ColumnConfig(size=9, layers=("conv3",)),),
        depth_column=ColumnConfig(size=9, layers=("conv3",)),
        width=4,
        hidden=(4,),
    )
    patch = jnp.zeros((1, 9, 9, 3))
    init = jax.jit(lambda key: DefocusNet(network).init(key, patch, method=DefocusNet.classify_patches))
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_weights(path, Weights(init(jax.random.key(3)), network))
    return path


def _photo(rng: np.random.Generator, height: int = 20, width: int = 24) -> np.ndarray:
    return cv2.GaussianBlur(rng.integers(0, 256, (height, width, 3)).astype(np.uint8), (0, 0), 1.0)


def _write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def _half_mask(height: int = 20, width: int = 24) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[:, : width // 3] = 255
    return mask


def _rtf(folder: Path, rng: np.random.Generator) -> Path:
    for number in (1, 2):
        _write(folder / f"image_{number:02d}.png", _photo(rng, 24, 44))
        radius = np.full((24, 44), 0.5 + number / 4)
        radius[:, 12:] = 3
        scipy.io.savemat(folder / f"map_{number:02d}.mat", {"blurMap": radius})
    return folder


def _cuhk(folder: Path, rng: np.random.Generator) -> Path:
    for name in ("out_of_focus0604", "out_of_focus0605", "out_of_focus0704", "motion0001"):
        _write(folder / "image" / f"{name}.jpg", _photo(rng))
        _write(folder / "gt" / f"{name}.png", _half_mask())
    return folder


def _dut(folder: Path, rng: np.random.Generator) -> Path:
    for split, names in (("train", "x"), ("test", "ab")):
        for name in names:
            _write(folder / split / "image" / f"{name}.jpg", _photo(rng))
            _write(folder / split / "gt" / f"{name}.png", _half_mask())
    return folder


def _pixel4(folder: Path, rng: np.random.Generator) -> Path:
    for number in (2, 6):
        grey = (_photo(rng, 30, 36)[..., 0].astype(np.uint16)) * 257
        _write(folder / f"scene_{number:02d}.png", grey + rng.integers(0, 2, grey.shape).astype(np.uint16))
        sigma = np.linspace(0.4, 9, 30 * 36, dtype=np.float32).reshape(30, 36)
        sigma[:, :5] = np.nan
        np.savez(folder / f"scene_{number:02d}.npz", sigma=sigma)
    return folder


def _folder(folder: Path, rng: np.random.Generator, maps: str = "map") -> Path:
    for name in "ab":
        _write(folder / "image" / f"{name}.png", _photo(rng))
    (folder / maps).mkdir()
    np.save(folder / maps / "a.npy", np.linspace(0.5, 6, 480, dtype=np.float32).reshape(20, 24))
    _write(folder / maps / "b.png", np.repeat(np.arange(24, dtype=np.uint8)[None], 20, 0))
    return folder


def _syndof(folder_: Path, rng: np.random.Generator) -> Path:
    return _folder(folder_, rng, maps="blur_map")


def _composed(folder: Path, rng: np.random.Generator) -> Path:
    for name in "abc":
        _write(folder / "sub" / f"{name}.jpg", _photo(rng, 40, 50))
    return folder


def _lens(folder: Path, rng: np.random.Generator) -> Path:
    for name in ("lens_box", "lens_phone"):
        _write(folder / f"{name}.png", _photo(rng))
        np.savez(folder / f"{name}.npz", radius=np.linspace(0.1, 5, 480).reshape(20, 24).astype(np.float16))
    _write(folder / "other.png", _photo(rng))
    return folder


def _stack(folder: Path, rng: np.random.Generator) -> Path:
    """Five frames; the left half is sharp in the second, the right half in the fourth."""
    sharp = rng.integers(0, 256, (64, 96, 3)).astype(np.uint8)
    for number in range(5):
        halves = [
            cv2.GaussianBlur(sharp, (0, 0), 0.5 + 0.8 * abs(number - sharpest))[:, columns]
            for sharpest, columns in ((1, slice(0, 64)), (3, slice(64, None)))
        ]
        _write(folder / f"stack_{number:02d}.png", np.concatenate(halves, axis=1))
    return folder


_MAKERS = {
    maker.__name__[1:]: maker
    for maker in (_rtf, _cuhk, _dut, _pixel4, _lens, _stack, _folder, _syndof, _composed)
}
