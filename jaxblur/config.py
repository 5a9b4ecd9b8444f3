"""Settings of the estimator, apart from those that belong to a set of weights (`network.config.NetworkConfig`).

Every setting acts: what matters for one way of propagation only is a field of that way, `SingleScale` or `MultiScale`.
"""

import dataclasses
import math
import typing
from typing import Any, Literal

Precision = Literal["float32", "tensorfloat32", "bfloat16"]
"""Of the factors in the networks' products."""

RecursionMethod = Literal["auto", "scan", "associative"]
"""Form of the recursive filter: pixel after pixel, in parallel over all pixels, or whichever suits the device."""

Readout = Literal["argmax", "expectation"]
"""How 23 probabilities become a radius: the most probable level, or the expectation over levels."""

METHODS: tuple[str, ...] = typing.get_args(RecursionMethod)

UNKNOWN_RADIUS = 3.25
"""Radius of a photo without any evidence, px: the middle of the blur levels."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _require_positive(config: Any, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        _require(0 < value < math.inf, f"{name} must be positive and finite, got {value}")


def _require_choice(config: Any, name: str, choices: tuple[str, ...]) -> None:
    value = getattr(config, name)
    _require(value in choices, f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}, got {value!r}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EdgeConfig:
    """Canny edges on V of HSV, with the automatic thresholds of MATLAB's `edge(V, 'canny')`.

    The two floors only matter on nearly featureless images and small crops, where the percentile would call sensor
    noise an edge; on the photos of the RTF set they change nothing.

    Examples:
      >>> import jaxblur
      >>> more_edges = jaxblur.EdgeConfig(high_quantile=0.6)
      >>> config = jaxblur.Config(edges=more_edges)
    """

    sigma: float = math.sqrt(2.0)  # of the smoothing Gaussian, px
    high_quantile: float = 0.7  # fraction of pixels below the high threshold
    low_ratio: float = 0.4  # low threshold / high threshold
    high_floor: float = 0.010  # least high threshold, in V: the height of an isolated step edge
    low_floor: float = 0.004  # least low threshold, same unit

    def __post_init__(self) -> None:
        _require_positive(self, "sigma")
        _require(0 < self.high_quantile < 1, f"high_quantile must be in (0, 1), got {self.high_quantile}")
        _require(0 < self.low_ratio <= 1, f"low_ratio must be in (0, 1], got {self.low_ratio}")
        _require(
            0 <= self.low_floor <= self.high_floor,
            f"floors must satisfy 0 <= low_floor <= high_floor, got {self.low_floor}, {self.high_floor}",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class GuideConfig:
    """Smoothing of the photo by itself: texture goes, object boundaries stay. The result guides the propagation.

    Examples:
      >>> import jaxblur
      >>> jaxblur.MultiScale(guide=jaxblur.GuideConfig(sigma_s=5.0)).guide.sigma_s
      5.0
    """

    sigma_s: float = 7.0  # px
    sigma_r: float = 0.5  # in units of the image range [0, 1]
    iterations: int = 5

    def __post_init__(self) -> None:
        _require_positive(self, "sigma_s", "sigma_r")
        _require(self.iterations >= 1, f"iterations must be at least 1, got {self.iterations}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PropagationConfig:
    """Propagation of edge blur by the domain transform (Gastal and Oliveira 2011; paper, section III-C).

    Examples:
      >>> import jaxblur
      >>> near = jaxblur.PropagationConfig(sigma_s=10.0)
      >>> config = jaxblur.Config(propagation=jaxblur.SingleScale(filter=near))
    """

    sigma_s: float | None = None  # px; None: sigma_s_fraction of the shorter side
    sigma_s_fraction: float = 1 / 8
    sigma_r: float = 3.75
    iterations: int = 5
    depth_penalty: float = 20.0  # added to the distance across a depth edge
    unknown_radius: float = UNKNOWN_RADIUS  # px, for a photo without any pattern edge

    def __post_init__(self) -> None:
        _require_positive(self, "sigma_s_fraction", "sigma_r")
        if self.sigma_s is not None:
            _require_positive(self, "sigma_s")
        _require(self.iterations >= 1, f"iterations must be at least 1, got {self.iterations}")
        _require(self.depth_penalty >= 0, f"depth_penalty must not be negative, got {self.depth_penalty}")
        _require(
            0 <= self.unknown_radius < math.inf,
            f"unknown_radius must be finite and not negative, got {self.unknown_radius}",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class SingleScale:
    """The paper's way: the networks read the photo itself, and a filter of fixed settings propagates the readings.

    `readout` turns the 23 probabilities of an edge point into a radius: the most probable level, or the expectation
    over levels. `weighting` is the weight of an edge point in the propagation: 1, or how sure B-Net is of it.

    Examples:
      >>> import jaxblur
      >>> config = jaxblur.Config(propagation=jaxblur.SingleScale(readout="argmax"))
    """

    readout: Readout = "expectation"
    weighting: Literal["uniform", "confidence"] = "confidence"
    guide: GuideConfig = GuideConfig()
    filter: PropagationConfig = PropagationConfig()

    def __post_init__(self) -> None:
        _require_choice(self, "readout", typing.get_args(Readout))
        _require_choice(self, "weighting", ("uniform", "confidence"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultiScale:
    """This project's way: the networks read the photo and its smaller copies, and a trained fusion makes the map.

    Its other settings are parameters of the weights (`multiscale.parameters.MultiscaleParameters`).

    Examples:
      >>> import jaxblur
      >>> config = jaxblur.Config(propagation=jaxblur.MultiScale())  # an error with weights that lack the stage
    """

    guide: GuideConfig = GuideConfig()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of `jaxblur.estimate`.

    `propagation` None means `MultiScale()` where the weights have parameters for it, else `SingleScale()`.

    `precision` is that of the factors in the networks' products (`benchmarks/bench_settings.py` measures what it
    changes and gains). A CPU knows float32 and bfloat16, which is faster only where its instructions include it.

    `recursion` is the form of the recursive filter; both give the same numbers up to rounding.

    Examples:
      >>> import dataclasses, jaxblur
      >>> config = dataclasses.replace(jaxblur.PUBLISHED, precision="bfloat16")
      >>> config.propagation.readout
      'argmax'
    """

    edges: EdgeConfig = EdgeConfig()
    propagation: SingleScale | MultiScale | None = None
    precision: Precision = "float32"
    recursion: RecursionMethod = "auto"

    def __post_init__(self) -> None:
        _require(
            self.propagation is None or isinstance(self.propagation, SingleScale | MultiScale),
            f"propagation must be SingleScale(...), MultiScale(...) or None, got {self.propagation!r}",
        )
        _require_choice(self, "precision", typing.get_args(Precision))
        _require_choice(self, "recursion", METHODS)


PUBLISHED = Config(
    edges=EdgeConfig(high_floor=0.0, low_floor=0.0),
    propagation=SingleScale(readout="argmax", weighting="uniform"),
)
"""The exact settings of the published system (Karaali, Harte, Jung, TIP 2022)."""

DEFAULT = Config()
"""What `estimate` uses unless told otherwise."""

TWO_STAGE = Config(propagation=SingleScale())
"""B-Net and E-Net on the photo itself, propagated by fixed settings: what `estimate` does with two-stage weights."""

PRESETS = {"default": DEFAULT, "two-stage": TWO_STAGE, "published": PUBLISHED}


def to_dict(config: Any) -> dict[str, Any]:
    """Nested plain dict of a config dataclass, ready for JSON."""
    return dataclasses.asdict(config)
