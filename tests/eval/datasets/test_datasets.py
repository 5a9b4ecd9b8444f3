"""Each data set on a tiny folder made by code: pairs, units, masks, broken pairs, missing files, no
TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io

from eval.datasets import NAMES, DatasetOptions, MissingDataset, check_options, load_dataset
from eval.datasets.base import reduce_sample

ROOT = Path(__file__).resolve().parents[3]


def _open(name, folder, tmp_path, **options):
    if name in ("folder", "syndof"):
        options.setdefault("unit", "radius")
    return load_dataset(name, folder, DatasetOptions(**options), prepared=tmp_path / "prepared")


@pytest.mark.parametrize("name", NAMES)
def test_every_set_reads_its_dummy(name, tmp_path, make_dummy):
    folder = make_dummy(name)
    dataset = _open(name, folder, tmp_path, **({"count": 2} if name == "composed" else {}))
    assert len(dataset.names) == (5 if name == "stack" else 2)
    for index, expected in enumerate(dataset.names):
        sample = dataset.read(index)
        assert sample.name == expected and sample.problem == ""
        assert sample.image.dtype == np.uint8 and sample.image.shape == (*sample.truth.shape, 3)
        assert sample.truth.dtype == np.float32 and sample.scale == 1
    assert dataset.about["source"] and dataset.about["licence"]
    if dataset.unit == "mask":
        assert set(np.unique(dataset.read(0).truth)) == {0, 1}


def test_rtf_loses_its_right_columns_and_keeps_its_radius(tmp_path, make_dummy):
    folder = make_dummy("rtf")
    dataset = _open("rtf", folder, tmp_path)
    truth = scipy.io.loadmat(folder / "map_01.mat")["blurMap"]
    assert (dataset.unit, dataset.protocol) == ("radius", "dmenet")
    np.testing.assert_allclose(dataset.read(0).truth, truth[:, :-20])
    photo = cv2.imread(str(folder / "image_01.png"))[..., ::-1]
    np.testing.assert_array_equal(dataset.read(0).image, photo[:, :-20])


def test_cuhk_splits_by_number_and_leaves_motion_blur_out(tmp_path, make_dummy):
    folder = make_dummy("cuhk")
    assert _open("cuhk", folder, tmp_path).names == ["out_of_focus0605", "out_of_focus0704"]
    assert _open("cuhk", folder, tmp_path, split="train").names == ["out_of_focus0604"]


def test_polarity_of_masks(tmp_path, make_dummy):
    for name, blurred_is_white in (("cuhk", True), ("dut", False)):
        folder = make_dummy(name, name)
        own = _open(name, folder, tmp_path)
        mask = folder / ("gt" if name == "cuhk" else "test/gt") / f"{own.names[0]}.png"
        white = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) > 127
        np.testing.assert_array_equal(own.read(0).truth == 1, white == blurred_is_white)
        other = _open(name, folder, tmp_path, white="sharp" if blurred_is_white else "blurred")
        np.testing.assert_array_equal(other.read(0).truth, 1 - own.read(0).truth)
        assert other.version != own.version


def test_pixel4_is_reduced_as_its_protocol_says(tmp_path, make_dummy):
    folder = make_dummy("pixel4")
    sample = _open("pixel4", folder, tmp_path, reduce=3).read(0)
    photo = cv2.imread(str(folder / "scene_02.png"), cv2.IMREAD_UNCHANGED)
    size = (photo.shape[1] // 3, photo.shape[0] // 3)
    expected = cv2.resize(photo.astype(np.float64), size, interpolation=cv2.INTER_AREA) / 257
    np.testing.assert_allclose(sample.image[..., 0], expected, atol=0.51)
    sigma = np.load(folder / "scene_02.npz")["sigma"]
    np.testing.assert_allclose(sample.truth * sample.scale, sigma[1::3, 1::3], rtol=1e-6)
    assert np.isnan(sample.truth).any() and sample.scale == 3


def test_reducing_keeps_constants_and_drops_what_fills_no_block():
    image, truth = np.full((7, 9, 3), 40 * 257, np.uint16), np.arange(63, dtype=np.float32).reshape(7, 9)
    sample = reduce_sample("a", image, truth, 2)
    assert sample.image.shape == (3, 4, 3) and (sample.image == 40).all()
    np.testing.assert_array_equal(sample.truth, truth[1:6:2, 1:8:2])


def test_folder_units_scales_and_formats(tmp_path, make_dummy):
    folder = make_dummy("folder")
    dataset = _open("folder", folder, tmp_path, unit="sigma", map_scale=0.1)
    assert dataset.unit == "sigma"
    stored = np.load(folder / "map" / "a.npy")
    np.testing.assert_allclose(dataset.read(0).truth, stored * 0.1, rtol=1e-6)
    np.testing.assert_allclose(
        dataset.read(1).truth, cv2.imread(str(folder / "map" / "b.png"), -1) * 0.1, rtol=1e-6
    )


def test_broken_pairs_are_told_not_lost(tmp_path, make_dummy):
    folder = make_dummy("folder")
    for stem in "cdef":
        cv2.imwrite(str(folder / "image" / f"{stem}.png"), np.zeros((8, 8, 3), np.uint8))
    np.save(folder / "map" / "c.npy", np.ones((8, 9), np.float32))
    (folder / "image" / "g.png").write_text("nonsense")
    np.save(folder / "map" / "g.npy", np.ones((8, 8), np.float32))
    (folder / "map" / "d.npy").write_bytes(b"nonsense")
    np.save(folder / "map" / "e.npy", np.full((8, 8), np.nan, np.float32))
    np.save(folder / "map" / "z.npy", np.ones((8, 8), np.float32))
    dataset = _open("folder", folder, tmp_path)
    problems = {name: dataset.read(i).problem for i, name in enumerate(dataset.names)}
    assert problems["a"] == problems["b"] == ""
    assert problems["c"] == "c.npy: is 9x8 px, but its photo is 8x8 px"
    assert problems["d"].startswith("d.npy: damaged")
    assert problems["e"] == "e.npy: knows the truth of no pixel"
    assert problems["f"] == "f.png: has no ground truth of the same name"
    assert problems["z"] == "z.npy: has no photo of the same name"
    assert problems["g"].startswith("g.png: not a picture")  # without its folder


def test_the_version_follows_the_files(tmp_path, make_dummy):
    folder = make_dummy("folder")
    before = _open("folder", folder, tmp_path)
    assert _open("folder", folder, tmp_path).version == before.version
    np.save(folder / "map" / "a.npy", np.full((20, 24), 2, np.float32))
    after = _open("folder", folder, tmp_path)
    assert after.version != before.version
    assert (after.read(0).truth == 2).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_set_says_where_to_get_it_in_one_line(name, tmp_path):
    with pytest.raises(MissingDataset) as caught:
        _open(name, tmp_path / "nowhere", tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{name}: ") and "nowhere" in message and "\n" not in message


def test_composed_photos_are_fixed_by_seed_and_exact(tmp_path, make_dummy):
    folder = make_dummy("composed")
    first, again = _open("composed", folder, tmp_path, count=2), _open("composed", folder, tmp_path, count=2)
    np.testing.assert_array_equal(first.read(1).image, again.read(1).image)
    other = _open("composed", folder, tmp_path, count=2, seed=1)
    assert (other.read(1).truth != first.read(1).truth).any() and other.version != first.version
    radii = np.unique(first.read(0).truth)
    assert 1 <= len(radii) <= 3 and radii.min() >= 0.5 and radii.max() <= 6


def test_reading_a_set_never_imports_tensorflow(tmp_path, make_dummy):
    folder = make_dummy("folder")
    code = (
        "import sys; from pathlib import Path; from eval.datasets import *; "
        f"d = load_dataset('folder', Path({str(folder)!r}), DatasetOptions(unit='radius'), "
        f"prepared=Path({str(tmp_path)!r})); "
        "assert d.read(0).problem == '', d.read(0).problem; assert 'tensorflow' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=120)


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="reduce must be at least 1, got 0"):
        DatasetOptions(reduce=0)
    with pytest.raises(ValueError, match="map_scale must be positive and finite, got 0.0"):
        DatasetOptions(map_scale=0.0)
    with pytest.raises(ValueError, match="data set must be one of rtf, .*, got 'nyu'"):
        load_dataset("nyu", Path("."), DatasetOptions())
    with pytest.raises(ValueError, match="folder: state what its maps hold, with --unit"):
        load_dataset("folder", Path("."), DatasetOptions())
    for name, options in (("composed", {"reduce": 2}), ("stack", {"split": "train"})):
        with pytest.raises(ValueError, match=f"{name}: has one size and one split"):
            load_dataset(name, Path("."), DatasetOptions(**options))


@pytest.mark.parametrize(("old", "new"), [("scenes", "pixel4"), ("photos", "composed")])
def test_old_names_lead_to_the_new_ones(old, new):
    with pytest.raises(ValueError, match=f"^the data set {old} is called {new} now$"):
        load_dataset(old, Path("."), DatasetOptions())


def test_options_that_no_set_takes_are_refused():
    check_options(DatasetOptions(unit="sigma", white="sharp"), ["folder", "dut"])
    for name, options in (
        ("rtf", {"unit": "radius"}),
        ("folder", {"seed": 0}),
        ("syndof", {"white": "sharp"}),
    ):
        with pytest.raises(ValueError, match="is only for"):
            check_options(DatasetOptions(**options), [name])


@pytest.mark.parametrize(
    ("unit", "value", "problem"),
    [
        ("radius", np.inf, "a.npy: holds infinite values; unknown ones must be NaN"),
        ("sigma", -1, "a.npy: must hold a sigma of px, not negative, but its values are -1 to 1"),
        ("mask", 255, "a.npy: must hold a mask of 0 to 1 (see --map-scale), but its values are 1 to 255"),
    ],
)
def test_one_bad_value_in_a_large_map_is_told(unit, value, problem, tmp_path):
    (tmp_path / "image").mkdir()
    (tmp_path / "map").mkdir()
    cv2.imwrite(str(tmp_path / "image" / "a.png"), np.zeros((64, 96, 3), np.uint8))
    truth = np.ones((64, 96), np.float32)
    truth[40, 50] = value
    np.save(tmp_path / "map" / "a.npy", truth)
    assert _open("folder", tmp_path, tmp_path, unit=unit).read(0).problem == problem


def test_a_map_that_reducing_leaves_without_truth_is_told():
    truth = np.full((4, 4), np.nan, np.float32)
    truth[0, 0] = 1  # not the middle of a block
    sample = reduce_sample("a", np.zeros((4, 4, 3), np.uint16), truth, 2)
    assert sample.problem == "a: reduced by 2, it knows the truth of no pixel"


def test_lens_is_judged_up_to_scale(tmp_path, make_dummy):
    dataset = _open("lens", make_dummy("lens"), tmp_path)
    assert (dataset.unit, dataset.protocol) == ("radius", "affine")
    assert dataset.names == ["lens_box", "lens_phone"]  # and no other photo of the folder
    assert _open("lens", tmp_path / "data", tmp_path, reduce=2).protocol == "affine"


def test_stack_tells_how_many_frames_away_each_place_is_sharpest(tmp_path, make_dummy):
    folder = make_dummy("stack")
    dataset = _open("stack", folder, tmp_path)
    for index in range(5):
        truth = dataset.read(index).truth
        assert truth.shape == (64, 96)
        assert (truth[:, :64] == abs(index - 1)).all() and (truth[:, 64:] == abs(index - 3)).all()
    cv2.imwrite(str(folder / "stack_05.png"), np.zeros((64, 97, 3), np.uint8))
    with pytest.raises(ValueError, match="stack_05.png: is 97x64 px, the first frame 96x64 px"):
        _open("stack", folder, tmp_path)


def test_a_table_of_photos_without_its_columns_is_told(tmp_path, make_dummy):
    folder = make_dummy("composed")
    (folder / "photos.csv").write_text("file,sharp\n")
    with pytest.raises(ValueError, match="photos.csv: has no column sharp_everywhere"):
        _open("composed", folder, tmp_path)
