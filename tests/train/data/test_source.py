import dataclasses
import hashlib
import json
import logging

import cv2
import numpy as np
import pytest

from train.data.gate import GateConfig
from train.data.source import DataConfig, open_source, split_by_name


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def with_outlines(config):
    square = [20, 15, 55, 15, 55, 45, 20, 45]
    instances = [
        {"file": f"{'a' if k < 5 else 'b'}/photo_{k}.png", "segmentation": [square]} for k in range(10)
    ]
    (config.photos / "coco_instances.json").write_text(json.dumps({"instances": instances}))
    return dataclasses.replace(config, outline_probability=1.0)


def test_shapes_and_types(config):
    source = open_source(config)
    contents, layers = source.contents(0), source.layers(0, split="held_out")
    assert {name: (array.shape, array.dtype) for name, array in contents.items()} == {
        "content": ((4, 24, 24, 3), np.uint8)
    }
    assert {name: (array.shape, array.dtype) for name, array in layers.items()} == {
        "foreground": ((4, 24, 24, 3), np.uint8),
        "background": ((4, 24, 24, 3), np.uint8),
        "alpha": ((4, 24, 24), np.uint8),
    }


@pytest.mark.parametrize("kind", ["contents", "layers"])
def test_a_batch_depends_on_the_step_alone(config, kind):
    config = with_outlines(config)
    first, second = getattr(open_source(config), kind), getattr(open_source(config), kind)
    expected = [first(step) for step in range(3)]
    for step in (2, 0, 1):  # random access, another object, another order
        assert_same(second(step), expected[step])
    name = next(iter(expected[0]))
    assert not (expected[0][name] == expected[1][name]).all()
    assert not (expected[0][name] == first(0, split="held_out")[name]).all()
    other_seed = getattr(open_source(dataclasses.replace(config, seed=4)), kind)
    assert not (expected[0][name] == other_seed(0)[name]).all()


@pytest.mark.parametrize("kind", ["contents", "layers"])
def test_parts_of_the_processes_make_up_the_same_batch(config, kind):
    make = getattr(open_source(config), kind)
    whole = make(7)
    parts = [make(7, process_index=index, process_count=4) for index in range(4)]
    assert_same({name: np.concatenate([part[name] for part in parts]) for name in whole}, whole)


def test_validation_does_not_depend_on_the_seed_and_batches_of_a_run(config):
    other = dataclasses.replace(config, seed=9, contents_per_batch=2, crop_size=20)
    one, two = (open_source(each).for_validation(16) for each in (config, other))
    for kind in ("contents", "layers"):
        first, second = (getattr(source, kind)(1, split="held_out") for source in (one, two))
        assert_same(first, second)
        assert next(iter(first.values())).shape[:3] == (8, 16, 16)


def test_crops_come_from_photos_of_their_split_only(photos, config):
    # Each photo's colour says which one it is.
    for number, path in enumerate(sorted(photos.rglob("*.png"))):
        image = np.where(cv2.imread(str(path))[..., :1] > 120, 200, 100).astype(np.uint8)
        cv2.imwrite(str(path), np.concatenate([image, image, np.full_like(image, 20 * number)], axis=-1))
    config = dataclasses.replace(
        config, held_out_fraction=0.4, recolour_probability=0.0, grey_probability=0.0
    )
    source = open_source(config)
    names = [path.relative_to(photos).as_posix() for path in sorted(photos.rglob("*.png"))]
    seen = {}
    for split in ("train", "held_out"):
        numbers = (
            np.concatenate([source.contents(step, split=split)["content"][..., 0] for step in range(10)]) / 20
        )
        seen[split] = {names[int(number)] for number in np.unique(numbers)}
        assert seen[split] == set(source.photo_names(split))
        layers = source.layers(0, split=split)
        for layer in ("foreground", "background"):
            assert {names[int(number)] for number in np.unique(layers[layer][..., 0] / 20)} <= seen[split]
        assert (
            layers["foreground"][:, 0, 0, 0] != layers["background"][:, 0, 0, 0]
        ).all()  # never the same photo
    assert not seen["train"] & seen["held_out"]


def test_splits_follow_the_hash_of_the_file_name():
    names = [f"folder/photo_{number}.jpg" for number in range(400)]
    split = split_by_name(names, 0.12)
    expected = [
        int.from_bytes(hashlib.sha256(f"photo_{k}.jpg".encode()).digest()[:8], "big") < 0.12 * 2**64
        for k in range(400)
    ]
    np.testing.assert_array_equal(split["held_out"], np.flatnonzero(expected))
    np.testing.assert_array_equal(split["train"], np.flatnonzero(~np.array(expected)))
    assert 25 < len(split["held_out"]) < 75


