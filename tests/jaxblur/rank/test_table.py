"""rank.jsonl and rank.csv: going on, order, groups."""

import csv
import hashlib
import json

import numpy as np
import pytest

from jaxblur.rank.boxes import Box
from jaxblur.rank.table import COLUMNS, LINES, OBJECT_COLUMNS, OBJECTS, TABLE, Row, Table, arrange
from jaxblur.verdict import judge

STAMP = [100, 5]


def row(photo, sharpest=1.0, **fields):
    fields = {
        "hash": hashlib.sha256(photo.encode(errors="surrogateescape")).hexdigest()[:16],
        "stamp": STAMP,
        "settings": "s",
    } | fields
    return Row(photo=photo, verdict="soft", sharpest=sharpest, sharpest_at_view=sharpest, **fields)


def lines(folder):
    return [json.loads(line) for line in (folder / LINES).read_text().splitlines()]


def test_a_run_goes_on_where_nothing_has_changed(tmp_path):
    Table(tmp_path).add(row("a"))
    Table(tmp_path).add(row("b", error="damaged"))
    table = Table(tmp_path)
    assert table.find("a", STAMP, "s") == row("a")
    assert table.find("a", [101, 5], "s") is None and table.find("a", [100, 6], "s") is None
    assert table.find("a", STAMP, "other") is None and table.find("c", STAMP, "s") is None
    assert table.find("b", STAMP, "s") is None  # what failed is tried again


def test_lines_that_are_none_are_passed_over(tmp_path):
    Table(tmp_path).add(row("a"))
    whole = (tmp_path / LINES).read_bytes()
    (tmp_path / LINES).write_bytes(whole + b'[1]\n{"other": 1}\n' + whole[:40])  # killed within the last
    table = Table(tmp_path)
    table.add(row("b"))
    again = Table(tmp_path)
    assert again.find("a", STAMP, "s") and again.find("b", STAMP, "s")
    again.finish(["b", "a"])
    assert [line["photo"] for line in lines(tmp_path)] == ["a", "b"]


def test_the_last_line_of_a_photo_counts(tmp_path):
    table = Table(tmp_path)
    table.add(row("a", 1.0))
    table.add(row("a", 2.0))
    (only,) = Table(tmp_path).finish(["a"])
    assert only.sharpest == 2.0 and len(lines(tmp_path)) == 1


def test_tables_are_in_order_and_others_stay(tmp_path):
    table = Table(tmp_path)
    for photo, sharpest in (("soft", 4.0), ("sharp", 0.3), ("plain", None), ("elsewhere", 1.0)):
        table.add(row(photo, sharpest))
    table.add(Row(photo="bad", error="damaged"))
    rows = table.finish(["plain", "soft", "bad", "sharp"])
    assert [own.photo for own in rows] == ["sharp", "soft", "plain", "bad"]
    with open(tmp_path / TABLE, newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert tuple(read[0]) == COLUMNS and not {"hash", "stamp", "objects"} & set(COLUMNS)
    assert [(own["rank"], own["photo"], own["error"]) for own in read] == [
        ("1", "sharp", ""),
        ("2", "soft", ""),
        ("3", "plain", ""),
        ("", "bad", "damaged"),
    ]
    assert [line["photo"] for line in lines(tmp_path)] == ["sharp", "soft", "plain", "bad", "elsewhere"]
    assert not (tmp_path / OBJECTS).exists()


def test_lines_of_another_process_are_kept(tmp_path):
    one, other = Table(tmp_path), Table(tmp_path)
    one.add(row("a"))
    other.add(row("b"))
    one.finish(["a"])
    assert {line["photo"] for line in lines(tmp_path)} == {"a", "b"}


def test_the_sharpest_of_alike_photos_is_the_best():
    alike = "f" * 16
    rows = arrange(
        [
            row("blurred", 3.0, hash=alike),
            row("alone", 2.0),
            row("best", 0.5, hash=alike),
            row("plain", None, hash="0" * 16),
            row("plain too", None, hash="0" * 16),
            Row(photo="failed", error="damaged", hash=alike),
        ]
    )
    assert {own.photo: (own.group, own.best) for own in rows} == {
        "best": (1, True),
        "alone": (None, None),
        "blurred": (1, False),
        "plain": (2, False),
        "plain too": (2, False),
        "failed": (None, None),
    }


def test_objects_have_a_table(tmp_path):
    own = row("a", 0.4, width=4000, height=3000)
    answer = judge(np.full(8, 1.0), longer_side=4000, view=2000)
    own.describe(answer, [(Box(7, "face", (1, 2, 30, 40)), answer)], view=2000)
    assert own.sharpest == 1.0 and own.sharpest_at_view == 0.5 and own.limit == 1.2
    table = Table(tmp_path)
    table.add(own)
    table.finish(["a"])
    with open(tmp_path / OBJECTS, newline="", encoding="utf-8") as file:
        (read,) = csv.DictReader(file)
    assert tuple(read) == OBJECT_COLUMNS
    assert (read["id"], read["category"], read["left"], read["height"]) == ("7", "face", "1", "40")
    assert (read["verdict"], read["sharpest"]) == ("sharp", "1.0")


def test_names_that_are_no_text_are_kept(tmp_path):
    name = b"caf\xe9.jpg".decode(errors="surrogateescape")
    table = Table(tmp_path)
    table.add(row(name))
    assert Table(tmp_path).find(name, STAMP, "s")
    table.finish([name])
    assert b"caf\xe9.jpg" in (tmp_path / TABLE).read_bytes()


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = Table(None)
    table.add(row("a"))
    assert [own.photo for own in table.finish(["a"])] == ["a"] and list(tmp_path.iterdir()) == []


def test_a_table_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / LINES).mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        Table(tmp_path)
