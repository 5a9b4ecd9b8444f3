"""Optimisers of all stages (Optax)."""

from typing import Any

import jax
import optax

from train.config import OptimiserConfig


def rate_schedule(peak: float, config: OptimiserConfig, steps: int) -> optax.Schedule:
    """Linear warm-up, constant, linear decay to zero over the last `decay_fraction` of `steps`."""
    decay = int(steps * config.decay_fraction)
    warmup = min(config.warmup_steps, steps - decay)
    pieces = [optax.linear_schedule(peak / max(warmup, 1), peak, warmup), optax.constant_schedule(peak)]
    if decay:
        pieces.append(optax.linear_schedule(peak, 0.0, decay))
    return optax.join_schedules(pieces, [warmup, steps - decay][: len(pieces) - 1])


def _muon_dimensions(params: Any) -> Any:
    """Convolution kernels are matrices of (taps x inputs, outputs); what is not a kernel goes to Adam."""

    def dimensions(path: Any, leaf: jax.Array) -> optax.contrib.MuonDimensionNumbers | None:
        if "kernel" not in jax.tree_util.keystr(path):
            return None
        return optax.contrib.MuonDimensionNumbers(tuple(range(leaf.ndim - 1)), leaf.ndim - 1)

    return jax.tree_util.tree_map_with_path(dimensions, params)


def _dense_kernels(params: Any) -> Any:
    """True for the kernels of the classification networks."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: "dense" in jax.tree_util.keystr(path) and "kernel" in jax.tree_util.keystr(path),
        params,
    )


def make_optimiser(config: OptimiserConfig, steps: int) -> optax.GradientTransformation:
    """Gradient clipping, L2 on dense kernels, then Muon + Adam or Adam, with the schedule of `rate_schedule`."""
    parts = []
    if config.clip_norm:
        parts.append(optax.clip_by_global_norm(config.clip_norm))
    if config.dense_l2:
        parts.append(optax.add_decayed_weights(config.dense_l2, mask=_dense_kernels))
    adam_rate = rate_schedule(config.adam_rate, config, steps)
    if config.name == "adam":
        parts.append(optax.adam(adam_rate))
    else:
        parts.append(
            optax.contrib.muon(
                rate_schedule(config.rate, config, steps),
                adam_learning_rate=adam_rate,
                muon_weight_dimension_numbers=_muon_dimensions,
                consistent_rms=0.2,
            )
        )
    return optax.chain(*parts)
