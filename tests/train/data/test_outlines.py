import json

import numpy as np
import pytest

from train.data import crops, outlines
from train.data.folder import FolderPhotos


def write_outlines(folder, instances):
    path = folder / "coco_instances.json"
    path.write_text(json.dumps({"instances": instances}))
    return path


SQUARE = [10, 20, 50, 20, 50, 55, 10, 55]  # x, y


def test_coverage_of_a_region_is_the_polygon_seen_there(photos):
    path = write_outlines(photos, [{"file": "a/photo_1.png", "segmentation": [SQUARE]}])
    cutouts = outlines.PolygonCutouts(path, FolderPhotos(photos))
    assert (len(cutouts), cutouts.photo(0)) == (1, 1)
    coverage = cutouts.coverage(0, crops.Region(10, 0, 50), 25)  # rows 10 to 60, columns 0 to 50, halved
    assert (coverage[6:22, 6:24] == 255).all()
    assert (coverage[:4] == 0).all() and (coverage[:, :4] == 0).all() and (coverage[23:] == 0).all()
    assert {tuple(point) for point in cutouts.boundary(0)} == {(20, 10), (20, 50), (55, 50), (55, 10)}


def test_regions_have_the_outline_in_their_middle_half(rng):
    boundary = np.array([[50.0, 60.0], [70.0, 80.0]])
    for _ in range(50):
        region = outlines.region_across(rng, boundary, (200, 200, 3), 40)
        place = (boundary - [region.top, region.left]) / 40
        assert ((place >= 0.24) & (place <= 0.79)).all(axis=1).any()


def test_regions_stay_inside_the_photo(rng):
    for _ in range(50):
        region = outlines.region_across(rng, np.array([[0.0, 79.0]]), (60, 80, 3), 40)
        assert 0 <= region.top <= 20 and 0 <= region.left <= 40


def test_extended_takes_the_nearest_pixel_of_the_object(rng):
    crop = rng.integers(0, 256, size=(15, 17, 3), dtype=np.uint8)
    inside = rng.random((15, 17)) < 0.1
    inside[4, 5] = True
    filled = outlines.extended(crop, inside)
    points = np.argwhere(inside)
    for row in range(15):
        for col in range(17):
            distance = np.hypot(*(points - [row, col]).T)
            # OpenCV's distance with a 5x5 mask is approximate: up to 5 % off.
            near = points[distance <= distance.min() * 1.1]
            assert any((filled[row, col] == crop[tuple(point)]).all() for point in near)
    np.testing.assert_array_equal(filled[inside], crop[inside])


def test_core_is_away_from_the_rim_but_not_from_the_crop_border():
    alpha = np.zeros((20, 20), np.uint8)
    alpha[:10] = 255
    core = outlines.core(alpha)
    assert core[:8].all() and not core[8:].any()


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        ([{"file": "other.png", "segmentation": [SQUARE]}], "does not match the photos: it names other.png"),
        (
            [{"file": "a/photo_1.png", "segmentation": [[0, 0, 90, 0, 90, 9]]}],
            r"leaves a/photo_1.png \(80x60 px\)",
        ),
        ([{"file": "a/photo_1.png", "segmentation": [[1, 2, 3]]}], "is not readable: ValueError"),
        ([{"segmentation": [SQUARE]}], "is not readable: KeyError"),
    ],
)
def test_files_that_do_not_match_are_refused(photos, instances, message):
    path = write_outlines(photos, instances)
    with pytest.raises(ValueError, match=message):
        outlines.PolygonCutouts(path, FolderPhotos(photos))


def test_a_damaged_file_is_refused(photos):
    path = photos / "coco_instances.json"
    path.write_text('{"instances": [')
    with pytest.raises(ValueError, match="is not readable"):
        outlines.PolygonCutouts(path, FolderPhotos(photos))
