"""`jaxblur rank` on whole folders."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from jaxblur.cli import ranking
from jaxblur.rank import measure
from jaxblur.verdict import judge
from tests.jaxblur.cli_helpers import make_photo, names, run
from tests.jaxblur.tiny import photo_like
from tests.tiny_weights import use_tiny_weights


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    return use_tiny_weights(monkeypatch)


@pytest.fixture
def by_green(monkeypatch):
    """In place of the networks: the radius of every place is the mean of green; the photos that were prepared."""
    seen = []

    def prepare(photo, weights, *, boxes=(), budget):
        seen.append(photo.shape)
        return photo, boxes

    def answer(photo, boxes, view):
        whole = judge(np.full(9, photo[..., 1].mean()), longer_side=max(photo.shape[:2]), view=view)
        return whole, [whole for _ in boxes]

    monkeypatch.setattr(measure, "prepare", prepare)
    monkeypatch.setattr(
        measure, "measure", lambda prepared, weights, *, view, **rest: answer(*prepared, view)
    )
    return seen


def write(folder, name, rng, green):
    """A photo like no other, whose radius is about `green`."""
    photo = photo_like(rng, 40, 60)
    photo[..., 1] = green
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / name), photo[..., ::-1])
    return folder / name


def table(folder, name="rank.csv"):
    with open(folder / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def order(folder):
    return [Path(row["photo"]).name for row in table(folder)]


def test_photos_in_order(tmp_path, rng, by_green, capfd):
    photos, out = tmp_path / "photos", tmp_path / "out"
    for name, green in (("a.png", 9), ("b.png", 0), ("c.png", 4)):
        write(photos, name, rng, green)
    assert run("rank", photos, "--output", out) == 0
    assert order(out) == ["b.png", "c.png", "a.png"]
    assert names(out) == {"rank.csv", "rank.jsonl"}
    printed, trouble = capfd.readouterr()
    first, *_, last = printed.splitlines()
    assert first == f"    1  sharp       0.00 px  {photos / 'b.png'}" and trouble == ""
    assert last == f"3 of 3 done, tables in {out}"
    (row, *_) = table(out)
    assert (row["verdict"], row["width"], row["height"], row["limit"]) == ("sharp", "60", "40", "0.6")
    assert float(row["seconds"]) >= 0


def test_without_an_output_folder_the_order_is_shown(tmp_path, rng, by_green, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo = write(tmp_path / "photos", "a.png", rng, 3)
    assert run("rank", photo) == 0
    assert capfd.readouterr().out == f"    1  soft        3.00 px  {photo}\n1 of 1 done\n"
    assert names(tmp_path) == {"photos"}


def test_every_file_is_accounted_for(tmp_path, rng, by_green, capfd):
    photos, out = tmp_path / "photos", tmp_path / "out"
    write(photos, "good.png", rng, 3)
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "cut.png").write_bytes((photos / "good.png").read_bytes()[:200])
    (photos / "raw.cr2").write_bytes(b"II*\0" + bytes(100))
    assert run("rank", photos, tmp_path / "missing.jpg", "--output", out) == 2
    rows = {Path(row["photo"]).name: row["error"] for row in table(out)}
    assert set(rows) == {"good.png", "empty.jpg", "cut.png", "raw.cr2", "missing.jpg"}
    assert rows["good.png"] == "" and all(rows[name] for name in rows if name != "good.png")
    printed, trouble = capfd.readouterr()
    assert len(trouble.splitlines()) == 4 and "Traceback" not in trouble
    assert printed.endswith(f"1 of 5 done, tables in {out}\n")


def test_a_second_run_measures_what_is_new_or_changed(tmp_path, rng, by_green, capfd):
    photos, out = tmp_path / "photos", tmp_path / "out"
    for name in ("a.png", "b.png"):
        write(photos, name, rng, 3)
    (photos / "bad.jpg").write_bytes(b"")
    assert run("rank", photos, "--output", out) == 2
    assert len(by_green) == 2
    write(photos, "b.png", rng, 0)
    write(photos, "c.png", rng, 1)
    assert run("rank", photos, "--output", out) == 2
    assert len(by_green) == 4 and order(out) == ["b.png", "c.png", "a.png", "bad.jpg"]
    assert "3 of 4 done, 1 of them by an earlier run, tables" in capfd.readouterr().out
    assert run("rank", photos, "--output", out, "--view", 1000) == 2
    assert len(by_green) == 7  # all of them at another size of view


def test_an_interrupted_run_goes_on(tmp_path, rng, by_green, monkeypatch, capfd):
    photos, out = tmp_path / "photos", tmp_path / "out"
    for name in "abcd":
        write(photos, f"{name}.png", rng, ord(name) - 96)
    measured = measure.measure

    def interrupted(prepared, weights, **options):
        if prepared[0][..., 1].mean() == 3:
            raise KeyboardInterrupt
        return measured(prepared, weights, **options)

    with monkeypatch.context() as patch:
        patch.setattr(measure, "measure", interrupted)
        assert run("rank", photos, "--output", out) == 130
    kept = [json.loads(line)["photo"] for line in (out / "rank.jsonl").read_text().splitlines()]
    assert [Path(photo).name for photo in kept] == ["a.png", "b.png"] and not (out / "rank.csv").exists()
    by_green.clear()
    assert run("rank", photos, "--output", out) == 0
    assert len(by_green) == 2 and order(out) == ["a.png", "b.png", "c.png", "d.png"]


def test_the_best_of_alike_photos_is_marked(tmp_path, rng, by_green, capfd):
    photos, out = tmp_path / "photos", tmp_path / "out"
    first = write(photos, "a.png", rng, 3)
    write(photos, "b.png", rng, 9)
    shutil.copy(first, photos / "copy.png")
    assert run("rank", photos, "--output", out) == 0
    rows = {Path(row["photo"]).name: (row["group"], row["best"]) for row in table(out)}
    assert rows == {"a.png": ("1", "True"), "copy.png": ("1", "False"), "b.png": ("", "")}
    assert "a.png  (group 1, best)\n" in capfd.readouterr().out


def coco(path, boxes, size=(60, 40), name="a.png"):
    image = {"id": 1, "file_name": name, "width": size[0], "height": size[1]}
    entries = [{"id": i, "image_id": 1, "category_id": 2, "bbox": box} for i, box in enumerate(boxes)]
    content = {"images": [image], "annotations": entries, "categories": [{"id": 2, "name": "bird"}]}
    path.write_text(json.dumps(content))
    return path


def test_objects(tmp_path, rng, by_green, capfd):
    photos, out = tmp_path / "photos", tmp_path / "out"
    write(photos, "a.png", rng, 3)
    write(photos, "b.png", rng, 4)
    boxes = coco(tmp_path / "boxes.json", [[0, 0, 30, 30], [5, 5, 9, 9.5]])
    assert run("rank", photos, "--output", out, "--boxes", boxes) == 0
    rows = table(out, "rank_objects.csv")
    assert [(row["id"], row["category"], row["left"], row["height"]) for row in rows] == [
        ("0", "bird", "0.0", "30.0"),
        ("1", "bird", "5.0", "9.5"),
    ]
    assert {row["rank"] for row in rows} == {"1"} and {row["sharpest"] for row in rows} == {"3.0"}
    coco(boxes, [[0, 0, 30, 30]])
    by_green.clear()
    assert run("rank", photos, "--output", out, "--boxes", boxes) == 0
    assert len(by_green) == 1  # only the photo whose boxes have changed
    coco(boxes, [[0, 0, 30, 30]], size=(40, 60))
    assert run("rank", photos, "--output", out, "--boxes", boxes) == 2
    assert (
        "a.png: its boxes are for a photo of 40x60 px, and upright it is 60x40 px" in capfd.readouterr().err
    )


def test_with_networks(tmp_path, rng, capfd):
    """Photos of several sizes and types, and a box outside of one."""
    photos, out = tmp_path / "photos", tmp_path / "out"
    cv2.imwrite(str(make_photo(photos / "a.png", rng)), photo_like(rng, 100, 130))
    make_photo(photos / "b.jpg", rng, (120, 90))
    cv2.imwrite(str(photos / "c.tif"), photo_like(rng, 64, 64).astype(np.uint16) * 257)
    cv2.imwrite(str(photos / "plain.png"), np.full((50, 50, 3), 90, np.uint8))
    boxes = coco(tmp_path / "boxes.json", [[10, 10, 100, 80]], size=(130, 100))
    assert run("rank", photos, "--output", out, "--boxes", boxes, "--points", 40) == 0
    rows = {Path(row["photo"]).name: row for row in table(out)}
    assert rows["plain.png"]["verdict"] == "unknown" and rows["plain.png"]["sharpest"] == ""
    for name in ("a.png", "b.jpg", "c.tif"):
        assert rows[name]["verdict"] in ("sharp", "soft") and 0 <= float(rows[name]["sharpest"]) <= 12
    (row,) = table(out, "rank_objects.csv")
    assert int(row["places"]) > 4
    coco(boxes, [[500, 0, 5, 5]], size=(130, 100))
    assert run("rank", photos, "--output", out, "--boxes", boxes) == 2
    assert "a.png: region: a box must be" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name at least one photo or folder"),
        (("photos", "--points", 3), "--points must be at least 16, got 3"),
        (("photos", "--view", 0), "view must be a longer side in px"),
        (("photos", "--output", "photos"), "--output photos: is also an input"),
        (("photos", "--boxes", "none.json"), "none.json: No such file or directory"),
        (("nowhere",), "nowhere: there is no such file or folder"),
    ],
)
def test_wrong_commands_are_told_in_one_line(tmp_path, rng, monkeypatch, capfd, arguments, message):
    monkeypatch.chdir(tmp_path)
    make_photo(Path("photos/a.png"), rng)
    assert run("rank", *arguments) == 2
    printed, trouble = capfd.readouterr()
    assert printed == "" and trouble.startswith("jaxblur: ") and message in trouble
    assert len(trouble.splitlines()) == 1


def test_settings_tell_all_that_a_row_depends_on(tmp_path):
    from jaxblur.cli import Rank

    photo, weights = tmp_path / "a.png", tmp_path / "w.safetensors"
    weights.write_bytes(b"1")
    kinds = [
        Rank(photos=(photo,)),
        Rank(photos=(photo,), view=1000),
        Rank(photos=(photo,), points=50),
        Rank(photos=(photo,), precision="bfloat16"),
        Rank(photos=(photo,), weights=weights),
    ]
    found = [ranking._settings(photo, command, {}) for command in kinds]
    weights.write_bytes(b"12")
    found.append(ranking._settings(photo, kinds[-1], {}))
    assert len(set(found)) == 6
    assert ranking._settings(photo, Rank(photos=(photo,), output=tmp_path), {}) == found[0]
