"""Distillation as the loop sees it: points in, both networks trained at once, validated on held-out photos.

Patch by patch: with a small network, the patch of a point costs less than its share of the maps of a view. So a step
sees as many views as points.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxblur.network.config import NetworkConfig
from jaxblur.network.defocus_net import DefocusNet, apply, level_probabilities
from jaxblur.runtime import parallel
from train.config import TrainConfig
from train.distil.config import DistilConfig
from train.distil.points import PointExamples, PointSource
from train.stages import depth_validation, forward, losses, state, validation
from train.stages.fold import fold_batch_norm
from train.stages.optim import make_optimiser
from train.streams import Host, host_rng

_HELD_OUT = 4096  # points of the held-out views that are compared with the teacher
_CHUNK = 256  # of them at a time


def point_logits(net: DefocusNet, patches: jax.Array, train: bool = False) -> tuple[jax.Array, jax.Array]:
    """Ordinal logits (n, k) and log-odds of a depth edge (n,) of uint8 patches; a method of `DefocusNet`."""
    stem = net.stem_map(patches.astype(jnp.float32) / 255, train)
    grids = net.f1_grids(stem, train)
    levels = net.b.classification(net.b.trunk(grids, train), train)
    depth = net.e.classification(net.e.trunk([*net.f2_grid(stem, train), *grids], train), train)
    return levels, depth[:, 1] - depth[:, 0]


def point_losses(
    levels: jax.Array, log_odds: jax.Array, examples: Any, network: NetworkConfig, config: DistilConfig
) -> dict[str, jax.Array]:
    """Losses of each point, (n,): of its blur, and of whether it is a depth edge.

    Args:
      levels: ordinal logits.
      log_odds: of a depth edge.
      examples: `PointExamples`.
      network: whose logits they are.
      config: weights of the truth beside the teacher.
    """
    taught, known = jnp.isfinite(examples.levels[:, 0]), jnp.isfinite(examples.radius)
    target = jax.nn.sigmoid(jnp.where(taught[:, None], examples.levels, 0.0))
    by_teacher = optax.sigmoid_binary_cross_entropy(levels, target).sum(-1)
    by_truth = losses.level_loss(levels, jnp.where(known, examples.radius, 1.0), network)
    weight = jnp.where(taught & known, config.truth_weight, known.astype(jnp.float32))
    blur = jnp.where(taught, 1 - weight, 0.0) * by_teacher + weight * by_truth

    asked, labelled = jnp.isfinite(examples.depth), examples.label >= 0
    target = jax.nn.sigmoid(jnp.where(asked, examples.depth, 0.0))
    by_teacher = jnp.where(asked, optax.sigmoid_binary_cross_entropy(log_odds, target), 0.0)
    label = jnp.maximum(examples.label, 0).astype(jnp.float32)
    by_truth = jnp.where(labelled, optax.sigmoid_binary_cross_entropy(log_odds, label), 0.0)
    return {"blur": blur, "edges": by_teacher + config.depth_truth_weight * by_truth}


class HeldOut(NamedTuple):
    """What is validated on.

    Attributes:
      blur: see `validation.held_out_blur`.
      depth: see `depth_validation.held_out_depth`.
      points: that the teacher has read; None without one.
    """

    blur: validation.HeldOutBlur
    depth: depth_validation.HeldOutDepth
    points: PointSource | None


class DistilStage:
    """Both networks, from what a teacher says and from labels.

    Args:
      config: of the run; `config.network` is trained.
      stage: settings of distillation.
      source: of points to learn from.
      held_out: for `validate`; None: it is not called.
      initial: variables to start from, of any parts of `DefocusNet`.
    """

    name = "distil"

    def __init__(
        self,
        config: TrainConfig,
        stage: DistilConfig,
        source: PointSource,
        held_out: HeldOut | None = None,
        initial: Any = None,
    ) -> None:
        self.config, self.stage, self.source = config, stage, source
        self.optimiser = make_optimiser(stage.optimiser, stage.steps)
        self._initial = initial or {}
        self._held_out = held_out
        self._refresh = jax.jit(self._refresh_statistics)

    @property
    def network(self) -> NetworkConfig:
        """Architecture while training."""
        return self.config.network

    def init(self, key: jax.Array) -> state.TrainState:
        """Parameters: fresh, but for those that the run starts from."""
        variables = forward.init_variables(key, self.network)
        params, stats = (
            {**variables.get(kind, {}), **self._initial.get(kind, {})} for kind in ("params", "batch_stats")
        )
        return state.create(params, stats, {}, self.optimiser)

    def batch(self, step: int) -> dict[str, np.ndarray]:
        """This host's rows of the points of a step."""
        rng = host_rng(self.config.seed, Host.DISTIL_POINTS, "train", step, 0)
        drawn, parts = self.source.draw(rng, self.stage.points)._asdict(), jax.process_count()
        rows = self.stage.points // parts
        first = jax.process_index() * rows
        return {name: values[first : first + rows] for name, values in drawn.items()}

    def step(
        self, train_state: state.TrainState, batch: Any, key: jax.Array
    ) -> tuple[state.TrainState, dict[str, Any]]:
        """One step on this device's rows; pure, to be mapped with the axis `parallel.AXIS`."""
        examples = PointExamples(**batch)

        def total_loss(params: Any) -> tuple[jax.Array, Any]:
            (levels, odds), stats = self._apply(
                params, train_state.batch_stats, examples.patch, parallel.AXIS
            )
            parts = point_losses(levels, odds, examples, self.network, self.stage)
            sums = {name: part.sum() for name, part in parts.items()}
            sums["loss"] = sums["blur"] + sums["edges"]
            count = jnp.asarray(levels.shape[0], jnp.float32)
            return sums["loss"], (stats, sums, count)

        return state.descend(
            train_state,
            total_loss,
            self.optimiser,
            average=self.stage.optimiser.average,
            precision=self.config.precision,
        )

    def _apply(self, params: Any, stats: Any, patches: Any, axis_name: str | None) -> tuple[Any, Any]:
        """Logits in training mode, and new batch statistics."""
        variables = {"params": params, "batch_stats": stats}
        out, new = DefocusNet(self.network, axis_name).apply(
            variables, patches, True, method=point_logits, mutable=["batch_stats"]
        )
        return out, dict(new).get("batch_stats", stats)

    def _refresh_statistics(self, train_state: state.TrainState, patches: jax.Array) -> Any:
        return self._apply(train_state.average, train_state.batch_stats, patches, None)[1]

    def averaged(self, train_state: state.TrainState) -> dict[str, Any]:
        """Variables: the averaged weights, and statistics re-estimated for them."""
        if self.network.normalisation == "batch":
            for number in range(self.config.validation.statistics_batches):
                rng = host_rng(self.config.seed, Host.DISTIL_POINTS, "train", number, 0)
                patches = self.source.draw(rng, self.stage.points).patch
                stats = self._refresh(train_state, patches)
                train_state = train_state.replace(batch_stats=stats)  # type: ignore[attr-defined]
        return {"params": train_state.average, "batch_stats": train_state.batch_stats}

    def validate(self, train_state: state.TrainState) -> dict[str, float]:
        """Mean absolute error, px, from the teacher, and per mix from the truth; average precision of depth edges.

        "loss" is the error over the hard mixes, as in the stage "blur".
        """
        params, network = fold_batch_norm(**self.averaged(train_state), network=self.network)
        variables = {"params": params}
        assert self._held_out is not None
        blur = validation.blur_errors(variables, network, self._held_out.blur)
        out = {f"error_px_{mix}": float(np.mean(list(errors.values()))) for mix, errors in blur.items()}
        depth = depth_validation.depth_quality(variables, network, self._held_out.depth)
        out |= {f"depth_{name}": value for name, value in depth.items()}
        if (points := self._held_out.points) is not None:
            chosen = np.linspace(0, len(points) - 1, min(_HELD_OUT, len(points))).astype(int)
            out |= from_teacher(variables, network, points.take(chosen))
        return {"loss": (out["error_px_hard_gamma"] + out["error_px_hard_linear"]) / 2, **out}


