"""What is made of composed scenes once and kept on disk, a file per batch of them."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxblur.files.output import atomic_file
from train.data.source import Source
from train.scenes.config import SceneConfig
from train.streams import Split

_log = logging.getLogger(__name__)


def kept_batches(
    folder: Path,
    kind: str,
    source: Source,
    config: SceneConfig,
    make: Callable[[int], dict[str, np.ndarray]],
    *,
    count: int,
    split: Split,
    made_with: Any = None,
) -> list[dict[str, np.ndarray]]:
    """Batches from `folder` as far as they are there, else made and put there.

    Args:
      folder: for a folder of files that the same kind, photos, settings and `made_with` find again.
      kind: what is kept, for its name.
      source: of the scenes.
      config: of the scenes; `config.scenes_per_batch` make up a file.
      make: number of the batch -> its arrays by name.
      count: of scenes, at least.
      split: whose photos.
      made_with: what else the arrays depend on.
    """
    photos = [source.photo_names(either) for either in ("train", "held_out")]
    made_from = config, source.config.seed, photos, made_with
    own = folder / f"{kind}-{hashlib.sha256(repr(made_from).encode()).hexdigest()[:12]}"
    own.mkdir(parents=True, exist_ok=True)
    batches = []
    for number in range(-(-count // config.scenes_per_batch)):
        path = own / f"{split}_{number:05d}.npz"
        if not path.exists():
            arrays: dict[str, Any] = make(number)
            with atomic_file(path) as file:
                np.savez_compressed(file, **arrays)
            if number % 10 == 9:
                _log.info(
                    "%s: %d of %d %s scenes", kind, (number + 1) * config.scenes_per_batch, count, split
                )
        with np.load(path) as file:
            batches.append(dict(file))
    return batches
