"""Checks of settings, and the names of older versions."""

import dataclasses

import numpy as np
import pytest

from train import renamed
from train.camera import CameraConfig
from train.config import FormationConfig, MultiscaleConfig, StageConfig, scale_rates
from train.data.config import DataConfig
from train.data.gate import GateConfig
from train.presets import default
from train.scenes.config import SceneConfig
from train.settings import ConfigChangedError, check_config
from train.streams import Folded, Host, Seed, host_rng


def test_scale_rates_changes_the_rates_of_both_network_stages_alone(tmp_path):
    config = default(DataConfig(photos=tmp_path))
    half = scale_rates(config, 0.5)
    for before, now in ((config.blur, half.blur), (config.edges, half.edges)):
        assert now.optimiser.rate == before.optimiser.rate / 2
        assert now.optimiser.adam_rate == before.optimiser.adam_rate / 2
        assert now.optimiser.warmup_steps == before.optimiser.warmup_steps
    assert half.multiscale == config.multiscale
    assert scale_rates(config, 1.0) == config


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_scale_rates_refuses_what_is_no_factor(tmp_path, factor):
    with pytest.raises(ValueError, match="rate must be a positive factor"):
        scale_rates(default(DataConfig(photos=tmp_path)), factor)


NAN = float("nan")


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (
            CameraConfig,
            {"contrast": (0.0, 1.0)},
            r"contrast must be in \(0, 1\], lowest first, got \(0.0, 1.0\)",
        ),
        (CameraConfig, {"contrast": (0.5, 0.4)}, "contrast must be"),
        (CameraConfig, {"contrast": (0.5, NAN)}, "contrast must be"),
        (CameraConfig, {"jpeg_quality": (0.0, 90.0)}, r"jpeg_quality must be in \[1, 100\], lowest first"),
        (CameraConfig, {"soft_probability": 1.5}, r"soft_probability must be in \[0, 1\], got 1.5"),
        (CameraConfig, {"noise_probability": NAN}, r"noise_probability must be in \[0, 1\], got nan"),
        (FormationConfig, {"wide_radius": NAN}, "wide_radius must be above max_radius 6.0, got nan"),
        (FormationConfig, {"max_noise": -0.1}, r"max_noise must be in \[0, 1\], got -0.1"),
        (MultiscaleConfig, {"held_out_scenes": 0}, "held_out_scenes must be at least 1, got 0"),
        (StageConfig, {"steps": 1, "scene_views": -1}, "scene_views must not be negative, got -1"),
        (GateConfig, {"max_sigma": NAN}, "gate.max_sigma must be positive, got nan"),
        (SceneConfig, {"min_peak": 30.0}, r"min_peak must be in \(0, max_radius\], got 30.0"),
        (SceneConfig, {"plain_probability": 1.5}, r"plain_probability must be in \[0, 1\], got 1.5"),
        (SceneConfig, {"collage_probability": -0.1}, r"collage_probability must be in \[0, 1\], got -0.1"),
        (SceneConfig, {"read_noise": (0.0, 1.0)}, "read_noise must be positive, lowest first"),
        (SceneConfig, {"view_size": 0}, "view_size must be at least 1, got 0"),
        (
            SceneConfig,
            {"aperture_probabilities": (1.0,)},
            "aperture_probabilities must be 5 numbers of sum 1",
        ),
    ],
)
def test_bad_settings(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        kind(**settings)


def test_check_config_takes_tuples_for_lists():
    check_config({"a": [1, 2], "b": {}}, {"a": (1, 2), "b": {}})


def test_check_config_names_each_change():
    with pytest.raises(ConfigChangedError, match=r"\(a: 1 -> 2; b.c: 3 -> 'absent'; d: 'absent' -> 4\)"):
        check_config({"a": 1, "b": {"c": 3}, "e": 5}, {"a": 2, "d": 4, "e": 6}, ignored=frozenset({"e"}))


OLD = {
    "blur.depth_share": "blur.depth_fraction",
    "blur.optimiser.decay_share": "blur.optimiser.decay_fraction",
    "dense.scenes": "multiscale.training_scenes",
    "dense.held_out": "multiscale.held_out_scenes",
    "dense.optimiser.rate": "multiscale.optimiser.rate",
    "joint.scenes": "joint.scenes_per_step",
    "scenes": "network_scene_count",
    "scene.scenes": "multiscale_scene.scenes_per_batch",
    "network_scene.scenes": "network_scene.scenes_per_batch",
    "scene.faint_share": "multiscale_scene.camera.low_contrast_probability",
    "network_scene.jpeg_quality": "network_scene.camera.jpeg_quality",
    "network_scene.plain_background_share": "network_scene.plain_background_probability",
    "scene.aperture_shares": "multiscale_scene.aperture_probabilities",
    "scene.read_noise": "multiscale_scene.read_noise",
    "formation.soft_share": "formation.camera.soft_probability",
    "formation.contrast": "formation.camera.contrast",
    "formation.layer_sharp_share": "formation.layer_sharp_probability",
    "data.held_out_share": "data.held_out_fraction",
    "data.gate.max_clipped_share": "data.gate.max_clipped_fraction",
    "network.pyramid": None,
    "network.width": "network.width",
    "precision": "precision",
}


@pytest.mark.parametrize(("old", "new"), OLD.items())
def test_settings_of_older_versions_have_the_names_of_today(old, new):
    assert renamed.settings({old: 7}) == ({} if new is None else {new: 7})
    if new is not None:
        assert renamed.settings({new: 7}) == {new: 7}


def test_facts_of_older_versions_have_the_names_of_today():
    old = {
        "dense_steps": 3,
        "blur_steps": 4,
        "blur_validation": {"error_px_faint": 0.1, "error_px_jpeg": 0.2},
    }
    assert renamed.facts(old) == {
        "multiscale_steps": 3,
        "blur_steps": 4,
        "blur_validation": {"error_px_low_contrast": 0.1, "error_px_jpeg": 0.2},
    }


def test_the_folder_of_a_stage_begun_before_is_used_on(tmp_path):
    assert renamed.stage_folder(tmp_path, "multiscale") == tmp_path / "multiscale"
    (tmp_path / "dense").mkdir()
    assert renamed.stage_folder(tmp_path, "multiscale") == tmp_path / "dense"
    assert renamed.stage_folder(tmp_path, "blur") == tmp_path / "blur"
    (tmp_path / "multiscale").mkdir()
    assert renamed.stage_folder(tmp_path, "multiscale") == tmp_path / "multiscale"


def test_random_streams_keep_their_numbers():
    """They are part of every result."""
    assert [int(kind) for kind in Host] == [0, 1, 2, 3, 4, 5, 6]
    assert {kind.name: int(kind) for kind in Folded} == {
        "SCENE_VIEWS": 15_485_863,
        "SOFT_LENS": 32_452_843,
        "LOW_CONTRAST": 49_979_687,
    }
    assert {seed.name: int(seed) for seed in Seed} == {
        "STATISTICS": 7_919,
        "BLUR_VALIDATION": 104_729,
        "DEPTH_VALIDATION": 15_485_863,
    }
    expected = np.random.default_rng([5, 2, 1, 3, 4]).random(3)
    np.testing.assert_array_equal(host_rng(5, Host.SCENES, "held_out", 3, 4).random(3), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"network_scene_count": 0},
            "must be at least 1 with stages that cut 1 and 0 views from scenes, got 0",
        ),
        ({"network_scene_count": -1}, "network_scene_count must be at least 1"),
        (
            {"blur": StageConfig(steps=1), "edges": StageConfig(steps=1)},
            "network_scene_count must be 0 .* got 2048",
        ),
    ],
)
def test_scenes_and_their_views_go_together(changes, message):
    config = dataclasses.replace(default(DataConfig()), edges=StageConfig(steps=1))
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(config, **changes)
