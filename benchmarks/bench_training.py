"""Edge points per second of a training step of both stages, in the dense form against the patch-wise form.

    python -m benchmarks.bench_training --photos PHOTOS --json result.json

One device. Both forms take the same step on the same batch: image formation, edges, networks, gradients, optimiser;
they differ in how the networks are computed. The dense form is what `python -m train` uses. They take turns, so that
a load from elsewhere meets both; rates and ratios are of the least times. The floor is the arithmetic of the networks
in the dense form, forward and for the gradients (`floors.training_operations`), over the rate of a matrix product.
"""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from benchmarks.floors import training_operations
from benchmarks.measure import matmul_rate, origin, summary, write
from jaxblur import parallel
from jaxblur.convolution import convolve
from jaxblur.layers import Trunk
from jaxblur.nets import DefocusNet
from train.config import PRESETS
from train.data.source import DataConfig, open_source
from train.stages import BlurStage, EdgeStage, stage_config


@dataclasses.dataclass(frozen=True)
class Options:
    photos: Path = Path("examples")
    contents: int = 4  # per step; patch-wise activations take about 2 MB per edge point
    steps: int = 3  # timed steps of each form; the best counts
    json: Path | None = None  # where to write the figures too


def _patches(net: DefocusNet, views: jax.Array, points: jax.Array) -> jax.Array:
    side = net.config.patch_size

    def patch(view: jax.Array, point: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice(view, (point[0], point[1], 0), (side, side, 3))

    return jax.vmap(jax.vmap(patch, (None, 0)))(views, points).reshape(-1, side, side, 3)


def patchwise_blur_logits(
    net: DefocusNet, views: jax.Array, points: jax.Array, valid: jax.Array, train: bool = False
) -> jax.Array:
    """`train.forward.blur_logits`, patch-wise."""
    grids = net.f1_grids(_patches(net, views, points), train)
    return net.blur_logits(_first(net.b.trunk, grids), train, valid.reshape(-1))


def patchwise_depth_logits(
    net: DefocusNet, views: jax.Array, points: jax.Array, valid: jax.Array, train: bool = False
) -> jax.Array:
    """`train.forward.depth_logits`, patch-wise."""
    patches = _patches(net, views, points)
    grids = jax.lax.stop_gradient(net.f1_grids(patches))
    return net.depth_logits(
        _first(net.e.trunk, [net.f2_grid(patches, train), *grids]), train, valid.reshape(-1)
    )


def _first(trunk: Trunk, grids: list[jax.Array]) -> jax.Array:
    """The linear part of the first convolution of b-NET or e-NET."""
    return convolve(jnp.concatenate(grids, axis=-1), trunk.convolutions[0].kernel)


class PatchwiseBlurStage(BlurStage):
    _forward = staticmethod(patchwise_blur_logits)  # type: ignore[assignment]


class PatchwiseEdgeStage(EdgeStage):
    _forward = staticmethod(patchwise_depth_logits)  # type: ignore[assignment]


class Stepper:
    """A stage with its state on one device."""

    def __init__(self, stage: Any) -> None:
        self._devices = jax.local_devices()[:1]
        self._stage = stage
        self._step = parallel.map_devices(stage.step, donate_argnums=(0,), devices=self._devices)
        self._state = parallel.replicate(stage.init(jax.random.key(0)), devices=self._devices)
        self._batch = parallel.shard(stage.batch(0), devices=self._devices)
        self._key = parallel.replicate(jax.random.key(1), devices=self._devices)

    def __call__(self) -> tuple[float, int]:
        """Seconds and edge points of one step."""
        start = time.perf_counter()
        self._state, metrics = self._step(self._state, self._batch, self._key)
        count = int(np.asarray(metrics["loss"][1])[0])
        jax.block_until_ready(self._state)
        return time.perf_counter() - start, count


def time_steps(pair: Sequence[Any], steps: int) -> tuple[dict[str, list[float]], int]:
    """Seconds of the steps of the dense and the patch-wise form of a stage, and edge points of a step."""
    steppers = dict(zip(("dense", "patchwise"), map(Stepper, pair), strict=True))
    for stepper in steppers.values():
        stepper()  # compiles
    times: dict[str, list[float]] = {form: [] for form in steppers}
    points = 0
    for _ in range(steps):
        for form, stepper in steppers.items():
            spent, points = stepper()
            times[form].append(spent)
    return times, points


def measure(options: Options) -> dict[str, Any]:
    config = PRESETS["default"](DataConfig(photos=options.photos))
    blur, edges = (dataclasses.replace(s, contents=options.contents) for s in (config.blur, config.edges))
    config = dataclasses.replace(config, blur=blur, edges=edges)
    own = {name: stage_config(config, name) for name in ("blur", "edges")}
    source = {name: open_source(own[name].data) for name in own}
    fresh = BlurStage(own["blur"], source["blur"]).init(jax.random.key(0))
    f1 = {"params": fresh.params, "batch_stats": fresh.batch_stats}
    stages = {
        "blur": (BlurStage(own["blur"], source["blur"]), PatchwiseBlurStage(own["blur"], source["blur"])),
        "edges": (
            EdgeStage(own["edges"], source["edges"], f1),
            PatchwiseEdgeStage(own["edges"], source["edges"], f1),
        ),
    }
    rate = matmul_rate(3)
    figures: dict[str, Any] = {"matmul_gflops": rate / 1e9, **origin()}
    for name, pair in stages.items():
        times, points = time_steps(pair, options.steps)
        stage = {"blur": blur, "edges": edges}[name]
        views, side = stage.contents * stage.views, stage.view_size - 2 * config.network.margin
        work = training_operations(config.network, name, views=views, side=side, points=points)
        floor = work / rate
        least = {form: min(seconds) for form, seconds in times.items()}
        figures[name] = {
            "edge_points": points,
            "seconds": {form: summary(seconds) for form, seconds in times.items()},
            "dense_points_per_second": points / least["dense"],
            "patchwise_points_per_second": points / least["patchwise"],
            "ratio": least["patchwise"] / least["dense"],
            "floor": floor,
            "floor_points_per_second": points / floor,
            "ratio_to_floor": least["dense"] / floor,
        }
    return figures


def main(options: Options) -> None:
    figures = measure(options)
    print(f"{figures['device']}, jax {figures['jax']}, commit {figures['commit']}")
    print(f"float32 matrix product {figures['matmul_gflops']:.1f} GFLOP/s")
    print(
        f"{'stage':8s} {'points':>8s} {'step s':>8s} {'dense /s':>10s} {'patch-wise /s':>14s} {'ratio':>7s} "
        f"{'floor /s':>10s} {'x floor':>8s}"
    )
    for name in ("blur", "edges"):
        f = figures[name]
        dense, patchwise = f["dense_points_per_second"], f["patchwise_points_per_second"]
        print(
            f"{name:8s} {f['edge_points']:8d} {f['seconds']['dense']['median']:8.3f} {dense:10.0f} {patchwise:14.0f} "
            f"{f['ratio']:7.1f} {f['floor_points_per_second']:10.0f} {f['ratio_to_floor']:8.1f}"
        )
    write(options.json, figures)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
