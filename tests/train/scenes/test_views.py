import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from train import run
from train.prepare import prepare
from train.scenes import views as module
from train.scenes.compose import draw_scenes, scene_source
from train.scenes.views import SceneViews
from train.stages import composites, samples

SIZE = 24  # of the views; the scenes of 96 px have two scales


@pytest.fixture(scope="module")
def data(config):
    scene = dataclasses.replace(config.network_scene, view_size=96)
    return scene_source(config.data, scene), scene


@pytest.fixture(scope="module")
def views(data, tmp_path_factory):
    return SceneViews(tmp_path_factory.mktemp("scenes"), *data, count=8)


def turns(image):
    for mirrored in (image, image[:, ::-1]):
        for quarters in range(4):
            yield np.rot90(mirrored, quarters)


def found_in(part, whole):
    """Whether any turn of the square `part` is a window of `whole`."""
    windows = np.lib.stride_tricks.sliding_window_view(whole, part.shape)
    return any((np.abs(windows - turn) < 1e-6).all((-1, -2)).any() for turn in turns(part))


def test_views_are_parts_of_scenes_at_their_scales(data, views):
    """Searched for by brute force in the scenes as they are drawn, and in their means of 2x2 pixels."""
    drawn, radii = draw_scenes(data[0], data[1], module._FIRST)
    green = np.rint(np.asarray(drawn)[..., 1] * 255).astype(np.float32) / 255
    radii = np.asarray(radii).astype(np.float16).astype(np.float32)
    halves = green.reshape(8, 48, 2, 48, 2).mean((2, 4))
    cut = views.cut(3, 5, count=12, size=SIZE)
    assert cut["scene_view"].shape == (12, SIZE, SIZE, 3) and cut["scene_radius"].shape == (12, SIZE, SIZE)
    scales = []
    for view, radius in zip(cut["scene_view"][..., 1], cut["scene_radius"], strict=True):
        own = [k for k in range(8) if found_in(view, green[k])]
        half = [k for k in range(8) if found_in(view, halves[k])]
        assert len(own) + len(half) == 1
        scales.append(len(half))
        whole = radii[own[0]] if own else radii[half[0]][1::2, 1::2] / 2
        assert found_in(radius, whole)
    assert 0 < sum(scales) < 12


def test_views_depend_on_seed_split_step_and_place_alone(data, views, tmp_path):
    cut = views.cut(3, 5, count=2, size=SIZE)["scene_view"]
    again = SceneViews(tmp_path, *data, count=8)
    np.testing.assert_array_equal(cut, again.cut(3, 5, count=2, size=SIZE)["scene_view"])
    held_out = SceneViews(tmp_path, *data, count=8, split="held_out")
    for other in (views.cut(4, 5, count=2, size=SIZE), views.cut(3, 6, count=2, size=SIZE)):
        assert not np.array_equal(cut, other["scene_view"])
    assert not np.array_equal(cut, held_out.cut(3, 5, count=2, size=SIZE)["scene_view"])


def test_scenes_on_disk_are_not_composed_again(data, tmp_path, monkeypatch):
    first = SceneViews(tmp_path, *data, count=8).cut(0, 0, count=1, size=SIZE)
    monkeypatch.setattr(module, "draw_scenes", None)
    second = SceneViews(tmp_path, *data, count=8).cut(0, 0, count=1, size=SIZE)
    np.testing.assert_array_equal(first["scene_view"], second["scene_view"])


def test_whole_scenes_are_drawn_by_step_and_place(views):
    every = [views.scene(number)["radius"] for number in range(len(views))]
    drawn = views.whole(2, range(40))
    assert drawn["view"].shape == (40, 96, 96, 3) and drawn["view"].dtype == np.uint8
    numbers = [next(k for k in range(8) if np.array_equal(every[k], one)) for one in drawn["radius"]]
    assert len(set(numbers)) > 4
    np.testing.assert_array_equal(views.whole(2, range(5, 7))["radius"], drawn["radius"][5:7])


def test_views_larger_than_scenes_are_refused(views):
    with pytest.raises(ValueError, match="views of 97 px cannot be cut from scenes of 96 px"):
        views.cut(0, 0, count=1, size=97)


def test_the_label_of_a_point_is_the_radius_of_its_pixel(rng):
    views = rng.random((1, 2, 40, 40, 3)).astype(np.float32)
    radius = rng.random((1, 2, 40, 40)).astype(np.float32)
    scene = jnp.asarray(views), jnp.asarray(radius)
    examples = jax.jit(lambda keys: samples.scene_examples(keys, *scene, points=8, margin=10))(
        jax.random.split(jax.random.key(0), 1)
    )
    assert examples.points.valid.all() and examples.radius.shape == (2, 8)
    for view in range(2):
        row, col = np.asarray(examples.points.points[view]).T + 10
        np.testing.assert_array_equal(examples.radius[view], radius[0, view, row, col])


def test_networks_have_scenes_of_their_own(config, tmp_path, monkeypatch):
    own = dataclasses.replace(config.network_scene, collage_probability=0.5)
    made = []
    monkeypatch.setattr(
        SceneViews, "__init__", lambda self, folder, source, scene, **kwargs: made.append(scene)
    )
    plan = prepare(
        dataclasses.replace(config, network_scene=own), tmp_path, ("blur",), allow_config_change=False
    )
    run._network_scenes(plan)
    assert made == [own] * 2


def test_step_labels_by_the_true_radius():
    radius = np.full((30, 40), 1.0, np.float32)
    radius[:, 20:] = 2.0  # steps by 1 px at column 20
    labels = np.asarray(composites.step_labels(jnp.asarray(radius)))
    np.testing.assert_array_equal(np.flatnonzero(labels[15] == 1), [19, 20, 21])
    np.testing.assert_array_equal(np.flatnonzero(labels[15] == -1), [*range(13, 19), *range(22, 28)])
    radius[:, 20:] = 1.5  # neither a depth edge nor none
    labels = np.asarray(composites.step_labels(jnp.asarray(radius)))
    assert set(labels[15]) == {-1, 0} and (labels[15] == -1).sum() == 15
    slanted = np.linspace(0, 6, 40, dtype=np.float32)[None].repeat(30, 0)
    sharp = np.where(np.arange(40) < 20, 0.1, 0.5).astype(np.float32)[None].repeat(30, 0)
    for smooth in (slanted, sharp):
        assert not np.asarray(composites.step_labels(jnp.asarray(smooth))).any()


def test_depth_edges_of_scenes_come_first_and_are_labelled_so(rng):
    views = rng.random((1, 2, 40, 40, 3)).astype(np.float32)
    radius = np.full((1, 2, 40, 40), 1.0, np.float32)
    radius[0, 1, :, 20:] = 4.0
    scene = jnp.asarray(views), jnp.asarray(radius)
    examples = jax.jit(
        lambda keys: composites.scene_depth_examples(keys, *scene, points=20, depth_fraction=0.25, margin=10)
    )(jax.random.split(jax.random.key(0), 1))
    labels, valid = np.asarray(examples.label), np.asarray(examples.points.valid)
    np.testing.assert_array_equal(labels, [[1] * 5 + [0] * 15] * 2)
    assert not valid[0, :5].any() and valid[1, :5].all() and valid[:, 5:].any(1).all()
    for view in range(2):
        col = np.asarray(examples.points.points[view])[:, 1] + 10
        if view:
            assert np.isin(col[:5], [19, 20, 21]).all()
            assert not np.isin(col[5:][valid[view, 5:]], range(13, 28)).any()
