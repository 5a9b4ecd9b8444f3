"""The two stages as the loop sees them: B-Net on blurred crops, then E-Net on composites with f1-NET frozen."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxblur.network.config import NetworkConfig
from jaxblur.network.defocus_net import DefocusNet
from jaxblur.runtime import parallel
from train.camera import KERNEL_SIZE
from train.config import StageConfig, TrainConfig
from train.data.source import Source
from train.scenes.views import SceneViews
from train.stages import composites, depth_validation, forward, losses, samples, state, validation
from train.stages.fold import fold_batch_norm
from train.stages.optim import make_optimiser
from train.streams import Seed


class _Stage(abc.ABC):
    """What the two stages share."""

    name: str
    parts: tuple[str, ...]  # of DefocusNet, trained here

    def __init__(
        self,
        config: TrainConfig,
        stage: StageConfig,
        source: Source,
        frozen: Any,
        initial: Any,
        scenes: tuple[SceneViews, SceneViews] | None,
    ) -> None:
        self.config, self.stage, self.source, self.frozen = config, stage, source, frozen
        self._initial, self._scenes = initial or {}, scenes
        self.optimiser = make_optimiser(stage.optimiser, stage.steps)
        self._refresh = jax.jit(self._refresh_statistics)

    @property
    def network(self) -> NetworkConfig:
        """Architecture while training."""
        return self.config.network

    @abc.abstractmethod
    def _examples(self, batch: Any, keys: jax.Array) -> Any:
        """Views, points and labels from a batch of this stage."""

    @abc.abstractmethod
    def _losses(self, logits: jax.Array, examples: Any) -> tuple[jax.Array, dict[str, jax.Array], jax.Array]:
        """Loss and metrics per point, and which points count."""

    @property
    @abc.abstractmethod
    def _forward(self) -> Callable[..., Any]:
        """Method of DefocusNet that gives this stage's logits."""

    def init(self, key: jax.Array) -> state.TrainState:
        """Parameters of this stage's networks: fresh, but for those that the run starts from."""
        variables = forward.init_variables(key, self.network)

        def own(kind: str) -> dict[str, Any]:
            known = {**variables.get(kind, {}), **self._initial.get(kind, {})}
            return {name: known.get(name, {}) for name in self.parts}

        params, stats = own("params"), own("batch_stats")
        return state.create(params, stats, self.frozen, self.optimiser)

    def step(
        self, train_state: state.TrainState, batch: Any, key: jax.Array
    ) -> tuple[state.TrainState, dict[str, Any]]:
        """One step on this device's rows; pure, to be mapped with the axis `parallel.AXIS`."""
        rows = jax.tree.leaves(batch)[0].shape[0]
        sample_key, dropout_key = jax.random.split(key)
        examples = self._examples(batch, parallel.sample_keys(sample_key, rows))
        # With dropout the draw differs by device; without, any number of devices gives the same step.
        dropout_key = jax.random.fold_in(dropout_key, jax.lax.axis_index(parallel.AXIS))

        def total_loss(params: Any) -> tuple[jax.Array, Any]:
            logits, stats = self._apply(
                params,
                train_state.batch_stats,
                train_state.frozen,
                examples,
                parallel.AXIS,
                {"dropout": dropout_key},
            )
            loss, metrics, counts = self._losses(logits, examples)
            weight = counts.astype(loss.dtype)
            sums = {name: (value * weight).sum() for name, value in {"loss": loss, **metrics}.items()}
            return sums["loss"], (stats, sums, weight.sum())

        return state.descend(
            train_state,
            total_loss,
            self.optimiser,
            average=self.stage.optimiser.average,
            precision=self.config.precision,
        )

    def _apply(
        self, params: Any, stats: Any, frozen: Any, examples: Any, axis_name: str | None, rngs: Any
    ) -> tuple[jax.Array, Any]:
        """Logits in training mode, and this stage's new batch statistics."""
        variables = {
            "params": {**frozen["params"], **params},
            "batch_stats": {**frozen["batch_stats"], **stats},
        }
        logits, updates = DefocusNet(self.network, axis_name).apply(
            variables,
            examples.views,
            examples.points.points,
            examples.points.valid,
            True,
            method=self._forward,
            mutable=["batch_stats"],
            rngs=rngs,
        )
        new = dict(updates or {}).get("batch_stats", {})
        return logits, {name: new.get(name, stats[name]) for name in stats}

    def _refresh_statistics(self, train_state: state.TrainState, batch: Any, key: jax.Array) -> Any:
        """Batch statistics moved on by one batch under the averaged weights."""
        rows = jax.tree.leaves(batch)[0].shape[0]
        examples = self._examples(batch, jax.random.split(key, rows))
        rngs = {"dropout": key}
        return self._apply(
            train_state.average, train_state.batch_stats, train_state.frozen, examples, None, rngs
        )[1]

    def averaged(self, train_state: state.TrainState) -> dict[str, Any]:
        """Variables of this stage's parts: the averaged weights, and statistics re-estimated for them."""
        if self.network.normalisation == "batch":
            key = jax.random.key(Seed.STATISTICS)
            for i in range(self.config.validation.statistics_batches):
                stats = self._refresh(train_state, self.global_batch(i), jax.random.fold_in(key, i))
                train_state = train_state.replace(batch_stats=stats)  # type: ignore[attr-defined]
        return {"params": train_state.average, "batch_stats": train_state.batch_stats}

    def batch(self, step: int) -> dict[str, np.ndarray]:
        """This host's rows of the batch of a step."""
        return self._read(step, jax.process_index(), jax.process_count())

    def global_batch(self, step: int) -> dict[str, np.ndarray]:
        """The whole batch of a step."""
        return self._read(step, 0, 1)

    def _read(self, step: int, process_index: int, process_count: int) -> dict[str, np.ndarray]:
        batch = self._contents(step, process_index=process_index, process_count=process_count)
        if self._scenes is None or not self.stage.scene_views:
            return batch
        rows = len(next(iter(batch.values())))
        places = range(process_index * rows, (process_index + 1) * rows)
        count, size = self.stage.scene_views, self.stage.view_size
        return {**batch, **self._scenes[0].batch(step, places, count=count, size=size)}

    @property
    @abc.abstractmethod
    def _contents(self) -> Callable[..., dict[str, np.ndarray]]:
        """Method of the source that gives the rest of a batch."""

    @abc.abstractmethod
    def validate(self, train_state: state.TrainState) -> dict[str, float]:
        """Held-out metrics of the averaged weights; "loss" is what picks the best checkpoint."""


