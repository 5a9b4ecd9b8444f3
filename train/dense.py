"""Stage 3 as the loop sees it: what readings count and how they spread, trained on the dense map of composed scenes.

The networks stay as the first two stages left them; their readings of a fixed set of scenes are made once.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxblur import parallel, spread
from jaxblur.domain_transform import channel_steps
from jaxblur.pyramid import count_scales
from jaxblur.reading import EdgeReading
from jaxblur.weights import Weights
from train import state
from train.config import TrainConfig
from train.data.source import Source
from train.optim import make_optimiser
from train.readings import Scene, scene_readings

_STEP, _NEAR = 0.25, 9  # what counts as a blur step, in octaves of radius + 1; side of its neighbourhood, px


class DenseStage:
    """Stage 3: parameters of `jaxblur.spread`.

    Args:
      config: of the run.
      source: from `scenes.scene_source`.
      weights: of the two stages before.
      folder: for the readings, which only depend on `weights`, `source` and `config.scene`.
    """

    name = "dense"

    def __init__(self, config: TrainConfig, source: Source, weights: Weights, folder: Path) -> None:
        self.config, self.stage, self.network = config, config.dense, weights.network
        self.optimiser = make_optimiser(self.stage.optimiser, self.stage.steps)
        scene, stage = config.scene, self.stage
        self._scenes = scene_readings(folder, source, scene, weights, count=stage.scenes, split="train")
        self._held_out = scene_readings(
            folder, source, scene, weights, count=stage.held_out, split="held_out"
        )
        self._measure = jax.jit(self._errors)

    def init(self, key: jax.Array) -> state.TrainState:
        """The plain choices of `spread.init_parameters`; nothing is random."""
        return state.create(spread.init_parameters(self.network), {}, {}, self.optimiser)

    def batch(self, step: int) -> dict[str, np.ndarray]:
        """This host's scenes of a step: its share of a file of readings, drawn by seed and step.

        Raises:
          ValueError: the scenes of a file do not divide by the number of hosts.
        """
        rng = np.random.default_rng([self.config.seed, step])
        chosen = self._scenes[rng.integers(len(self._scenes))]
        share, rest = divmod(len(chosen["radius"]), jax.process_count())
        if rest:
            raise ValueError(
                f"scenes per step must be a multiple of the number of processes {jax.process_count()}, "
                f"got {len(chosen['radius'])}"
            )
        first = jax.process_index() * share
        return {name: part[first : first + share] for name, part in chosen.items()}

    def step(
        self, train_state: state.TrainState, batch: Scene, key: jax.Array
    ) -> tuple[state.TrainState, dict[str, Any]]:
        """One step on this device's scenes; pure, to be mapped with the axis `parallel.AXIS`."""

        def total_loss(parameters: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
            loss, metrics = jax.vmap(lambda scene: self._loss(parameters, scene))(batch)
            return loss.sum(), {"loss": loss.sum(), **{name: m.sum() for name, m in metrics.items()}}

        count = jnp.asarray(batch["radius"].shape[0], jnp.float32)
        gradients, sums = jax.grad(total_loss, has_aux=True)(train_state.params)
        gradients = parallel.psum_mean(gradients, count)
        new = state.update(train_state, gradients, {}, self.optimiser, average=self.stage.optimiser.average)
        total = parallel.psum(count)
        return new, {name: (parallel.psum(value), total) for name, value in sums.items()}

    def averaged(self, train_state: state.TrainState) -> dict[str, Any]:
        """The averaged parameters."""
        return train_state.average

    def validate(self, train_state: state.TrainState) -> dict[str, float]:
        """Errors on held-out scenes; "loss" is the mean of |error| / (radius + 1)."""
        totals: dict[str, np.ndarray] = {}
        for scenes in self._held_out:
            for place in range(len(scenes["radius"])):
                scene = {name: part[place] for name, part in scenes.items()}
                for name, value in self._measure(train_state.average, scene).items():
                    totals[name] = totals.get(name, np.zeros(())) + np.asarray(value)
        mean = {name: totals[name] / totals["pixels"] for name in ("error", "relative", "right", "sure")}
        predicted = totals["sure_by_bin"] / np.maximum(totals["pixels_by_bin"], 1)
        observed = totals["right_by_bin"] / np.maximum(totals["pixels_by_bin"], 1)
        gap = np.abs(predicted - observed) * totals["pixels_by_bin"] / totals["pixels"]
        return {
            "loss": float(mean["relative"]),
            "error_px": float(mean["error"]),
            "error_px_to_6": float(totals["error_to_6"] / max(totals["pixels_to_6"], 1)),
            "right": float(mean["right"]),
            "confidence": float(mean["sure"]),
            "calibration_error": float(gap.sum()),
        }

    def _loss(self, parameters: Any, scene: Scene) -> tuple[Float[Array, ""], dict[str, jax.Array]]:
        """Robust relative error with twice the weight near blur steps, and cross-entropy of the confidence alone."""
        truth = scene["radius"]
        smoothed, means = self._smooth(parameters, scene)
        radius, _ = spread.conclude(parameters, smoothed, means)
        error = jnp.abs(radius - truth)
        relative = error / (truth + 1)
        weight = 1 + near_steps(truth)
        map_loss = (jnp.sqrt(relative**2 + 1e-4) * weight).sum() / weight.sum()
        _, confidence = spread.conclude(
            parameters, jax.lax.stop_gradient(smoothed), jax.lax.stop_gradient(means)
        )
        right = spread.is_right(radius, truth)
        sure = jnp.clip(confidence, 1e-4, 1 - 1e-4)
        entropy = -jnp.mean(jnp.where(right, jnp.log(sure), jnp.log(1 - sure)))
        return map_loss + entropy, {"error_px": error.mean(), "relative": relative.mean()}

    def _smooth(self, parameters: Any, scene: Scene) -> tuple[jax.Array, jax.Array]:
        truth = scene["radius"]
        scales = count_scales(*truth.shape)
        readings = []
        for scale in range(scales):
            planes = (scene[f"{name}_{scale}"].astype(jnp.float32) for name in EdgeReading._fields)
            readings.append((EdgeReading(*planes), scene[f"edges_{scale}"]))
        evidence = spread.gather(
            parameters,
            readings,
            self.network,
            shape=truth.shape,
            scales=jnp.asarray(scales, jnp.int32),
        )
        steps = scene["across"].astype(jnp.float32), scene["down"].astype(jnp.float32)
        return spread.smooth(parameters, evidence, steps)

    def _errors(self, parameters: Any, scene: Scene) -> dict[str, jax.Array]:
        """Sums over the pixels of a held-out scene."""
        truth = scene["radius"]
        radius, confidence = spread.conclude(parameters, *self._smooth(parameters, scene))
        error = jnp.abs(radius - truth)
        low, right = truth <= 6, spread.is_right(radius, truth)
        bins = jnp.clip((confidence * 10).astype(jnp.int32), 0, 9).reshape(-1)

        def by_bin(values: jax.Array) -> jax.Array:
            return jnp.zeros(10).at[bins].add(values.astype(jnp.float32).reshape(-1))

        return {
            "pixels": jnp.asarray(truth.size, jnp.float32),
            "error": error.sum(),
            "relative": (error / (truth + 1)).sum(),
            "error_to_6": jnp.where(low, error, 0).sum(),
            "pixels_to_6": low.sum(dtype=jnp.float32),
            "right": right.sum(dtype=jnp.float32),
            "sure": confidence.sum(),
            "pixels_by_bin": by_bin(jnp.ones_like(truth)),
            "sure_by_bin": by_bin(confidence),
            "right_by_bin": by_bin(right),
        }


def near_steps(truth: Float[Array, "h w"]) -> Float[Array, "h w"]:
    """1 near sudden changes of the true radius, else 0."""
    across, down = channel_steps(jnp.log2(truth + 1))
    step = (across + down > _STEP).astype(jnp.float32)
    return jax.lax.reduce_window(step, 0.0, jax.lax.max, (_NEAR, _NEAR), (1, 1), "SAME")
