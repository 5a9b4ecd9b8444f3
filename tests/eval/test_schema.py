import errno
import math
import os

import pytest

from eval import schema

RUN = schema.Run(
    id="r1",
    dataset="rtf",
    dataset_version="1",
    unit="radius",
    about={"source": "s"},
    count=2,
    method="m",
    method_unit="radius",
    settings={"a": 1},
    weights="",
    commit="c",
    versions={"jax": "0"},
    command="python -m eval",
)


def image(name="a", run="r1", **metrics):
    return schema.Image(
        run=run,
        name=name,
        height=4,
        width=6,
        device="cpu x 8",
        seconds=0.5,
        warm=True,
        metrics=metrics,
        curves={"risk": [0.1, math.nan]},
    )


def test_round_trip_with_undefined_numbers():
    record = image(mae=1.5, rho=math.nan)
    line = schema.to_line(record)
    assert b"NaN" not in line and b"\n" not in line
    back = schema.from_line(line)
    assert isinstance(back, schema.Image)
    assert (
        back.metrics["mae"] == 1.5 and math.isnan(back.metrics["rho"]) and math.isnan(back.curves["risk"][1])
    )
    assert schema.from_line(schema.to_line(RUN)) == RUN


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "truncated"),
        (b'{"kind": "image"}', "missing required field `run`"),
        (b'{"kind": "else"}', "Invalid value 'else' - at `[$].kind`"),
        (
            b'{"kind": "failure", "run": 1, "name": "a", "problem": "p"}',
            "Expected `str`, got `int` - at `[$].run`",
        ),
        (b'{"kind": "failure", "run": "1", "name": "a", "problem": "p", "x": 1}', "unknown field `x`"),
    ],
)
def test_bad_lines_are_refused(line, message):
    with pytest.raises(ValueError, match=message):
        schema.from_line(line)


def test_bad_records_are_not_written():
    with pytest.raises(ValueError, match="Expected `float | null`, got `str`"):
        schema.to_line(image(mae="x"))


def test_append_read_and_a_line_cut_off_by_a_crash(tmp_path):
    path = tmp_path / "results.jsonl"
    schema.append(path, [RUN, image("a", mae=1.0)])
    with path.open("ab") as file:
        file.write(schema.to_line(image("\u4e2d"))[:-150])  # within a letter or not
    assert len(schema.read(tmp_path)) == 2
    schema.drop_partial_line(path)
    schema.append(path, [image("b", mae=2.0)])
    assert [r.name for r in schema.of_kind(schema.read(tmp_path), schema.Image)] == ["a", "b"]


def test_a_full_disk_is_told_with_the_file_and_costs_what_was_not_written_only(tmp_path, monkeypatch):
    path = tmp_path / "results.jsonl"
    schema.append(path, [RUN, image("a", mae=1.0)])

    def full(descriptor):
        os.truncate(path, path.stat().st_size - 20)  # there was room for the beginning
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"No space left on device: '.*results.jsonl'"):
            schema.append(path, [image("b", mae=2.0)])
    schema.drop_partial_line(path)
    schema.append(path, [image("b", mae=3.0)])
    kept = schema.of_kind(schema.read(tmp_path), schema.Image)
    assert [(r.name, r.metrics["mae"]) for r in kept] == [("a", 1.0), ("b", 3.0)]


def test_a_broken_line_in_the_middle_is_an_error(tmp_path):
    (tmp_path / "results-0-of-2.jsonl").write_bytes(b"nonsense\n" + schema.to_line(RUN) + b"\n")
    with pytest.raises(ValueError, match=r"results-0-of-2.jsonl:1: "):
        schema.read(tmp_path)


def test_the_last_record_of_an_image_counts():
    records = [image("a", mae=1.0), image("a", mae=2.0), image("a", run="r2", mae=3.0)]
    assert [r.metrics["mae"] for r in schema.of_kind(records, schema.Image)] == [2.0, 3.0]
