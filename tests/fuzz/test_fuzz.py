"""500 damaged pictures: each is read or refused with one line, within a second and a few megabytes."""

import numpy as np
import pytest

from tests.fuzz import mutate, run, seeds

PICTURE = 600 * 800 * 4 * 8  # bytes of the largest picture among the seeds, as float64 with alpha


def test_damaged_pictures_are_read_or_refused_within_bounds():
    results = list(run.fuzz(first=0, count=500))
    assert [result.seed for result in results] == list(range(500))
    assert [result for result in results if result.outcome not in (run.READ, run.REFUSED)] == []
    assert [result for result in results if result.cpu > 2] == []
    assert [result for result in results if result.memory > 10 * PICTURE] == []
    outcomes = [result.outcome for result in results]
    assert (
        min(outcomes.count(run.READ), outcomes.count(run.REFUSED)) > 50
    )  # else the damage is too small or large


def test_damage_is_the_same_for_the_same_seed():
    whole = {"a.png": seeds.interlaced_png(np.zeros((9, 9, 3), np.uint8)), "b.bin": bytes(range(256))}
    first, again = ([mutate.mutated(whole, seed) for seed in range(50)] for _ in range(2))
    assert first == again
    assert {name for name, _ in first} == set(whole)
    assert len({data for _, data in first}) > 40
    assert mutate.mutated({"empty": b""}, 3)[0] == "empty"


def test_a_process_that_crashes_loses_one_file_only(monkeypatch, tmp_path):
    (tmp_path / "tests" / "fuzz").mkdir(parents=True)
    (tmp_path / "tests" / "fuzz" / "run.py").write_text(
        "import json, os, sys\n"
        "for seed in range(int(sys.argv[1]), int(sys.argv[2])):\n"
        "    if seed == 3: os.abort()\n"
        "    print(json.dumps((seed, 'x', 'read', '', 0, 0, 0)), flush=True)\n"
    )
    monkeypatch.setattr(run, "ROOT", tmp_path)
    results = list(run.fuzz(first=1, count=5))
    assert [(result.seed, result.outcome) for result in results] == [
        (1, run.READ),
        (2, run.READ),
        (3, run.CRASHED),
        (4, run.READ),
        (5, run.READ),
    ]


@pytest.mark.parametrize("text", ["two\nlines", "another.png: x"])
def test_an_error_that_is_not_one_line_with_the_path_is_found(monkeypatch, tmp_path, text):
    from jaxblur.files import images

    def read_image(path):
        raise ValueError(text.replace("two", f"{path}: two"))

    monkeypatch.setattr(images, "read_image", read_image)
    assert run._read(tmp_path, "picture.png", b"")[1] == run.WRONG
