"""Objects from files in the format of COCO."""

import json

import pytest

from jaxblur.rank.boxes import Box, Boxes, read_boxes

COCO = {
    "images": [
        {"id": 1, "file_name": "train/a.jpg", "width": 640, "height": 480},
        {"id": "two", "file_name": "b.jpg"},
    ],
    "annotations": [
        {"id": 11, "image_id": 1, "category_id": 3, "bbox": [1, 2, 30.5, 40], "score": 0.9},
        {"image_id": 1, "category_id": 4, "bbox": [5, 6, 7, 8]},
    ],
    "categories": [{"id": 3, "name": "face"}],
}


def write(folder, content):
    path = folder / "boxes.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_objects_of_every_photo(tmp_path):
    first = (Box(11, "face", (1.0, 2.0, 30.5, 40.0)), Box(1, "4", (5.0, 6.0, 7.0, 8.0)))
    assert read_boxes(write(tmp_path, COCO)) == {"a.jpg": Boxes((640, 480), first), "b.jpg": Boxes(None, ())}


def changed(**lists):
    return COCO | lists


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "this is not a JSON file"),
        ([{"image_id": 1, "bbox": [1, 2, 3, 4]}], "has the lists images and annotations; a bare list"),
        ({"images": []}, "has the lists images and annotations"),
        (changed(annotations=[{"image_id": 1}]), "'bbox' is missing"),
        (changed(annotations=[{"image_id": 9, "bbox": [1, 2, 3, 4]}]), "annotation 0 has image_id 9"),
        (changed(annotations=[{"image_id": 1, "bbox": [1, 2, 3]}]), "not in the format of COCO"),
        (changed(annotations=[{"image_id": 1, "bbox": ["x", 2, 3, 4]}]), "could not convert"),
        (changed(annotations=[[1]]), "not in the format of COCO"),
        (changed(images=[{"id": 1}]), "'file_name' is missing"),
        (changed(images=[{"id": 1, "file_name": n} for n in ("a/x.jpg", "b/x.jpg")]), "two images have the"),
        (changed(categories=7), "not in the format of COCO"),
    ],
)
def test_other_files_are_told_in_one_line(tmp_path, content, message):
    path = write(tmp_path, content)
    with pytest.raises(ValueError, match=message) as error:
        read_boxes(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
