import json

import pytest

from benchmarks.waiting import duration, waiting_table

COMMAND = {"photo": "vase.jpg", "size": [428, 640], "cold": {"seconds": 14.19}, "kept": {"seconds": 2.57}}


def memory(*rows):
    return {"texture": 0.25, "rows": [{"megapixels": size, "seconds": seconds} for size, seconds in rows]}


def table(tmp_path, **files):
    (tmp_path / "cpu").mkdir()
    for name, content in files.items():
        (tmp_path / "cpu" / f"{name}.json").write_text(json.dumps(content))
    return waiting_table(tmp_path).splitlines()[2:]


def test_times_in_order(tmp_path):
    rows = table(tmp_path, command=COMMAND, memory=memory((1.0, 17.1), (23.998, 300.0)))
    assert rows == [
        "| the first command, with `vase.jpg` of 640 x 428 px | 14 s |",
        "| the same command once more | 2.6 s |",
        "| a photo of 1 megapixel, edges on 25 % of its area | 17 s |",
        "| a photo of 24 megapixels, edges on 25 % of its area | 5 min |",
    ]


def test_24_megapixels_by_the_nearest_size(tmp_path):
    rows = table(tmp_path, memory=memory((10.0, 120.0), (100.0, 1000.0)))
    assert rows[1] == "| a photo of 24 megapixels, edges on 25 % of its area | about 4.8 min |"
    assert rows[2].endswith("| 17 min |")


def test_photos_in_order_of_sharpness(tmp_path):
    figures = {"megapixels": 24, "seconds_per_photo": 1.52, "all": {"peak_bytes": 7.1e8}}
    assert table(tmp_path, rank=figures) == [
        "| each of many photos of 24 megapixels in `jaxblur rank`, which takes 0.7 GB | 1.5 s |"
    ]


def test_what_is_missing_is_left_out(tmp_path):
    assert table(tmp_path) == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.57, "2.6 s"), (89.4, "89 s"), (90, "1.5 min"), (1133, "19 min")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text
