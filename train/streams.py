"""Random streams: the numbers that keep what is drawn for different purposes apart.

They are part of every result: another number gives other scenes, other degradations, other validation samples.
"""

import enum
from typing import Literal

import numpy as np

Split = Literal["train", "held_out"]
"""Photos to train on, or photos that validation alone sees."""

SPLITS: tuple[Split, ...] = ("train", "held_out")


class Host(enum.IntEnum):
    """What is drawn on the host, by NumPy; see `host_rng`."""

    CONTENTS = 0
    LAYERS = 1
    SCENES = 2
    SCENE_VIEWS = 3
    PLAIN_CROPS = 4
    DISTIL_CAMERA = 5
    DISTIL_POINTS = 6


class Folded(enum.IntEnum):
    """What is drawn on the device from a key that other draws use too: the number is folded into that key."""

    SCENE_VIEWS = 15_485_863
    SOFT_LENS = 32_452_843
    LOW_CONTRAST = 49_979_687


class Seed(enum.IntEnum):
    """What is drawn from a key of its own, the same in every run: the number is the seed of that key.

    DEPTH_VALIDATION has the number of `Folded.SCENE_VIEWS`; a seed and a folded number give unrelated keys.
    """

    STATISTICS = 7_919
    BLUR_VALIDATION = 104_729
    DEPTH_VALIDATION = 15_485_863


def host_rng(seed: int, kind: Host, split: Split, step: int, place: int) -> np.random.Generator:
    """The generator of one sample: a pure function of its arguments.

    Args:
      seed: of the run.
      kind: what is drawn.
      split: whose photos.
      step: number of the batch.
      place: of the sample in the batch, over all processes.
    """
    return np.random.default_rng([seed, int(kind), SPLITS.index(split), step, place])
