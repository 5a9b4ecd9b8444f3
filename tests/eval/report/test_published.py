"""Figures of others stand beside ours: cited, marked, and never part of a comparison."""

import csv

import pytest

from eval import cli, schema
from eval.report import tables
from eval.report.published import read_published

HEADER = "dataset,method,citation,dmenet_mae,radius_mae\n"


def _write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_become_records(tmp_path):
    path = _write(tmp_path / "p.csv", HEADER + 'rtf,Theirs,"Doe, CVPR 2020, table 1",0.25,\n')
    (record,) = read_published(path)
    assert record == schema.Published(
        dataset="rtf", method="Theirs", citation="Doe, CVPR 2020, table 1", metrics={"dmenet_mae": 0.25}
    )
    assert schema.from_line(schema.to_line(record)) == record


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset,method,radius_mae\n", "p.csv: has no column citation"),
        ("dataset,method,citation,mae\n", "p.csv: has columns that are no measures: 'mae'"),
        (HEADER + "rtf,Theirs,,1,2\n", "p.csv:2: must name data set, method and citation"),
        (HEADER + "rtf,Theirs,Doe,1,2,3\n", "p.csv:2: must name .* no more cells"),
        (HEADER + "rtf,Theirs,Doe,1,2\nrtf,Other,Doe,1,low\n", "p.csv:3: could not convert"),
        (HEADER + "rtf,Theirs,Doe,nan,2\n", "p.csv:2: dmenet_mae must be finite"),
    ],
)
def test_bad_files_are_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_published(_write(tmp_path / "p.csv", text))


def test_they_stand_beside_ours_marked_and_win_nothing(tmp_path, capsys, squeezed):
    out = tmp_path / "out"
    out.mkdir()
    run = schema.Run(
        id="r", dataset="rtf", dataset_version="1", unit="radius", about={}, count=1, method="ours",
        method_unit="radius", settings={}, weights="", commit="c", versions={}, command="",
    )  # fmt: skip
    image = schema.Image(
        run="r", name="a", height=4, width=4, device="cpu x 1", seconds=1, warm=True,
        metrics={"radius_mae": 0.5, "dmenet_mae": 0.4}, curves={},
    )  # fmt: skip
    schema.append(out / "results.jsonl", [run, image])
    rows = "rtf,Theirs,Doe 2020,0.1,\nelsewhere,Theirs,Doe 2020,0.1,\n"
    arguments = ["--published", str(_write(tmp_path / "p.csv", HEADER + rows)), "--output", str(out)]
    for _ in range(2):  # the second time adds nothing
        assert cli.main(arguments) == 0
    assert len((out / "results.jsonl").read_text().splitlines()) == 4
    printed = squeezed(capsys.readouterr().out)
    assert "| rtf (radius) | Theirs (as published) | | | 0.1 |" in printed and "elsewhere" not in printed
    assert "| rtf (radius) | ours | 1 | 0.500 | 0.400 | 1 |" in printed  # alone, hence not bold
    assert "- Theirs on rtf: Doe 2020" in (out / "table.md").read_text()
    ours, theirs = csv.DictReader((out / "summary.csv").read_text().splitlines())
    assert (ours["as_published"], ours["dmenet_mae"]) == ("", "0.4")
    assert (theirs["as_published"], theirs["dmenet_mae"], theirs["radius_mae"]) == ("Doe 2020", "0.1", "")
    page = (out / "report.html").read_text()
    assert page.count("[1] As published, not run here: Doe 2020") == 1 and "<th>Theirs<div" in page


def test_without_results_of_ours_there_is_no_table(tmp_path):
    schema.append(
        tmp_path / "results.jsonl", [schema.Published(dataset="a", method="b", citation="c", metrics={})]
    )
    with pytest.raises(ValueError, match="holds no results"):
        tables.write_report(tmp_path)
