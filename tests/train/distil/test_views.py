import dataclasses

import jax
import numpy as np
import pytest

from tests.jaxblur.tiny import TINY, make_weights
from train.distil import views
from train.distil.points import PointSource
from train.distil.stage import from_teacher


@pytest.fixture(scope="module")
def teacher():
    return make_weights(dataclasses.replace(TINY, level_head="ordinal"), gain=2.0)


def test_a_file_is_made_once_and_of_its_number_alone(config, sources, teacher, tmp_path):
    first = views.keep_views(tmp_path, sources, config, teacher, files=2)
    kept = [path.read_bytes() for path in first]
    first[0].unlink()
    again = views.keep_views(tmp_path, sources, config, teacher, files=2)
    assert again == first and [path.read_bytes() for path in again] == kept and kept[0] != kept[1]
    other = views.keep_views(tmp_path, sources, config, None, files=1)
    assert other[0].parent != first[0].parent


def test_what_is_known_of_the_points_of_each_kind(config, sources, teacher, few_views):
    made = views.make_views(sources, config, teacher, 0, split="train")
    kinds = np.repeat(list(few_views["taught"]), list(few_views["taught"].values()))
    assert made.view.shape == (len(kinds), views.VIEW, views.VIEW, 3) and made.view.dtype == np.uint8
    assert made.valid.any(1).all()
    known = {
        "levels": {"blurred", "layers", "scenes", "photos"},
        "depth": {"layers", "scenes", "photos"},
        "radius": {"blurred", "scenes"},
        "label": {"blurred", "layers", "scenes"},
    }
    assert np.isfinite(made.levels).all()
    for name in ("depth", "radius"):
        finite = np.isfinite(getattr(made, name))
        assert (finite.all(1) == np.isin(kinds, list(known[name]))).all() and (
            finite.any(1) == finite.all(1)
        ).all()
    assert (made.label[kinds == "photos"] == -1).all() and (made.label[kinds == "blurred"] == 0).all()

    labelled = views.make_views(sources, config, None, 0, split="train")
    assert not np.isfinite(labelled.levels).any() and not np.isfinite(labelled.depth).any()
    assert len(labelled.view) == sum(few_views["labelled"].values())


def test_the_teacher_says_what_it_says_of_patches(config, sources, teacher, tmp_path):
    paths = views.keep_views(tmp_path, sources, config, teacher, files=1)
    source = PointSource(paths, teacher.network)
    examples = source.take(np.arange(len(source)))
    figures = from_teacher(teacher.variables, teacher.network, examples)
    assert figures["from_teacher_px"] < 5e-3 and figures["depth_from_teacher"] < 2e-3  # 8 bits, and float16
    other = jax.tree.map(lambda leaf: 0.5 * leaf, teacher.variables)
    assert from_teacher(other, teacher.network, examples)["from_teacher_px"] > 0.05


def test_points_are_drawn_by_the_generator_and_turned(config, sources, tmp_path):
    source = PointSource(views.keep_views(tmp_path, sources, config, None, files=1), config.network)
    one, other, third = (source.draw(np.random.default_rng(seed), 16) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.patch, other.patch)
    assert (one.patch != third.patch).any()
    size = config.network.patch_size
    assert one.patch.shape == (16, size, size, 3) and one.radius.shape == (16,)
    assert np.isfinite(one.radius).any() and not np.isfinite(one.levels).any()


def test_views_without_an_edge_are_refused(config, sources, tmp_path):
    (path,) = views.keep_views(tmp_path, sources, config, None, files=1)
    made = dict(np.load(path))
    np.savez(path, **{**made, "valid": np.zeros_like(made["valid"])})
    with pytest.raises(ValueError, match="the views have no edge points to learn from"):
        PointSource([path], config.network)
