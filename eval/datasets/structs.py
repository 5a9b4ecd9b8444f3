"""What a data set hands over: samples, and how to read them."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

Unit = Literal["radius", "sigma", "mask", "frames"]
"""Of a ground truth: disk radius or Gaussian sigma, px of the photo; 1 = out of focus, 0 = in focus; or distance to
the frame of a focus stack in which the place is sharpest, in frames."""

Protocol = Literal["", "dmenet", "affine"]
"""How a data set is scored beside the usual measures: also by the RTF protocol of DMENet; or only by what an affine map
of the estimate leaves as it is, because the scale of the truth is not sure."""


class MissingDataset(Exception):
    """The data set is not there; the message is one line on where to get it and how to lay it out."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample:
    """One photo and its ground truth, or why it cannot be used.

    Attributes:
      name: unique in its data set.
      image: (H, W, 3) uint8.
      truth: (H, W) float32, NaN = unknown; in the unit of the data set and in px of this image.
      scale: px of the original photo per px of this image; errors are reported in px of the original.
      problem: empty, or what is wrong with the pair; `image` and `truth` then mean nothing.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    scale: float = 1.0
    problem: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """A split of a data set, ready to read; reading an item decodes it.

    Attributes:
      name: as on the command line, with what changes the numbers ("pixel4/3").
      unit: of the ground truth.
      version: of the builder, with a fingerprint of the files it was prepared from.
      names: of the samples, in order.
      read: index -> sample.
      about: source, citation and licence, and how it is scored where that is special; for the report.
      protocol: how it is scored.
      floor: lowest level of the truth, px of radius in the original photo, where it stands for all that is sharp:
        answers below it count as this level. 0 where there is none.
    """

    name: str
    unit: Unit
    version: str
    names: Sequence[str]
    read: Callable[[int], Sample]
    about: Mapping[str, str]
    protocol: Protocol = ""
    floor: float = 0.0
