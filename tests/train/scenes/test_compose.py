import dataclasses
import json

import cv2
import jax
import numpy as np
import pytest

from jaxblur.files import preview
from tests.train.tiny import write_photos
from train.camera import CameraConfig
from train.data.config import DataConfig
from train.data.gate import GateConfig
from train.scenes import layers
from train.scenes.compose import Shot, draw_scenes, draw_shots, form_scene, scene_source
from train.scenes.config import SceneConfig
from train.tools import sheet

CONFIG = SceneConfig(view_size=40, scenes_per_batch=3, max_radius=5.0, min_peak=2.0, slices=3)


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    write_photos(folder, 6)
    square = [60, 50, 100, 50, 100, 95, 60, 95]
    instances = [{"file": f"photo_{k}.png", "segmentation": [square]} for k in range(6)]
    (folder / "coco_instances.json").write_text(json.dumps({"instances": instances}))
    return DataConfig(photos=folder, gate=GateConfig(max_sigma=0.6), held_out_fraction=0.4, seed=3)


def same(first: Shot, second: Shot) -> bool:
    leaves = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    return all((np.asarray(a) == np.asarray(b)).all() for a, b in leaves)


def test_scenes_depend_on_seed_split_step_and_place_alone(data):
    source = scene_source(data, CONFIG)
    shots = draw_shots(source, CONFIG, 1)
    again = draw_shots(scene_source(data, CONFIG), CONFIG, 1)
    assert all(same(*pair) for pair in zip(shots, again, strict=True))
    others = [
        draw_shots(source, CONFIG, 2),
        draw_shots(source, CONFIG, 1, split="held_out"),
        draw_shots(scene_source(dataclasses.replace(data, seed=4), CONFIG), CONFIG, 1),
        shots[1:],
    ]
    for other in others:
        assert not any(same(*pair) for pair in zip(shots, other, strict=False))


def test_views_and_radii(data):
    source = scene_source(data, CONFIG)
    views, radius = draw_scenes(source, CONFIG, 0)
    assert views.shape == (3, 40, 40, 3) and radius.shape == (3, 40, 40)
    assert views.dtype == radius.dtype == np.float32
    assert np.isfinite(views).all() and 0 <= views.min() and views.max() <= 1
    assert (np.ptp(np.asarray(views), axis=(1, 2, 3)) > 0.05).all()
    assert 0 <= radius.min() and radius.max() <= CONFIG.max_radius
    shot = draw_shots(source, CONFIG, 0)[0]
    view, _ = form_scene(shot, config=CONFIG)
    np.testing.assert_allclose(view, views[0], atol=1 / 254)
    clean = shot.camera._replace(read=0 * shot.camera.read, shot=0 * shot.camera.shot)
    noisy = clean._replace(shot=0 * shot.camera.shot + 0.3)
    clean, noisy = (form_scene(shot._replace(camera=camera), config=CONFIG)[0] for camera in (clean, noisy))
    assert np.abs(clean - noisy).mean() > 0.02


def test_nearer_layers_are_nearer_and_peaks_in_range(data):
    """Signed circles of confusion fall from layer to layer wherever the nearer one covers the other."""
    source = scene_source(data, CONFIG)
    place = (np.arange(-CONFIG.margin, 40 + CONFIG.margin) - 19.5) / 20
    slanted, behind_focus, peaks = 0, 0, []
    for step in range(6):
        for shot in draw_shots(source, CONFIG, step):
            middle, down, right = np.moveaxis(np.asarray(shot.planes, np.float64), 1, 0)[..., None, None]
            signed = middle + down * place[:, None] + right * place
            front = signed[0]
            for own, alpha in zip(signed[1:], np.asarray(shot.alphas[1:]), strict=True):
                assert (own <= front + 1e-4)[alpha > 0].all()
                front = np.where(alpha > 0, own, front)
            inner = front[CONFIG.margin : -CONFIG.margin, CONFIG.margin : -CONFIG.margin]
            peaks.append(np.abs(inner).max())
            behind_focus += inner.min() < -0.1 < 0.1 < inner.max()
            slanted += bool(np.abs(shot.planes[:, 1:]).max() > 0)
    assert max(peaks) <= CONFIG.max_radius + 1e-4 and np.median(peaks) >= CONFIG.min_peak - 1e-4
    assert 0 < slanted and 0 < behind_focus < len(peaks)


def test_the_held_out_split_shows_held_out_photos_alone(data):
    """Photos of one grey each, told apart by it."""
    config = dataclasses.replace(
        CONFIG, plain_probability=0.0, plain_background_probability=0.0, collage_probability=0.0
    )
    colours = {}
    for number in range(6):
        path = data.photos / f"photo_{number}.png"
        photo = cv2.imread(str(path))
        photo[..., 0] = 40 * number  # blue tells the photo
        cv2.imwrite(str(path), photo)
        colours[path.name] = 40 * number
    data = dataclasses.replace(data, recolour_probability=0.0, grey_probability=0.0)
    source = scene_source(data, config)
    for split in ("train", "held_out"):
        own = {colours[name] for name in source.photo_names(split)}
        seen = {
            int(value)
            for step in range(2)
            for shot in draw_shots(source, config, step, split=split)
            for image, alpha in zip(np.asarray(shot.images), np.asarray(shot.alphas), strict=True)
            if alpha.any()
            for value in np.unique(image[..., 2])
        }
        assert seen <= own


