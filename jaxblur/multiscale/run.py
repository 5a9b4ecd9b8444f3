"""The one order of stages: photo -> edges -> features -> blur and depth edges -> propagation -> map.

What a stage computes is the same everywhere. How it runs is up to the `Stages` given: `in_program.InProgram` is one
compiled program, `in_strips.InStrips` works through a large photo in tiles and strips on the host.
"""

import abc
from typing import Any, NamedTuple

from jaxblur.config import Config, MultiScale, Readout, SingleScale
from jaxblur.network.readout import EdgeReading, ScaleReading
from jaxblur.network.weights import Weights
from jaxblur.result import BlurEstimate


class Map(NamedTuple):
    """What propagation makes of the readings; the fields are those of `BlurEstimate`."""

    radius: Any
    confidence: Any
    read_radius: Any
    read_weight: Any


class Stages(abc.ABC):
    """The stages of an estimate. Photos and planes are of whatever type one way of running them likes best."""

    @abc.abstractmethod
    def count_scales(self, photo: Any) -> int:
        """Number of scales to read: the photo, its half-size copy, and so on."""

    @abc.abstractmethod
    def find_edges(self, photo: Any, given: Any) -> Any:
        """Where the networks are asked: the edge map given, or Canny edges if it is None."""

    @abc.abstractmethod
    def read(self, photo: Any, edges: Any) -> EdgeReading:
        """What B-Net and E-Net say at the edges."""

    @abc.abstractmethod
    def halve(self, photo: Any) -> Any:
        """The half-size copy."""

    @abc.abstractmethod
    def halve_edges(self, edges: Any) -> Any:
        """The edge map of the half-size copy."""

    @abc.abstractmethod
    def find_depth_edges(self, finest: ScaleReading) -> Any:
        """Edges that E-Net calls occlusion boundaries."""

    @abc.abstractmethod
    def propagate(self, photo: Any, finest: ScaleReading, way: SingleScale) -> Map:
        """Radius and confidence by the paper's propagation."""

    @abc.abstractmethod
    def fuse(self, photo: Any, readings: list[ScaleReading], way: MultiScale) -> Map:
        """Radius and confidence by multiscale fusion. The list may be emptied to free its memory."""

    @abc.abstractmethod
    def place_sparse(self, radius: Any, edges: Any, depth_edges: Any) -> Any:
        """The plane of the radius read at pattern edges, NaN elsewhere."""


def choose_propagation(config: Config, weights: Weights) -> SingleScale | MultiScale:
    """The way of propagation that the settings ask for.

    Raises:
      ValueError: multiscale fusion is asked for, and the weights have no parameters for it.
    """
    if config.propagation is None:
        return SingleScale() if weights.multiscale is None else MultiScale()
    if isinstance(config.propagation, MultiScale) and weights.multiscale is None:
        raise ValueError(
            "config.propagation is MultiScale(), but these weights have no parameters for multiscale fusion: "
            "use SingleScale(), or weights that have them"
        )
    return config.propagation


def choose_readout(propagation: SingleScale | MultiScale) -> Readout:
    """How probabilities become a radius: the fusion is trained on expectations."""
    if isinstance(propagation, SingleScale):
        return propagation.readout
    return "expectation"


def read_scales(stages: Stages, photo: Any, given: Any, *, count: int) -> list[ScaleReading]:
    """The readings of the photo and of its smaller copies, finest first, each in pixels of its scale.

    Args:
      stages: how they run.
      photo: of the type of `stages`.
      given: edge map of the photo to use at every scale, or None: each scale then has edges of its own.
      count: number of scales.
    """
    readings = []
    for scale in range(count):
        if scale > 0:
            photo, given = stages.halve(photo), None if given is None else stages.halve_edges(given)
        edges = stages.find_edges(photo, given)
        readings.append(ScaleReading(stages.read(photo, edges), edges))
    return readings


def run_stages(
    stages: Stages, photo: Any, given: Any, *, propagation: SingleScale | MultiScale
) -> BlurEstimate:
    """The whole estimate.

    Args:
      stages: how they run.
      photo: of the type of `stages`.
      given: edge map to use, or None to find edges.
      propagation: from `choose_propagation`.
    """
    scales = stages.count_scales(photo) if isinstance(propagation, MultiScale) else 1
    readings = read_scales(stages, photo, given, count=scales)
    edges, radius_at_edges = readings[0].edges, readings[0].reading.radius
    depth_edges = stages.find_depth_edges(readings[0])
    if isinstance(propagation, MultiScale):
        found = stages.fuse(photo, readings, propagation)
    else:
        found = stages.propagate(photo, readings[0], propagation)
    sparse = stages.place_sparse(radius_at_edges, edges, depth_edges)
    return BlurEstimate(edges=edges, depth_edges=depth_edges, sparse_radius=sparse, **found._asdict())
