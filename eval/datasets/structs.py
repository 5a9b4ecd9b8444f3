"""What a data set hands over: samples, and how to read them."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

Unit = Literal["radius", "sigma", "mask"]
"""Of a ground truth: disk radius or Gaussian sigma, px of the photo; or 1 = out of focus, 0 = in focus."""


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
      name: as on the command line, with what changes the numbers ("scenes/3").
      unit: of the ground truth.
      version: of the builder, with a fingerprint of the files it was prepared from.
      names: of the samples, in order.
      read: index -> sample.
      about: source, citation and licence note, for the report.
      protocol: "dmenet" where the RTF protocol of DMENet applies.
    """

    name: str
    unit: Unit
    version: str
    names: Sequence[str]
    read: Callable[[int], Sample]
    about: Mapping[str, str]
    protocol: str = ""
