"""`jaxblur rank` with the weights that ship, on real photos."""

import csv
from pathlib import Path

from tests.jaxblur.cli_helpers import run


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "rank.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_scene_sharp_shaken_and_out_of_focus(shared, tmp_path):
    photos = [shared / "real" / f"triplet_{name}.jpg" for name in ("defocus", "sharp", "motion")]
    assert run("rank", *photos, "--output", tmp_path, "--points", 96) == 0
    found = [(Path(row["photo"]).stem, row["verdict"]) for row in rows(tmp_path)]
    assert found == [("triplet_sharp", "sharp"), ("triplet_motion", "soft"), ("triplet_defocus", "soft")]
    sharp, _, defocus = (float(row["sharpest"]) for row in rows(tmp_path))
    assert sharp < 0.2 and 3 < defocus < 4.5


def test_frames_of_a_focus_stack(shared, tmp_path):
    """The sharpest comes first, and those at the ends of the stack last; most look alike."""
    photos = [shared / "real" / f"stack_{number:02d}.jpg" for number in (0, 2, 4, 9)]
    assert run("rank", *photos, "--output", tmp_path, "--points", 96) == 0
    found = [Path(row["photo"]).stem for row in rows(tmp_path)]
    assert found == ["stack_04", "stack_02", "stack_00", "stack_09"]
    assert [(row["group"], row["best"]) for row in rows(tmp_path)][:3] == [
        ("1", "True"),
        *[("1", "False")] * 2,
    ]
