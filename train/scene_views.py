"""Small views of composed scenes for the first two stages: networks see what they will be asked about, at every scale.

Crops blurred as a whole teach what a radius looks like; in scenes it changes along a slant, stops at the boundary of an
object, and comes with the sensor's and the file's own softening. Scenes are composed once and kept on disk.
"""

import hashlib
import logging
from pathlib import Path

import numpy as np

from jaxblur.files import atomic_file
from jaxblur.pyramid import count_scales, halve
from train.data.crops import random_turn
from train.data.source import Source, Split
from train.scene_config import SceneConfig
from train.scenes import draw_scenes

_log = logging.getLogger(__name__)
_KIND, _SPLITS = 3, ("train", "held_out")  # part of every seed, apart from those of `Source` and `scenes`
_FIRST = (
    1_000_000  # batches from here on: those of the third stage, which begin at 0, stay new to the networks
)


class SceneViews:
    """Views cut at random from scenes, a pure function of (seed, split, step, place); safe for threads.

    Args:
      folder: for one file per batch of scenes, found again by the same photos and settings.
      source: from `scenes.scene_source`.
      config: of the scenes; `config.scenes` make up a file.
      count: of scenes, at least.
      split: whose photos.
    """

    def __init__(
        self, folder: Path, source: Source, config: SceneConfig, *, count: int, split: Split = "train"
    ) -> None:
        self._seed, self._split = source.config.seed, _SPLITS.index(split)
        views, radii = zip(*_scenes(folder, source, config, count=count, split=split), strict=True)
        self._views, self._radii = np.concatenate(views), np.concatenate(radii)

    def whole(self, step: int, places: range) -> dict[str, np.ndarray]:
        """Whole scenes for some places of a batch: {"view": (n, v, v, 3) uint8, "radius": (n, v, v) float16, px}."""
        seeds = [[self._seed, _KIND, self._split, step, place] for place in places]
        chosen = [int(np.random.default_rng(seed).integers(len(self._views))) for seed in seeds]
        return {"view": self._views[chosen], "radius": self._radii[chosen]}

    def batch(self, step: int, places: range, *, count: int, size: int) -> dict[str, np.ndarray]:
        """What `cut` gives for some places of a batch, with a leading axis of them."""
        views = [self.cut(step, place, count=count, size=size) for place in places]
        return {name: np.stack([view[name] for view in views]) for name in views[0]}

    def cut(self, step: int, place: int, *, count: int, size: int) -> dict[str, np.ndarray]:
        """Views of one place in a batch.

        Each is a part of a scene at one of its scales (the photo itself half of the time, each smaller copy half as
        often as the one before), turned at random.

        Args:
          step: number of the batch.
          place: in the batch.
          count: of views.
          size: side of the views, px.

        Returns:
          {"scene_view": (count, size, size, 3) float32 in [0, 1], "scene_radius": (count, size, size) float32, px of
          the view}.

        Raises:
          ValueError: the scenes are smaller than a view.
        """
        rng = np.random.default_rng([self._seed, _KIND, self._split, step, place])
        made = [self._cut(rng, size) for _ in range(count)]
        views, radii = (np.stack(part) for part in zip(*made, strict=True))
        return {"scene_view": views, "scene_radius": radii}

    def _cut(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        number = int(rng.integers(len(self._views)))
        view, radius = self._views[number], self._radii[number].astype(np.float32)
        if size > len(view):
            raise ValueError(f"views of {size} px cannot be cut from scenes of {len(view)} px")
        scales = [s for s in range(count_scales(*radius.shape)) if len(view) >> s >= size]
        shares = 0.5 ** np.arange(len(scales))
        scale = int(rng.choice(scales, p=shares / shares.sum()))
        step = 2**scale
        top, left = (int(rng.integers((len(view) >> scale) - size + 1)) * step for _ in range(2))
        part = (slice(top, top + size * step), slice(left, left + size * step))
        view = view[part].astype(np.float32) / 255
        for _ in range(scale):
            view = halve(view)
        # As readings are placed: in the middle of the pixels that one of a smaller copy stands for.
        radius = radius[part][step // 2 :: step, step // 2 :: step] / step
        return random_turn(rng, view, radius)  # type: ignore[return-value]


def _scenes(
    folder: Path, source: Source, config: SceneConfig, *, count: int, split: Split
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Batches of views (b, v, v, 3) uint8 and radii (b, v, v) float16, px; what `folder` lacks is composed."""
    photos = [source.photo_names(either) for either in ("train", "held_out")]
    made_from = config, source.config.seed, photos
    own = folder / f"scenes-{hashlib.sha256(repr(made_from).encode()).hexdigest()[:12]}"
    own.mkdir(parents=True, exist_ok=True)
    batches = []
    for number in range(-(-count // config.scenes)):
        path = own / f"{split}_{number:05d}.npz"
        if not path.exists():
            views, radius = draw_scenes(source, config, _FIRST + number, split=split)
            with atomic_file(path) as file:
                pixels = np.rint(np.asarray(views) * 255).astype(np.uint8)
                np.savez(file, views=pixels, radius=np.asarray(radius, np.float16))
            if number % 10 == 9:
                _log.info("%d of %d %s scenes composed", (number + 1) * config.scenes, count, split)
        with np.load(path) as file:
            batches.append((file["views"], file["radius"]))
    return batches
