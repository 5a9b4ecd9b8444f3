"""Small views of composed scenes for the first two stages: networks see what they will be asked about, at every scale.

Crops blurred as a whole teach what a radius looks like; in scenes it changes along a slant, stops at the boundary of an
object, and comes with the sensor's and the file's own softening. Scenes are composed once and kept on disk.
"""

from pathlib import Path

import numpy as np

from jaxblur.image.pyramid import count_scales, halve
from train.data.crops import random_turn
from train.data.source import Source
from train.scenes.cache import kept_batches
from train.scenes.compose import draw_scenes
from train.scenes.config import SceneConfig
from train.streams import Host, Split, host_rng

_FIRST = 1_000_000  # first batch: those of the multiscale stage begin at 0 and stay new to the networks


class SceneViews:
    """Views cut at random from scenes, a pure function of (seed, split, step, place); safe for threads.

    Args:
      folder: for one file per batch of scenes, found again by the same photos and settings.
      source: from `compose.scene_source`.
      config: of the scenes; `config.scenes_per_batch` make up a file.
      count: of scenes, at least.
      split: whose photos.
    """

    def __init__(
        self, folder: Path, source: Source, config: SceneConfig, *, count: int, split: Split = "train"
    ) -> None:
        self._seed: int = source.config.seed
        self._split: Split = split

        def compose(number: int) -> dict[str, np.ndarray]:
            views, radius = draw_scenes(source, config, _FIRST + number, split=split)
            pixels = np.rint(np.asarray(views) * 255).astype(np.uint8)
            return {"view": pixels, "radius": np.asarray(radius, np.float16)}

        batches = kept_batches(folder, "scenes", source, config, compose, count=count, split=split)
        self._views, self._radii = (
            np.concatenate([batch[name] for batch in batches]) for name in ("view", "radius")
        )

    def __len__(self) -> int:
        """Number of scenes."""
        return len(self._views)

    def scene(self, number: int) -> dict[str, np.ndarray]:
        """One whole scene: {"view": (v, v, 3) uint8, "radius": (v, v) float16, px}."""
        return {"view": self._views[number], "radius": self._radii[number]}

    def whole(self, step: int, places: range) -> dict[str, np.ndarray]:
        """A random `scene` for each of some places of a batch, with a leading axis of them."""
        scenes = [self.scene(int(self._rng(step, place).integers(len(self)))) for place in places]
        return {name: np.stack([scene[name] for scene in scenes]) for name in scenes[0]}

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
        rng = self._rng(step, place)
        made = [self._cut(rng, size) for _ in range(count)]
        views, radii = (np.stack(part) for part in zip(*made, strict=True))
        return {"scene_view": views, "scene_radius": radii}

    def _rng(self, step: int, place: int) -> np.random.Generator:
        return host_rng(self._seed, Host.SCENE_VIEWS, self._split, step, place)

    def _cut(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        number = int(rng.integers(len(self)))
        view, radius = self._views[number], self._radii[number].astype(np.float32)
        if size > len(view):
            raise ValueError(f"views of {size} px cannot be cut from scenes of {len(view)} px")
        scales = [s for s in range(count_scales(*radius.shape)) if len(view) >> s >= size]
        weights = 0.5 ** np.arange(len(scales))
        scale = int(rng.choice(scales, p=weights / weights.sum()))
        step = 2**scale
        top, left = (int(rng.integers((len(view) >> scale) - size + 1)) * step for _ in range(2))
        part = (slice(top, top + size * step), slice(left, left + size * step))
        view = view[part].astype(np.float32) / 255
        for _ in range(scale):
            view = halve(view)
        # As readings are placed: in the middle of the pixels that one of a smaller copy stands for.
        radius = radius[part][step // 2 :: step, step // 2 :: step] / step
        return random_turn(rng, view, radius)  # type: ignore[return-value]
