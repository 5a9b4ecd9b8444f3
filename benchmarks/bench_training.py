"""Edge points per second of a training step of both stages, in the dense form against the patch-wise form.

    python -m benchmarks.bench_training --photos PHOTOS --json result.json

One device. Both forms take the same step on the same batch: image formation, edges, networks, gradients, optimiser;
they differ in how the networks are computed. The dense form is what `python -m train` uses. They take turns, so that
a load from elsewhere meets both.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from benchmarks.measure import matmul_rate, origin, write
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
    figures: dict[str, Any] = {"matmul_gflops": matmul_rate(3) / 1e9, **origin()}
    for name, pair in stages.items():
        steppers = [Stepper(stage) for stage in pair]
        for stepper in steppers:
            stepper()  # compiles
        best, points = [float("inf")] * 2, 0
        for _ in range(options.steps):
            for i, stepper in enumerate(steppers):
                spent, points = stepper()
                best[i] = min(best[i], spent)
        figures[name] = {
            "edge_points": points,
            "dense_points_per_second": points / best[0],
            "patchwise_points_per_second": points / best[1],
            "ratio": best[1] / best[0],
        }
    return figures


def main(options: Options) -> None:
    figures = measure(options)
    print(f"{figures['device']}, jax {figures['jax']}, commit {figures['commit']}")
    print(f"float32 matrix product {figures['matmul_gflops']:.1f} GFLOP/s")
    print(f"{'stage':8s} {'points':>8s} {'dense /s':>10s} {'patch-wise /s':>14s} {'ratio':>7s}")
    for name in ("blur", "edges"):
        f = figures[name]
        dense, patchwise = f["dense_points_per_second"], f["patchwise_points_per_second"]
        print(f"{name:8s} {f['edge_points']:8d} {dense:10.0f} {patchwise:14.0f} {f['ratio']:7.1f}")
    write(options.json, figures)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