class BlurStage(_Stage):
    """Stage 1: B-Net. The label of an edge point is the radius of the disk by which the whole content is blurred.

    In views of composed scenes it is the radius of the pixel, if `scenes` are given.

    Args:
      config: of the run.
      source: of contents.
      initial: variables to start from, of any parts of `DefocusNet`.
      scenes: to cut `config.blur.scene_views` views from with each content, and those held out.
    """

    name = "blur"
    parts = ("f1", "b")
    _forward = staticmethod(forward.blur_logits)  # type: ignore[assignment]

    def __init__(
        self,
        config: TrainConfig,
        source: Source,
        initial: Any = None,
        scenes: tuple[SceneViews, SceneViews] | None = None,
    ) -> None:
        super().__init__(config, config.blur, source, {"params": {}, "batch_stats": {}}, initial, scenes)
        self._held_out: validation.HeldOutBlur | None = None

    @property
    def _contents(self) -> Callable[..., dict[str, np.ndarray]]:
        return self.source.contents

    def _examples(self, batch: Any, keys: jax.Array) -> samples.BlurExamples:
        points, margin = self.stage.points, self.network.margin
        whole = samples.blur_examples(
            keys,
            batch["content"],
            views=self.stage.views,
            points=points,
            margin=margin,
            config=self.config.formation,
        )
        if "scene_view" not in batch:
            return whole
        seen = samples.scene_examples(
            keys, batch["scene_view"], batch["scene_radius"], points=points, margin=margin
        )
        return samples.join(whole, seen)

    def _losses(self, logits: jax.Array, examples: Any) -> tuple[jax.Array, dict[str, jax.Array], jax.Array]:
        radius = examples.radius.reshape(-1)
        loss = losses.level_loss(logits, radius, self.network)
        return loss, losses.level_metrics(logits, radius, self.network), examples.points.valid.reshape(-1)

    def validate(self, train_state: state.TrainState) -> dict[str, float]:
        """Mean absolute error, px, per mix of degradations, and in scenes; "loss" is the mean over the hard mixes.

        Scenes count as a hard mix, where there are any.
        """
        if self._held_out is None:
            self._held_out = validation.held_out_blur(self.source, self.config)
        params, network = fold_batch_norm(**self.averaged(train_state), network=self.network)
        report = validation.blur_errors({"params": params}, network, self._held_out)
        out = {f"error_px_{mix}": float(np.mean(list(errors.values()))) for mix, errors in report.items()}
        counted = [out["error_px_hard_gamma"], out["error_px_hard_linear"]]
        if self._scenes is not None:
            out["error_px_scenes"] = validation.scene_error(
                {"params": params}, network, self._scenes[1], self.config
            )
            counted.append(out["error_px_scenes"])
        return {"loss": float(np.mean(counted)), **out}


