"""What a stage carries from step to step."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxblur.runtime import parallel


@struct.dataclass
class TrainState:
    """Training state; every field but the optimiser's own is a tree of arrays by the names of `DefocusNet`.

    Attributes:
      step: finished steps, int32; its shape, where a tree of shapes says what to restore.
      params: what is trained.
      frozen: variables ("params", "batch_stats") that the stage only uses: f1-NET in the second stage.
      batch_stats: running statistics of `params`; empty without batch normalisation.
      average: exponential moving average of `params`, what is validated and exported.
      opt_state: of the optimiser.
    """

    step: Any
    params: Any
    frozen: Any
    batch_stats: Any
    average: Any
    opt_state: Any


def create(params: Any, batch_stats: Any, frozen: Any, optimiser: optax.GradientTransformation) -> TrainState:
    """State before the first step."""
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        frozen=frozen,
        batch_stats=batch_stats,
        average=jax.tree.map(jnp.array, params),  # a copy: the state is donated as a whole
        opt_state=optimiser.init(params),
    )


def update(
    state: TrainState,
    gradients: Any,
    batch_stats: Any,
    optimiser: optax.GradientTransformation,
    *,
    average: float,
) -> TrainState:
    """One step of the optimiser and of the moving average, whose decay grows to `average` over the first steps."""
    updates, opt_state = optimiser.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    step = state.step + 1
    count = step.astype(jnp.float32)
    decay = jnp.minimum(average, (1 + count) / (10 + count)) if average else jnp.zeros(())
    return state.replace(  # type: ignore[attr-defined]
        step=step,
        params=params,
        batch_stats=batch_stats,
        average=jax.tree.map(lambda mean, new: decay * mean + (1 - decay) * new, state.average, params),
        opt_state=opt_state,
    )


def descend(
    state: TrainState,
    total_loss: Callable[[Any], tuple[jax.Array, tuple[Any, dict[str, jax.Array], jax.Array]]],
    optimiser: optax.GradientTransformation,
    *,
    average: float,
    precision: str = "float32",
) -> tuple[TrainState, dict[str, tuple[jax.Array, jax.Array]]]:
    """One step down the gradient of the mean over all devices, inside a step mapped with the axis `parallel.AXIS`.

    Args:
      state: before the step.
      total_loss: parameters -> this device's sum of the loss, and its new batch statistics, sums of metrics by name,
        and count of what was summed.
      optimiser: of the stage.
      average: see `update`.
      precision: of the products in `total_loss` and its gradient.

    Returns:
      The new state, and metrics as `loop.Stage.step` gives them.
    """
    with jax.default_matmul_precision(precision):
        gradients, (stats, sums, count) = jax.grad(total_loss, has_aux=True)(state.params)
    new = update(state, parallel.psum_mean(gradients, count), stats, optimiser, average=average)
    total = parallel.psum(count)
    return new, {name: (parallel.psum(value), total) for name, value in sums.items()}
