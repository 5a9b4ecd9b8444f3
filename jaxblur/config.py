"""Settings of the estimator, apart from those that belong to a set of weights (`architecture.NetworkConfig`)."""

import dataclasses
import math
from typing import Any, Literal

Precision = Literal["float32", "tensorfloat32", "bfloat16"]
"""Of the factors in the networks' products."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EdgeConfig:
    """Canny edges on V of HSV, with the automatic thresholds of MATLAB's `edge(V, 'canny')`.

    The two floors only matter on nearly featureless images and small crops, where the percentile would call sensor
    noise an edge; on the photos of the RTF set they change nothing.
    """

    sigma: float = math.sqrt(2.0)  # of the smoothing Gaussian, px
    high_quantile: float = 0.7  # share of pixels below the high threshold
    low_ratio: float = 0.4  # low threshold / high threshold
    high_floor: float = 0.010  # least high threshold, in V: the height of an isolated step
    low_floor: float = 0.004  # least low threshold, same unit

    def __post_init__(self) -> None:
        _require(self.sigma > 0, f"sigma must be positive, got {self.sigma}")
        _require(0 < self.high_quantile < 1, f"high_quantile must be in (0, 1), got {self.high_quantile}")
        _require(0 < self.low_ratio <= 1, f"low_ratio must be in (0, 1], got {self.low_ratio}")
        _require(
            0 <= self.low_floor <= self.high_floor,
            f"floors must satisfy 0 <= low_floor <= high_floor, got {self.low_floor}, {self.high_floor}",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PropagationConfig:
    """Propagation of edge blur by the domain transform (Gastal and Oliveira 2011; paper, section III-C)."""

    guide_sigma_s: float = 7.0  # smoothing of the guide by itself, px
    guide_sigma_r: float = 0.5  # same, in units of the image range [0, 1]
    guide_iterations: int = 5
    sigma_s: float | None = None  # px; None: sigma_s_fraction of the shorter side
    sigma_s_fraction: float = 1 / 8
    sigma_r: float = 3.75
    iterations: int = 5
    depth_penalty: float = 20.0  # added to the distance across a depth edge
    depth: Literal["hard", "soft"] = "hard"  # penalty times [p >= 1/2], or times p
    fallback_radius: float = 3.25  # px, the middle of the levels: for a photo without any pattern edge
    method: Literal["auto", "scan", "associative"] = "auto"  # form of the recursion; auto: scan on CPU

    def __post_init__(self) -> None:
        for name in ("guide_sigma_s", "guide_sigma_r", "sigma_s_fraction", "sigma_r"):
            _require(getattr(self, name) > 0, f"{name} must be positive, got {getattr(self, name)}")
        _require(self.sigma_s is None or self.sigma_s > 0, f"sigma_s must be positive, got {self.sigma_s}")
        _require(self.iterations >= 1, f"iterations must be at least 1, got {self.iterations}")
        _require(
            self.guide_iterations >= 1, f"guide_iterations must be at least 1, got {self.guide_iterations}"
        )
        _require(self.depth_penalty >= 0, f"depth_penalty must not be negative, got {self.depth_penalty}")
        _require(
            0 <= self.fallback_radius < math.inf,
            f"fallback_radius must be finite and not negative, got {self.fallback_radius}",
        )
        _require(self.depth in ("hard", "soft"), f"depth must be hard or soft, got {self.depth!r}")
        _require(
            self.method in ("auto", "scan", "associative"),
            f"method must be auto, scan or associative, got {self.method!r}",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of `jaxblur.estimate`.

    `pyramid` reads the photo at several scales and spreads the readings as trained for it (`spread`), if the weights
    have that third stage; all settings but `edges` and `propagation.method` then only matter for weights without.

    `readout` turns the 23 probabilities of an edge point into a radius: the most probable level, or the expectation
    over levels. `weighting` is the weight of an edge point in the propagation: 1, or how sure B-Net is of it.

    `precision` is that of the factors in the networks' products (`benchmarks/bench_settings.py` measures what it
    changes and gains). A CPU knows float32 and bfloat16, which is faster only where its instructions include it.
    """

    edges: EdgeConfig = EdgeConfig()
    propagation: PropagationConfig = PropagationConfig()
    pyramid: bool = True
    readout: Literal["argmax", "expectation"] = "expectation"
    weighting: Literal["uniform", "confidence"] = "confidence"
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        _require(
            self.readout in ("argmax", "expectation"),
            f"readout must be argmax or expectation, got {self.readout!r}",
        )
        _require(
            self.weighting in ("uniform", "confidence"),
            f"weighting must be uniform or confidence, got {self.weighting!r}",
        )
        _require(
            self.precision in ("float32", "tensorfloat32", "bfloat16"),
            f"precision must be float32, tensorfloat32 or bfloat16, got {self.precision!r}",
        )


PUBLISHED = Config(
    edges=EdgeConfig(high_floor=0.0, low_floor=0.0),
    pyramid=False,
    readout="argmax",
    weighting="uniform",
)
"""The exact settings of the published system (Karaali, Harte, Jung, TIP 2022)."""

DEFAULT = Config()
"""What `estimate` uses unless told otherwise."""

TWO_STAGE = Config(pyramid=False)
"""B-Net and E-Net on the photo itself, propagated by fixed settings: what `estimate` does with two-stage weights."""

PRESETS = {"default": DEFAULT, "two-stage": TWO_STAGE, "published": PUBLISHED}


def to_dict(config: Any) -> dict[str, Any]:
    """Nested plain dict of a config dataclass, ready for JSON."""
    return dataclasses.asdict(config)
