"""Stage 3 as the loop sees it: how readings of all scales become one map, trained on the true map of composed scenes.

The networks stay as the first two stages left them; their readings of a fixed set of scenes are made once.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxblur.multiscale import fuse
from jaxblur.multiscale.parameters import MultiscaleParameters, init_parameters
from jaxblur.network.weights import Weights
from train.config import TrainConfig
from train.data.source import Source
from train.stages import confidence, state
from train.stages.map_loss import map_errors, map_loss, summary, total_loss
from train.stages.optim import make_optimiser
from train.stages.readings import Scene, own_scenes, scene_readings, smooth_scene


class MultiscaleStage:
    """Stage 3: the parameters of multiscale fusion.

    Args:
      config: of the run.
      source: from `compose.scene_source`.
      weights: of the two stages before.
      folder: for the readings, which only depend on `weights`, `source` and `config.multiscale_scene`.
    """

    name = "multiscale"

    def __init__(self, config: TrainConfig, source: Source, weights: Weights, folder: Path) -> None:
        self.config, self.stage, self.network = config, config.multiscale, weights.network
        self.optimiser = make_optimiser(self.stage.optimiser, self.stage.steps)
        scene, stage = config.multiscale_scene, self.stage
        self._scenes = scene_readings(
            folder, source, scene, weights, count=stage.training_scenes, split="train"
        )
        self._held_out = scene_readings(
            folder, source, scene, weights, count=stage.held_out_scenes, split="held_out"
        )
        self._smooth_one, self._measure = jax.jit(self._smooth), jax.jit(_errors)

    def init(self, key: jax.Array) -> state.TrainState:
        """As `init_parameters` has them."""
        parameters = jax.jit(init_parameters, static_argnums=0)(self.network, key)
        return state.create(parameters, {}, {}, self.optimiser)

    def batch(self, step: int) -> dict[str, np.ndarray]:
        """This host's scenes of a step: its part of a file of readings, drawn by seed and step.

        Raises:
          ValueError: the scenes of a file do not divide by the number of hosts.
        """
        rng = np.random.default_rng([self.config.seed, step])
        chosen = self._scenes[rng.integers(len(self._scenes))]
        own = own_scenes(len(chosen["radius"]))
        return {name: part[own.start : own.stop] for name, part in chosen.items()}

    def step(
        self, train_state: state.TrainState, batch: Scene, key: jax.Array
    ) -> tuple[state.TrainState, dict[str, Any]]:
        """One step on this device's scenes; pure, to be mapped with the axis `parallel.AXIS`."""

        def total(parameters: Any) -> Any:
            return total_loss(*jax.vmap(lambda scene: self._loss(parameters, scene))(batch))

        return state.descend(train_state, total, self.optimiser, average=self.stage.optimiser.average)

    def averaged(self, train_state: state.TrainState) -> MultiscaleParameters:
        """The averaged parameters, their confidence calibrated on the held-out scenes."""
        return confidence.calibrate(train_state.average, self._smoothed(train_state.average))

    def validate(self, train_state: state.TrainState) -> dict[str, float]:
        """Errors on held-out scenes, on which the confidence is calibrated too; see `map_loss.summary`."""
        smoothed = self._smoothed(train_state.average)
        parameters = confidence.calibrate(train_state.average, smoothed)
        return summary([self._measure(parameters, *scene) for scene in smoothed])

    def _smoothed(self, parameters: MultiscaleParameters) -> list[confidence.Smoothed]:
        """The held-out scenes, their evidence smoothed."""
        scenes = [
            {name: part[place] for name, part in scenes.items()}
            for scenes in self._held_out
            for place in range(len(scenes["radius"]))
        ]
        return [(*self._smooth_one(parameters, scene), jnp.asarray(scene["radius"])) for scene in scenes]

    def _loss(
        self, parameters: MultiscaleParameters, scene: Scene
    ) -> tuple[Float[Array, ""], dict[str, jax.Array]]:
        return map_loss(parameters, *self._smooth(parameters, scene), scene["radius"])

    def _smooth(self, parameters: MultiscaleParameters, scene: Scene) -> tuple[jax.Array, jax.Array]:
        return smooth_scene(parameters, scene, self.network)


def _errors(
    parameters: MultiscaleParameters, smoothed: Array, means: Array, truth: Array
) -> dict[str, jax.Array]:
    """Sums over the pixels of a held-out scene."""
    return map_errors(*fuse.conclude(parameters, smoothed, means), truth)
