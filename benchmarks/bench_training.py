"""What a second of training teaches: seconds of a gradient and its variance, with few and with many points per view.

    python -m benchmarks.bench_training --photos PHOTOS --json result.json

One device, the shipped networks, each batch another draw. "few" is what `python -m train` takes: many crops, one view
of each, a few edge points, looked at patch by patch. "many" is an eighth of the crops, two views of each (E-Net: one)
and up to 128 points, read from maps of whole views. All points of a view share its content and its blur, so many of
them say little more than few. While noise and not the rate is what limits training, steps that cost as many seconds
teach the more, the less the gradient varies: variance times seconds is what counts, and `ratio` is that of "many" over
that of "few". Both take turns, so that a load from elsewhere meets both. The floor is the arithmetic of the networks,
forward and for the gradients (`floors.training_operations`), over the rate of a matrix product.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from benchmarks.floors import training_operations
from benchmarks.measure import matmul_rate, origin, summary, write
from jaxblur.runtime import parallel
from train.config import StageConfig, TrainConfig
from train.data.source import DataConfig, open_source
from train.export.variables import load_initial, pick
from train.presets import PRESETS
from train.stages import forward
from train.stages.networks import BlurStage, EdgeStage, stage_config

_SHIPPED = Path(__file__).parent.parent / "train" / "shipped_variables.safetensors"
_MANY = 128  # points per view
_FEWER = 8  # times, the crops with many points


@dataclasses.dataclass(frozen=True)
class Options:
    photos: Path = Path("examples")
    contents: int = 32  # sharp crops per batch with few points
    batches: int = 8  # gradients, after one that compiles
    json: Path | None = None  # where to write the figures too


class Gradients:
    """Gradients of a stage on one device: the steps of gradient descent at a rate of 1, all from the same start."""

    def __init__(self, stage: Any) -> None:
        self.stage, self._devices = stage, jax.local_devices()[:1]
        stage.optimiser = optax.sgd(1.0)
        self._step = parallel.map_devices(stage.step, devices=self._devices)
        self._state = parallel.replicate(stage.init(jax.random.key(0)), devices=self._devices)

    def __call__(self, number: int) -> tuple[float, int, np.ndarray]:
        """Seconds, edge points and gradient of a batch."""
        batch = parallel.shard(self.stage.batch(number), devices=self._devices)
        key = parallel.replicate(jax.random.key(number), devices=self._devices)
        start = time.perf_counter()
        new, metrics = jax.block_until_ready(self._step(self._state, batch, key))
        spent = time.perf_counter() - start
        moved = jax.tree.map(lambda a, b: np.ravel(a - b), self._state.params, new.params)
        return spent, int(np.asarray(metrics["loss"][1])[0]), np.concatenate(jax.tree.leaves(moved))


def _stage(config: TrainConfig, name: str, chosen: StageConfig, initial: Any) -> Any:
    own = stage_config(dataclasses.replace(config, **{name: chosen}), name)
    source = open_source(own.data)
    if name == "blur":
        return BlurStage(own, source, initial)
    return EdgeStage(own, source, pick(initial, BlurStage.parts), initial)


def measure(options: Options) -> dict[str, Any]:
    config = PRESETS["default"](DataConfig(photos=options.photos))
    blur, edges = (dataclasses.replace(stage, scene_views=0) for stage in (config.blur, config.edges))
    config = dataclasses.replace(config, blur=blur, edges=edges, network_scene_count=0)
    initial, _ = load_initial(_SHIPPED, config.network)
    rate = matmul_rate(3)
    figures: dict[str, Any] = {"matmul_gflops": rate / 1e9, "batches": options.batches, **origin()}
    for name, views in (("blur", 2), ("edges", 1)):
        few = dataclasses.replace(getattr(config, name), contents=options.contents)
        fewer = max(options.contents // _FEWER, 1)
        many = dataclasses.replace(few, contents=fewer, views=views, points=_MANY)
        takers = {
            form: Gradients(_stage(config, name, chosen, initial))
            for form, chosen in (("few", few), ("many", many))
        }
        taken: dict[str, list[Any]] = {form: [] for form in takers}
        for number in range(options.batches + 1):
            for form, taker in takers.items():
                taken[form].append(taker(number))
        figures[name] = {
            form: _summary(takers[form].stage, [*zip(*rows[1:], strict=True)], rate)
            for form, rows in taken.items()
        }
        figures[name]["ratio"] = figures[name]["many"]["cost"] / figures[name]["few"]["cost"]
    return figures


def _summary(stage: Any, taken: list[Any], rate: float) -> dict[str, Any]:
    seconds, points, gradients = taken
    own: StageConfig = stage.stage
    work = training_operations(
        stage.network,
        stage.name,
        views=own.contents * own.views,
        side=own.view_size - 2 * stage.network.margin,
        points=round(np.mean(points)),
        patchwise=own.points <= forward.FEW,
    )
    variance = float(jnp.var(jnp.stack(gradients), axis=0, ddof=1).sum())
    return {
        "edge_points": float(np.mean(points)),
        "seconds": summary(seconds),
        "variance": variance,
        "cost": variance * float(np.median(seconds)),
        "ratio_to_floor": min(seconds) / (work / rate),
    }


def main(options: Options) -> None:
    figures = measure(options)
    print(f"{figures['device']}, jax {figures['jax']}, commit {figures['commit']}")
    print(f"float32 matrix product {figures['matmul_gflops']:.1f} GFLOP/s")
    print(
        f"{'stage':6s} {'points':>7s} {'in all':>8s} {'seconds':>8s} {'x floor':>8s} {'variance':>9s} {'product':>8s}"
    )
    for name in ("blur", "edges"):
        for form in ("few", "many"):
            f = figures[name][form]
            times = f"{f['seconds']['median']:8.2f} {f['ratio_to_floor']:8.1f}"
            print(
                f"{name:6s} {form:>7s} {f['edge_points']:8.0f} {times} {f['variance']:9.2g} {f['cost']:8.2g}"
            )
        print(f"{name:6s} with many points {figures[name]['ratio']:.1f} times the product with few")
    write(options.json, figures)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
