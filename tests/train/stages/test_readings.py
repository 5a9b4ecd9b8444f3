"""Readings of composed scenes: kept on disk, and those of the estimate."""

import dataclasses

import jax
import numpy as np
import pytest

import jaxblur
from jaxblur.config import SingleScale
from jaxblur.network.weights import Weights
from tests.train.tiny import write_photos
from train.scenes.compose import draw_scenes, scene_source
from train.stages import readings
from train.stages.fold import fold_batch_norm
from train.stages.forward import init_variables


@pytest.fixture(scope="module")
def weights(config):
    params, network = fold_batch_norm(
        **init_variables(jax.random.key(1), config.network), network=config.network
    )
    return Weights({"params": jax.tree.map(np.asarray, params)}, network)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("readings")


@pytest.fixture(scope="module")
def source(config):
    return scene_source(config.data, config.multiscale_scene)


def read(folder, source, config, weights):
    scene = config.multiscale_scene
    return readings.scene_readings(folder, source, scene, weights, count=8, split="train")


def test_readings_are_those_of_the_estimate(folder, source, config, weights):
    (kept,) = read(folder, source, config, weights)
    views, radius = draw_scenes(source, config.multiscale_scene, 0)
    np.testing.assert_array_equal(kept["radius"], radius)
    plain = jaxblur.Config(propagation=SingleScale(readout="expectation"))
    seen = False
    for place in range(2):
        result = jaxblur.estimate(np.asarray(views[place]), weights, config=plain)
        np.testing.assert_array_equal(kept["edges_0"][place], result.edges)
        pattern = result.edges & ~result.depth_edges
        np.testing.assert_allclose(
            kept["radius_0"][place][pattern], result.sparse_radius[pattern], atol=4e-3
        )  # kept in half precision
        assert (
            (kept["depth_0"][place] > 0.5)[result.edges] == result.depth_edges[result.edges]
        ).mean() > 0.99
        assert not kept["radius_0"][place][~result.edges].any()
        seen |= bool(pattern.any())
    assert seen


def test_readings_are_made_once_for_each_photos_and_weights(folder, source, config, weights, tmp_path):
    first = read(folder, source, config, weights)
    (kept,) = folder.glob("readings-*")
    made = {path.name: path.stat().st_mtime_ns for path in kept.iterdir()}
    assert set(made) == {"train_00000.npz"}
    again = read(folder, source, config, weights)
    assert {path.name: path.stat().st_mtime_ns for path in kept.iterdir()} == made
    jax.tree.map(np.testing.assert_array_equal, first, again)
    more = scene_source(
        dataclasses.replace(config.data, photos=write_photos(tmp_path, count=4)), config.multiscale_scene
    )
    read(folder, more, config, weights)
    assert len(list(folder.glob("readings-*"))) == 2
    read(folder, source, config, jax.tree.map(lambda leaf: leaf * 1.5, weights))
    assert len(list(folder.glob("readings-*"))) == 3