def test_an_object_that_its_crop_cuts_lies_at_the_border(rng):
    image = rng.integers(0, 255, (20, 20, 3)).astype(np.uint8)
    alpha = np.zeros((20, 20), np.uint8)
    alpha[12:, 5:9] = 255  # cut below
    for _ in range(10):
        shown, placed = layers.placed(rng, image, alpha, 50)
        assert shown.shape == (50, 50, 3) and placed.shape == (50, 50)
        assert placed[-1].any() and not placed[:40].any() and not placed[:, [0, -1]].any()
    alpha[:, 5:9] = 255  # cut above and below
    _, placed = layers.placed(rng, image, alpha, 50)
    assert (placed.max(1) == 255).all() and (placed > 0).sum() == 4 * 50
    alpha = np.zeros((20, 20), np.uint8)
    alpha[5:15, 5:15] = 255
    areas = {int((layers.placed(rng, image, alpha, 50)[1] > 127).sum()) for _ in range(20)}
    assert 100 in areas and min(areas) < 60  # as it is, or reduced


def test_outlines_and_plain_layers(rng):
    image = rng.integers(0, 255, (20, 20, 3)).astype(np.uint8)
    covered = [layers.random_outline(rng, 60).mean() / 255 for _ in range(20)]
    assert 0 < min(covered) and max(covered) < 0.95 and len(set(covered)) == 20
    for _ in range(10):
        plain = layers.plain(rng, image, 60).astype(int)
        assert plain.shape == (60, 60, 3)
        assert max(np.abs(np.diff(plain, axis=axis)).max() for axis in (0, 1)) <= 5
    mirrored = layers.mirrored(image, 3)
    np.testing.assert_array_equal(mirrored[3:-3, 3:-3], image)
    np.testing.assert_array_equal(mirrored[:3, 3:-3], image[2::-1])


@pytest.mark.parametrize("plain", [0.0, 1.0])
def test_collages_show_other_photos_on_the_same_planes(data, rng, plain):
    without = dataclasses.replace(
        CONFIG, collage_probability=0.0, plain_probability=plain, plain_background_probability=plain
    )
    both = dataclasses.replace(without, collage_probability=1.0)
    source = scene_source(data, CONFIG)
    for plain_shot, shot in zip(draw_shots(source, without, 0), draw_shots(source, both, 0), strict=True):
        assert same(plain_shot._replace(images=shot.images), shot)
        for plain_layer, layer, alpha in zip(plain_shot.images, shot.images, shot.alphas, strict=True):
            assert (plain_layer != layer).any() == alpha.any()
    photo, other = (np.full((40, 40, 3), value, np.uint8) for value in (10, 200))
    for _ in range(10):
        made = layers.collage(rng, photo, [other])
        assert made.shape == photo.shape and made.dtype == np.uint8
        assert {10, 200} <= set(np.unique(made)) and (made >= 10).all() and (made <= 200).all()
    assert (photo == 10).all()


def test_scenes_of_low_contrast_are_the_same_otherwise(data):
    quiet = dict.fromkeys(("soften_probability", "sharpen_probability", "quantise_probability"), 0.0)
    camera = CameraConfig(
        soft_probability=0.4, linear_probability=0.0, noise_probability=0.0, jpeg_probability=0.0
    )
    config = dataclasses.replace(CONFIG, camera=camera, **quiet)
    low_contrast = dataclasses.replace(camera, low_contrast_probability=1.0, contrast=(0.2, 0.4))
    dim = dataclasses.replace(config, camera=low_contrast)
    source = scene_source(data, config)
    for shot, other in zip(draw_shots(source, config, 0), draw_shots(source, dim, 0), strict=True):
        assert same(shot, other._replace(camera=shot.camera))
        black, white = (float(tone) for tone in (other.camera.black, other.camera.white))
        assert 0 <= black < white <= 1 and 0.2 <= white - black <= 0.4
        assert same(shot.camera, other.camera._replace(black=shot.camera.black, white=shot.camera.white))
        (view, radius), (low, low_radius) = form_scene(shot, config=config), form_scene(other, config=dim)
        np.testing.assert_allclose(low, black + (white - black) * view, atol=1e-5)
        np.testing.assert_array_equal(radius, low_radius)


def test_sheet_of_scenes(rng):
    examples = jax.tree.map(np.asarray, (rng.random((3, 50, 50, 3)), np.full((3, 50, 50), 4.0)))
    picture = sheet.draw_scene_sheet(sheet.compose.Scenes(*examples), columns=2)
    views, radius, edge = *examples, 16
    assert picture.dtype == np.uint8 and picture.shape[0] == 2 * edge + 2 * 100 + 10
    bar = picture[edge:-edge, -preview.SCALE_WIDTH]
    np.testing.assert_array_equal(bar[[0, -1]], preview.colour_map(np.float32([preview.MAX_RADIUS, 0])))
    for i, (top, left) in enumerate([(0, 0), (0, 60), (110, 0)]):
        cell = picture[edge + top :, edge + left :][:100, :50]
        np.testing.assert_array_equal(cell[:50], np.rint(views[i] * 255))
        np.testing.assert_array_equal(cell[50:], preview.colour_map(radius[i]))
    assert (picture[edge + 110 : edge + 210, edge + 60 : edge + 110] == 255).all()  # no fourth scene
