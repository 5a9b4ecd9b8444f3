import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur.network.config import ColumnConfig
from jaxblur.runtime import parallel
from train.distil import views
from train.distil.config import DistilConfig
from train.distil.points import PointExamples, PointSource
from train.distil.stage import DistilStage, point_losses

pytestmark = pytest.mark.usefixtures("standard_promotion")


@pytest.fixture(scope="module")
def stem(config):
    """Settings with networks that read cells of 2 x 2 px."""
    network = dataclasses.replace(
        config.network,
        stem=("conv4:3",),
        step=2,
        patch=42,
        columns=(
            ColumnConfig(size=20, layers=("pool2", "conv3")),
            ColumnConfig(size=10, layers=("conv3",)),
        ),
        depth_column=None,
        trunk=("conv3", "conv3", "conv4"),
    )
    return dataclasses.replace(config, network=network)


@pytest.fixture
def stage(stem, sources, tmp_path):
    paths = views.keep_views(tmp_path, sources, stem, None, files=1)
    source = PointSource(paths, stem.network)
    return DistilStage(stem, DistilConfig(points=64, steps=4), source)


def run_steps(stage, devices, count=2):
    step = parallel.map_devices(stage.step, devices=devices)
    state = parallel.replicate(stage.init(jax.random.key(0)), devices=devices)
    metrics = {}
    for i in range(count):
        key = parallel.replicate(jax.random.key(i), devices=devices)
        state, metrics = step(state, parallel.shard(stage.batch(i), devices=devices), key)
    return parallel.unreplicate(state), parallel.unreplicate(metrics)


def test_eight_devices_take_the_steps_of_one(stage):
    one, one_metrics = run_steps(stage, jax.devices()[:1])
    eight, eight_metrics = run_steps(stage, jax.devices())
    assert int(one.step) == int(eight.step) == 2 and set(one.params) == {"f1", "b", "e"}
    assert one_metrics["loss"][1] == eight_metrics["loss"][1] == 64
    np.testing.assert_allclose(one_metrics["loss"][0], eight_metrics["loss"][0], rtol=2e-3)
    for name in ("blur", "edges"):
        np.testing.assert_allclose(one_metrics[name][0], eight_metrics[name][0], rtol=2e-3, atol=1e-3)


def test_a_run_starts_from_given_variables(stage, stem):
    state = stage.init(jax.random.key(3))
    given = {"params": state.params, "batch_stats": state.batch_stats}
    again = DistilStage(stem, stage.stage, stage.source, initial=given)
    jax.tree.map(np.testing.assert_array_equal, again.init(jax.random.key(4)).params, state.params)


def examples(**known):
    nothing = {"levels": np.full((1, 22), np.nan), "depth": np.full(1, np.nan), "radius": np.full(1, np.nan)}
    values = {name: np.asarray(value, np.float32) for name, value in {**nothing, **known}.items()}
    values["label"] = np.asarray(known.get("label", [-1]), np.int32)
    return PointExamples(patch=np.zeros((1, 41, 41, 3), np.uint8), **values)


def losses_of(config, logits=0.0, odds=0.0, **known):
    settings = DistilConfig(truth_weight=0.25, depth_truth_weight=0.5)
    levels = jnp.full((1, 22), logits, jnp.float32)
    out = point_losses(levels, jnp.full((1,), odds), examples(**known), config.network, settings)
    return float(out["blur"][0]), float(out["edges"][0])


def test_losses_of_what_is_known(config):
    assert losses_of(config) == (0.0, 0.0)
    one_bit = np.log(2.0)
    assert losses_of(config, levels=np.full((1, 22), 50.0))[0] == pytest.approx(22 * one_bit, rel=1e-5)
    assert losses_of(config, logits=50.0, levels=np.full((1, 22), 50.0))[0] == pytest.approx(0, abs=1e-5)
    by_truth = losses_of(config, radius=[0.5])[0]
    assert by_truth == pytest.approx(22 * one_bit, rel=0.2)
    both = losses_of(config, logits=-3.0, levels=np.full((1, 22), 50.0), radius=[0.5])[0]
    teacher = losses_of(config, logits=-3.0, levels=np.full((1, 22), 50.0))[0]
    truth = losses_of(config, logits=-3.0, radius=[0.5])[0]
    assert both == pytest.approx(0.75 * teacher + 0.25 * truth, rel=1e-5) and teacher > 10 * truth
    assert losses_of(config, depth=[0.0])[1] == pytest.approx(one_bit, rel=1e-5)
    assert losses_of(config, depth=[0.0], label=[1])[1] == pytest.approx(1.5 * one_bit, rel=1e-5)
    assert losses_of(config, label=[0], odds=2.0)[1] == pytest.approx(0.5 * np.log1p(np.exp(2.0)), rel=1e-5)


def test_settings_are_checked():
    for wrong, message in [
        ({"points": 12}, "points must be a multiple of 8, got 12"),
        ({"taught_files": 0, "labelled_files": 0}, "there must be files of views"),
        ({"truth_weight": 1.5}, "truth_weight must be in"),
    ]:
        with pytest.raises(ValueError, match=message):
            DistilConfig(**wrong)
