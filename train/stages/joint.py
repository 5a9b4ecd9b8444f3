"""Stage 4: both networks and the multiscale stage at once, trained on the map from the photo on; for an accelerator.

The networks are those that ship, batch normalisation folded, and learn slowly: what they say of an edge must stay what
it means, so their radius at edges counts as well.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxblur.image.pyramid import count_scales
from jaxblur.multiscale import fuse
from jaxblur.network.weights import Weights
from train.config import TrainConfig
from train.scenes.views import SceneViews
from train.stages import state
from train.stages.map_loss import map_errors, map_loss, summary, total_loss
from train.stages.optim import make_optimiser
from train.stages.readings import Scene, own_scenes, read_view, smooth_scene


class JointStage:
    """Stage 4: all parameters of weights, those of the networks by part and those of the fusion as "multiscale".

    Args:
      config: of the run.
      weights: of the three stages before.
      scenes: to train on, and held-out ones.
    """

    name = "joint"

    def __init__(self, config: TrainConfig, weights: Weights, scenes: tuple[SceneViews, SceneViews]) -> None:
        self.config, self.stage, self.network = config, config.joint, weights.network
        self.optimiser = make_optimiser(self.stage.optimiser, self.stage.steps)
        self._weights, (self._scenes, self._held_out) = weights, scenes
        self._measure = jax.jit(self._errors)

    def init(self, key: jax.Array) -> state.TrainState:
        """The parameters of the weights; nothing is random."""
        params = {**self._weights.variables["params"], "multiscale": self._weights.multiscale}
        return state.create(jax.tree.map(jnp.array, params), {}, {}, self.optimiser)

    def batch(self, step: int) -> dict[str, np.ndarray]:
        """This host's scenes of a step.

        Raises:
          ValueError: the scenes of a step do not divide by the number of hosts.
        """
        return self._scenes.whole(step, own_scenes(self.stage.scenes_per_step))

    def step(
        self, train_state: state.TrainState, batch: dict[str, jax.Array], key: jax.Array
    ) -> tuple[state.TrainState, dict[str, Any]]:
        """One step on this device's scenes; pure, to be mapped with the axis `parallel.AXIS`."""

        def total(params: Any) -> Any:
            # One scene after the other, and again on the way back: memory is that of one.
            one = jax.checkpoint(lambda scene: self._loss(params, scene["view"], scene["radius"]))
            return total_loss(*jax.lax.map(one, batch))

        return state.descend(
            train_state,
            total,
            self.optimiser,
            average=self.stage.optimiser.average,
            precision=self.config.precision,
        )

    def averaged(self, train_state: state.TrainState) -> Weights:
        """The weights with the averaged parameters."""
        return self._with(train_state.average)

    def validate(self, train_state: state.TrainState) -> dict[str, float]:
        """Errors on held-out scenes, see `map_loss.summary`."""
        scenes = map(self._held_out.scene, range(len(self._held_out)))
        return summary([self._measure(train_state.average, **one) for one in scenes])

    def _forward(self, params: Any, view: Array) -> tuple[Scene, tuple[jax.Array, jax.Array]]:
        pixels = view.astype(jnp.float32) / 255
        scene = read_view(self._with(params), pixels, precision=self.config.precision)
        return scene, smooth_scene(params["multiscale"], scene, self.network)

    def _with(self, params: dict[str, Any]) -> Weights:
        """The weights with other parameters."""
        networks = {part: tree for part, tree in params.items() if part != "multiscale"}
        return dataclasses.replace(
            self._weights, variables={"params": networks}, multiscale=params["multiscale"]
        )

    def _loss(
        self, params: Any, view: Array, radius: Float[Array, "h w"]
    ) -> tuple[Float[Array, ""], dict[str, jax.Array]]:
        truth = radius.astype(jnp.float32)
        scene, smoothed = self._forward(params, view)
        loss, metrics = map_loss(params["multiscale"], *smoothed, truth)
        reading = self._reading_error(scene, truth)
        return loss + self.stage.reading_weight * reading, {**metrics, "reading": reading}

    def _reading_error(self, scene: Scene, truth: Float[Array, "h w"]) -> Float[Array, ""]:
        """Mean of |error| / (radius + 1) of all readings; what is beyond the levels counts as the last."""
        first, last = self.network.levels[0], self.network.levels[-1]
        total = count = jnp.zeros(())
        for scale in range(count_scales(*truth.shape)):
            step = 2**scale
            here = jnp.clip(truth[step // 2 :: step, step // 2 :: step] / step, first, last)
            edges = scene[f"edges_{scale}"]
            here = here[: edges.shape[0], : edges.shape[1]]
            error = jnp.abs(scene[f"radius_{scale}"] - here) / (here + 1)
            total = total + jnp.where(edges, error, 0.0).sum()
            count = count + edges.sum(dtype=jnp.float32)
        return total / jnp.maximum(count, 1.0)

    def _errors(self, params: Any, view: Array, radius: Array) -> dict[str, jax.Array]:
        """Sums over the pixels of a held-out scene."""
        _, smoothed = self._forward(params, view)
        return map_errors(*fuse.conclude(params["multiscale"], *smoothed), radius.astype(jnp.float32))