@pytest.mark.parametrize("fraction", [1e-9, 1 - 1e-9])
def test_neither_split_is_empty(fraction):
    split = split_by_name(["a.jpg", "b.jpg", "c.jpg"], fraction)
    assert sorted([len(split["train"]), len(split["held_out"])]) == [1, 2]
    assert sorted([*split["train"], *split["held_out"]]) == [0, 1, 2]


def test_objects_lose_their_old_surroundings(photos, config):
    # Green outside the outline, red and black stripes inside: no green may be left in the layer.
    for path in photos.rglob("*.png"):
        image = np.full((60, 80, 3), (0, 180, 0), np.uint8)
        image[15:45, 20:55] = np.where(np.arange(35) // 5 % 2, 30, 200)[None, :, None] * np.array([0, 0, 1])
        cv2.imwrite(str(path), image)
    gate = GateConfig(max_sigma=0.9, max_clipped_fraction=1.0)
    config = dataclasses.replace(
        with_outlines(config), recolour_probability=0.0, grey_probability=0.0, gate=gate
    )
    source = open_source(config)
    assert source.num_outlines("train") + source.num_outlines("held_out") == 10
    layers = source.layers(1)
    assert layers["foreground"][..., 1].max() == 0
    covered = layers["alpha"].mean(axis=(1, 2)) / 255
    assert ((covered > 0.04) & (covered < 0.96)).all()


def test_licences_are_counted(photos, config):
    (photos / "photos.csv").write_text("file,licence\na/photo_0.png,CC BY 2.0\na/photo_1.png,CC BY 2.0\n")
    assert open_source(config).licences() == {"unknown": 8, "CC BY 2.0": 2}


def test_unreadable_and_small_photos_are_passed_over(photos, config, caplog):
    (photos / "broken.jpg").write_bytes(b"nothing")
    cv2.imwrite(str(photos / "small.png"), np.zeros((23, 99, 3), np.uint8))
    with caplog.at_level(logging.WARNING):
        source = open_source(config)
        for step in range(10):
            source.contents(step)
            source.contents(step, split="held_out")
    assert [record.getMessage() for record in caplog.records] == ["skipping broken.jpg: not a readable image"]


def test_photos_too_small_are_refused_in_one_line(config):
    with pytest.raises(
        ValueError,
        match=r"none of 1000 crops .* can be used \(crop size 61 px\): 1000 smaller than the crop$",
    ):
        open_source(dataclasses.replace(config, crop_size=61))


def test_photos_all_rejected_by_the_gate_are_refused_in_one_line(photos, config):
    for path in photos.rglob("*.png"):
        cv2.imwrite(str(path), cv2.GaussianBlur(cv2.imread(str(path)), (0, 0), 2.5))
    with pytest.raises(ValueError, match=r"photo folder .*: none of 1000 crops .*blurred"):
        open_source(config)


def test_missing_photos_are_refused(tmp_path, config):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        open_source(dataclasses.replace(config, photos=tmp_path / "gone"))
    with pytest.raises(ValueError, match="name either a photo folder"):
        open_source(dataclasses.replace(config, photos=None))


def test_one_photo_cannot_be_split(photos, config):
    for path in sorted(photos.rglob("*.png"))[1:]:
        path.unlink()
    with pytest.raises(ValueError, match="must have at least two photos, one of them to be held out, got 1"):
        open_source(config)


def test_arguments_of_a_batch_are_checked(config):
    source = open_source(config)
    with pytest.raises(
        ValueError, match="contents_per_batch must be a multiple of the number of processes 3, got 4"
    ):
        source.contents(0, process_count=3)
    with pytest.raises(ValueError, match=r"process_index must be in \[0, 2\), got 2"):
        source.contents(0, process_index=2, process_count=2)
    with pytest.raises(ValueError, match="step must not be negative, got -1"):
        source.layers(-1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("crop_size", 0),
        ("contents_per_batch", 0),
        ("scale_range", (0.5, 1.5)),
        ("held_out_fraction", 0.0),
        ("grey_probability", 1.5),
        ("seed", -1),
    ],
)
def test_configurations_are_checked(field, value):
    with pytest.raises(ValueError, match=f"{field} must"):
        DataConfig(**{field: value})


def test_the_reference_photos_give_sharp_batches(shared):
    source = open_source(DataConfig(photos=shared / "photos", contents_per_batch=4))
    assert source.num_outlines("train") > 500
    assert sum(source.licences().values()) == 186
    assert source.contents(0)["content"].shape == (4, 112, 112, 3)
