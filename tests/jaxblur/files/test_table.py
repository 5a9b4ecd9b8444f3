import csv

import numpy as np
import pytest

from jaxblur.files.table import COLUMNS, Row, Summary


def rows(folder):
    with open(folder / "summary.csv", newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def test_rows_of_earlier_runs_stay_and_those_of_the_same_photo_are_replaced(tmp_path):
    first = Summary(tmp_path)
    for photo, seconds in (("/a/x.jpg", 1.0), ("/a/y.jpg", 2.0)):
        first.keep(Row(photo=photo, seconds=seconds))
    second = Summary(tmp_path)
    second.keep(Row(photo="/a/x.jpg", seconds=3.0))
    second.keep(Row(photo="/b/z.jpg"))
    assert [(row["photo"], row["seconds"]) for row in rows(tmp_path)] == [
        ("/a/x.jpg", "3.0"),
        ("/a/y.jpg", "2.0"),
        ("/b/z.jpg", ""),
    ]


def test_two_runs_at_once_lose_no_row(tmp_path):
    one, other = Summary(tmp_path), Summary(tmp_path)
    for i in range(5):
        one.keep(Row(photo=f"/one/{i}.jpg"))
        other.keep(Row(photo=f"/other/{i}.jpg"))
    assert len(rows(tmp_path)) == 10


def test_a_name_belongs_to_one_photo_as_long_as_its_results_are_there(tmp_path):
    Summary(tmp_path).keep(Row(photo="/a/x.jpg", name="x.jpg"))
    (tmp_path / "x.jpg.npz").touch()
    summary = Summary(tmp_path)
    summary.check_free("x.jpg", "/a/x.jpg")
    summary.check_free("y.jpg", "/b/y.jpg")
    for name in ("x.jpg", "X.JPG"):  # the same file where case does not count
        with pytest.raises(
            ValueError, match=r"x\.jpg\.npz holds the results of /a/x\.jpg; name another --output"
        ):
            summary.check_free(name, "/b/x.jpg")
    (tmp_path / "x.jpg.npz").unlink()
    summary.check_free("x.jpg", "/b/x.jpg")


def test_names_of_all_kinds_come_back(tmp_path):
    names = ["/a/ü 写.jpg", '/a/quo"te,comma.jpg', "/a/new\nline.jpg", "/a/not\udcffutf8.jpg", "/a/=1+1.jpg"]
    for name in names:
        Summary(tmp_path).keep(Row(photo=name))
    assert [row["photo"] for row in rows(tmp_path)] == names


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"\xff\xfe\0x", (",".join(COLUMNS) + "\n" + '"' + "x" * 200_000).encode()]
)
def test_another_table_is_not_written_over(tmp_path, content):
    (tmp_path / "summary.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"summary\.csv: this (table has other columns|is not a table)"):
        Summary(tmp_path)
    assert (tmp_path / "summary.csv").read_bytes() == content


def test_a_row_that_cannot_be_written_is_kept_for_the_next(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    summary = Summary(folder)
    folder.rmdir()
    summary.keep(Row(photo="/a.jpg"))
    with pytest.raises(OSError):
        summary.finish()
    folder.mkdir()
    summary.keep(Row(photo="/b.jpg"))
    assert [row["photo"] for row in rows(folder)] == ["/a.jpg", "/b.jpg"]
    summary.finish()


def test_figures_are_those_of_the_sure_pixels():
    radius = np.array([[0.5, 1.0, 2.0, 3.0]], np.float32)
    confidence = np.array([[0.9, 0.8, 0.7, 0.5]], np.float32)
    row = Row(photo="x")
    row.describe(
        {"radius": radius, "confidence": confidence, "edges": radius > 0, "depth_edges": radius > 2.5}
    )
    assert row.radius_p50 == 1.0 and row.fraction_sure == 0.75
    assert row.fraction_in_focus == pytest.approx(2 / 3, abs=1e-4)
    assert (row.edge_count, row.depth_edge_count) == (4, 1)
