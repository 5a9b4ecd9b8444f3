"""What the tests of training share: photos, a tiny configuration, and composed scenes, made once."""

from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

from tests.train.tiny import tiny_config, write_photos
from train.config import TrainConfig
from train.scenes.compose import scene_source
from train.scenes.views import SceneViews


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of three sharp photos."""
    return write_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="session")
def config(photos: Path) -> TrainConfig:
    """See `tiny_config`."""
    return tiny_config(photos)


@pytest.fixture(scope="session")
def scenes(config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> tuple[SceneViews, SceneViews]:
    """Training and held-out scenes of the tiny run, of 64 px."""
    folder, source = tmp_path_factory.mktemp("scenes"), scene_source(config.data, config.network_scene)
    train, held_out = (
        SceneViews(folder, source, config.network_scene, count=8, split=split)
        for split in ("train", "held_out")
    )
    return train, held_out


@pytest.fixture
def standard_promotion() -> Iterator[None]:
    """Optax promotes its step counter."""
    with jax.numpy_dtype_promotion("standard"):
        yield