def from_teacher(variables: Any, network: NetworkConfig, examples: PointExamples) -> dict[str, float]:
    """How far the readings are from the teacher's.

    Args:
      variables: folded.
      network: their architecture.
      examples: points that a teacher has read.

    Returns:
      "from_teacher_px", mean distance of the radii; "above_teacher_px", mean of the difference; and
      "depth_from_teacher", mean distance of the probabilities of a depth edge.
    """
    parts = [
        _logits(variables, network, examples.patch[first : first + _CHUNK])
        for first in range(0, len(examples.patch), _CHUNK)
    ]
    levels, odds = (np.concatenate(part) for part in zip(*parts, strict=True))
    own, asked = (
        np.asarray(level_probabilities(jnp.asarray(said), network)) @ np.asarray(network.levels)
        for said in (levels, examples.levels)
    )
    known = np.isfinite(examples.depth)
    depth = [1 / (1 + np.exp(-said[known])) for said in (odds, examples.depth)]
    return {
        "from_teacher_px": float(np.abs(own - asked).mean()),
        "above_teacher_px": float((own - asked).mean()),
        "depth_from_teacher": float(np.abs(depth[0] - depth[1]).mean()) if known.any() else 0.0,
    }


@functools.partial(jax.jit, static_argnames="network")
def _logits(variables: Any, network: NetworkConfig, patches: jax.Array) -> tuple[jax.Array, jax.Array]:
    return apply(variables, network, point_logits, patches)