class EdgeStage(_Stage):
    """Stage 2: E-Net on composites, with f1-NET as the first stage left it.

    Args:
      config: of the run.
      source: of layers.
      blur: variables of f1-NET and B-Net from `BlurStage.averaged`.
      initial: variables to start from, of any parts of `DefocusNet`.
      scenes: as for `BlurStage`, with `config.edges.scene_views`.
    """

    name = "edges"
    parts = ("f2", "e")
    _forward = staticmethod(forward.depth_logits)  # type: ignore[assignment]

    def __init__(
        self,
        config: TrainConfig,
        source: Source,
        blur: dict[str, Any],
        initial: Any = None,
        scenes: tuple[SceneViews, SceneViews] | None = None,
    ) -> None:
        frozen = {kind: {"f1": tree["f1"]} for kind, tree in blur.items()}
        super().__init__(config, config.edges, source, frozen, initial, scenes)
        self._held_out: depth_validation.HeldOutDepth | None = None

    @property
    def _contents(self) -> Callable[..., dict[str, np.ndarray]]:
        return self.source.layers

    def _examples(self, batch: Any, keys: jax.Array) -> composites.DepthExamples:
        choice = {
            "points": self.stage.points,
            "depth_fraction": self.stage.depth_fraction,
            "margin": self.network.margin,
        }
        layers = {name: part for name, part in batch.items() if not name.startswith("scene_")}
        whole = composites.depth_examples(keys, layers, config=self.config.formation, **choice)
        if "scene_view" not in batch:
            return whole
        seen = composites.scene_depth_examples(keys, batch["scene_view"], batch["scene_radius"], **choice)
        return samples.join(whole, seen)

    def _losses(self, logits: jax.Array, examples: Any) -> tuple[jax.Array, dict[str, jax.Array], jax.Array]:
        label = examples.label.reshape(-1)
        loss = losses.depth_loss(logits, label)
        return loss, losses.depth_metrics(logits, label), examples.points.valid.reshape(-1)

    def validate(self, train_state: state.TrainState) -> dict[str, float]:
        """Average precision on composites and in scenes, false alarms on sharp photos; "loss" is 1 - mean precision."""
        if self._held_out is None:
            self._held_out = depth_validation.held_out_depth(self.source, self.config)
        own = self.averaged(train_state)
        variables = {kind: {**self.frozen[kind], **own[kind]} for kind in own}
        params, network = fold_batch_norm(**variables, network=self.network)
        report = depth_validation.depth_quality({"params": params}, network, self._held_out)
        if self._scenes is not None:
            report["precision_scenes"] = depth_validation.scene_precision(
                {"params": params}, network, self._scenes[1], self.config
            )
        precisions = [value for name, value in report.items() if name.startswith("precision_")]
        return {"loss": 1 - float(np.mean(precisions)), **report}


def stage_config(config: TrainConfig, name: str) -> TrainConfig:
    """The configuration whose source makes batches of a stage's size."""
    stage: StageConfig = getattr(config, name)
    kernel_size = config.formation.kernel_size if name == "blur" else KERNEL_SIZE
    size = stage.view_size + kernel_size - 1
    data = dataclasses.replace(
        config.data, crop_size=size, contents_per_batch=stage.contents, seed=config.seed
    )
    return dataclasses.replace(config, data=data)
