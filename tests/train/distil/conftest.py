"""Few views of each kind."""

import pytest

from train.distil import views


@pytest.fixture(autouse=True)
def few_views(monkeypatch):
    """The number of views of a file, taught and labelled, by kind."""
    counts = {
        "taught": {"blurred": 4, "layers": 2, "scenes": 2, "photos": 2},
        "labelled": {"blurred": 4, "layers": 2, "scenes": 2, "photos": 0},
    }
    monkeypatch.setattr(views, "TAUGHT", counts["taught"])
    monkeypatch.setattr(views, "LABELLED", counts["labelled"])
    return counts


@pytest.fixture(scope="session")
def sources(config, large_scenes):
    """Where views come from."""
    return views.open_sources(config, large_scenes)


@pytest.fixture(scope="session")
def large_scenes(config, tmp_path_factory):
    """Composed scenes that views can be cut from."""
    import dataclasses

    from train.scenes.compose import scene_source
    from train.scenes.views import SceneViews

    scene = dataclasses.replace(config.network_scene, view_size=96)
    return SceneViews(tmp_path_factory.mktemp("large"), scene_source(config.data, scene), scene, count=2)
