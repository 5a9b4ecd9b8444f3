"""The points that distillation learns from: patches around edge points of kept views, turned and mirrored at random."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxblur.network.config import NetworkConfig
from train.distil.views import MARGIN, Views

TURNS = 8
"""Mirrored or not, four quarters."""


class PointExamples(NamedTuple):
    """Points with all that is known of them; NaN and -1 where it is not."""

    patch: np.ndarray  # (n, size, size, 3) uint8
    levels: np.ndarray  # (n, k) float32, the teacher's ordinal logits
    depth: np.ndarray  # (n,) float32, its log-odds of a depth edge
    radius: np.ndarray  # (n,) float32, px
    label: np.ndarray  # (n,) int32


class PointSource:
    """All points of some files of views, in memory.

    Args:
      paths: from `views.keep_views`.
      network: whose patches are cut.

    Raises:
      ValueError: no edge point lies in the views.
    """

    def __init__(self, paths: Sequence[Path], network: NetworkConfig) -> None:
        self._network = network
        files = [Views(**np.load(path)) for path in paths]
        views = Views(*(np.concatenate(parts) for parts in zip(*files, strict=True)))
        self._views = views.view
        self._view, place = np.nonzero(views.valid)
        if not len(self._view):
            raise ValueError("the views have no edge points to learn from: take photos with more detail")
        known = views._replace(view=None, valid=None)
        self._known = known._replace(
            **{name: plane[self._view, place] for name, plane in known._asdict().items() if plane is not None}
        )
        # Points of views that have few count no more than others: a view is drawn, then one of its points.
        self._first = np.searchsorted(self._view, np.arange(len(self._views) + 1))
        self._filled = np.flatnonzero(np.diff(self._first))

    def __len__(self) -> int:
        """Number of points."""
        return len(self._view)

    def draw(self, rng: np.random.Generator, count: int) -> PointExamples:
        """Points of random views, one of each, `count` in all; a multiple of `TURNS`."""
        view = rng.choice(self._filled, count)
        chosen = (self._first[view] + rng.random(count) * np.diff(self._first)[view]).astype(np.int64)
        examples = self.take(chosen, rng)
        parts = np.split(examples.patch, TURNS)
        turned = [
            np.rot90(part[:, :, ::-1] if i % 2 else part, i // 2, (1, 2)) for i, part in enumerate(parts)
        ]
        return examples._replace(patch=np.concatenate(turned))

    def take(self, chosen: np.ndarray, rng: np.random.Generator | None = None) -> PointExamples:
        """Points by number. With `rng`, each lies anywhere in the cell that shares its patch."""
        network, known = self._network, self._known
        size, step = network.patch_size, network.step
        points = known.points[chosen].astype(np.int32)
        inside = points % step if rng is None else rng.integers(step, size=points.shape)
        corner = MARGIN - network.margin + points - inside
        span = np.arange(size)
        rows, columns = (corner[:, axis, None] + span for axis in (0, 1))
        patch = self._views[self._view[chosen][:, None, None], rows[:, :, None], columns[:, None, :]]
        return PointExamples(
            patch,
            known.levels[chosen].astype(np.float32),
            known.depth[chosen].astype(np.float32),
            known.radius[chosen].astype(np.float32),
            known.label[chosen].astype(np.int32),
        )
