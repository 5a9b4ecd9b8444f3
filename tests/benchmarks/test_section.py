import json

import pytest

from benchmarks import section
from benchmarks.waiting import waiting_table

ORIGIN = {
    "device": "cpu (x86_64)",
    "cores": 2,
    "jax": "0.10.2",
    "commit": "abc",
    "command": "python -m benchmarks.it",
}
SECONDS = {"median": 4.2, "least": 4.0, "most": 10.4, "runs": 3}
WARM = {
    "photo": "a.png",
    "size": [360, 480],
    "edge_points": [21406, 300],
    "warm": SECONDS,
    "ratio_to_floor": 1.76,
    "patchwise": {"sample_points": 256, "speedup": 12.61},
    **ORIGIN,
}
COMMAND = {"cold": {"seconds": 27.4, "cpu_seconds": 40.0}, "kept": {"seconds": 4.68, "cpu_seconds": 8.0}}
MANY = {
    "photos": 1000,
    "side": 48,
    "first_half_seconds": 2.0,
    "second_half_seconds": 2.5,
    "peak_bytes_at_half": 9.151e8,
    "peak_bytes_at_end": 9.152e8,
}
BATCH = {
    "devices": 8,
    "side": 128,
    "many": MANY,
    "rows": [{"photos": 8, "ratio_to_floor": None, **SECONDS}],
    **ORIGIN,
}
FILTER = {"side": 512, "channels": 1}
STAGE = {"few": {"edge_points": 242.0, "seconds": SECONDS, "ratio_to_floor": 1.5}, "ratio": 4.33}
FIGURES = {
    "estimate": {"rows": [WARM]},
    "parity": {"rows": [WARM]},
    "command": {"photo": "a.png", **COMMAND, **ORIGIN},
    "settings": {
        "rows": [
            {"settings": "default"},
            {"settings": "two-stage", "ratio": 0.801, "map_difference_mean": 0.01234},
        ],
        **ORIGIN,
    },
    "batch": {"rows": [BATCH]},
    "networks": {"matmul_gflops": 100.0, "maps_gflops": 76.0, "heads_gflops": 44.0, **ORIGIN},
    "domain_transform": {
        "rows": [
            {**FILTER, "form": "scan", "seconds": {"least": 3.0}, "ratio_to_floor": 1.5},
            {**FILTER, "form": "cv2.ximgproc.dtFilter", "seconds": {"least": 2.0}, "ratio_to_floor": 1.0},
        ],
        **ORIGIN,
    },
    "rank": {
        "photos": 24,
        "megapixels": 24.0,
        "cpu_seconds_of_stages": {"decode": {"median": 0.27}, "networks": {"median": 1.23}},
        "seconds_per_photo": 1.518,
        "cpu_seconds_per_photo": 2.57,
        "all": {"peak_bytes": 7.05e8},
        **ORIGIN,
    },
    "memory": {
        "max_memory": "4GB",
        "texture": 0.03,
        "rows": [
            {
                "megapixels": 99.99,
                "seconds": 1133.0,
                "peak_bytes": 3.04e9,
                "ratio_to_floor_bytes": 1.9,
                "cpu_seconds_per_megapixel": 3.14,
            }
        ],
        **ORIGIN,
    },
    "training": {"blur": STAGE, "edges": STAGE, **ORIGIN},
}
SAID = {
    "estimate": "a.png, 480 x 360 px, 21,406 + 300 edge points: 4.2 s (4 to 10.4 in 3 runs), 1.8 times the floor; "
    "with the networks patch-wise, on a patch around each point, 12.6 times as long (scaled up from 256 points)",
    "parity": "**Warm**, published weights and settings: a.png",
    "command": "27 s with nothing compiled (40 s of the CPU), 4.7 s with programs kept (8 s of the CPU)",
    "settings": "relative to `default`: `two-stage` 0.8 (its map differs by 0.012 px in the mean).",
    "batch": "1,000 without edges (48 px), 250 per second in the first half and 200 in the second; peak 915 MB at "
    "half, 915 MB at the end. 8 photos of 128 px on 8 devices: 4.2 s. Results",
    "networks": "0.76 of the rate of a large matrix product (100 GFLOP/s); heads at edge points 0.44",
    "domain_transform": "scan, at 512 px, times as long as OpenCV's dtFilter (C++, one thread): 1.5 (1 channel); as "
    "the floor: 1.5 (1 channel).",
    "rank": "24 JPEGs of 24 megapixels: 1.5 s each by the clock and 2.6 s of the CPU, start included; at most 0.7 GB. "
    "CPU seconds of the stages: decode 0.27, networks 1.2",
    "memory": "`max_memory` 4GB, texture on 3 %: 100 megapixels peak at 3 GB (1.9 times the bytes of photo and "
    "results) and take 3.1 CPU seconds per megapixel",
    "training": "B-Net 242 edge points in 4.2 s, 1.5 times the floor; with many points of an eighth of the crops,",
}


def write(folder, figures):
    folder.mkdir(parents=True)
    for name, content in figures.items():
        (folder / f"{name}.json").write_text(json.dumps(content))


def words(text):
    return " ".join(text.split())


def test_pages_have_what_the_results_give():
    assert section.main(section.Options(check=True)) == 0


def test_all_files_that_the_script_makes_are_used():
    script = (section.ROOT / "benchmarks" / "run_cpu.sh").read_text()
    made = {line.split()[1] for line in script.splitlines() if line.strip().startswith("bench ")}
    assert made == {name for name, _ in section.BULLETS} | {"edges"}  # edges are a small part, see "estimate"


@pytest.mark.parametrize("name", FIGURES)
def test_a_file_gives_its_bullet_and_no_other(name, tmp_path):
    write(tmp_path / "cpu", {name: FIGURES[name]})
    text = section.section(tmp_path)
    assert words(SAID[name]) in words(text)
    assert text.count("\n- ") == text.count("\n  `python -m benchmarks.it`\n") == 1
    assert "On cpu (x86_64), cores: 2, JAX 0.10.2, at commit abc:" in text
    assert section.NO_GPU.split(".")[0] in text


def test_everything_in_lines_that_are_short_enough(tmp_path):
    write(tmp_path / "cpu", FIGURES)
    write(tmp_path / "gpu", {"training": FIGURES["training"] | {"device": "a GPU"}})
    text = section.section(tmp_path)
    assert text.count("\n- ") == len(FIGURES) + 1
    assert text.index("On cpu") < text.index("On a GPU") and "No figure of a GPU" not in text
    assert max(map(len, text.splitlines())) <= 120


def test_without_files_the_fixed_sentences_are_left(tmp_path):
    assert words(section.section(tmp_path)) == words(f"{section.INTRODUCTION} {section.NO_GPU}")


def test_only_the_text_between_the_markers_is_written(tmp_path, capsys):
    pages = {"readme": tmp_path / "README.md", "page": tmp_path / "performance.md"}
    options = {"results": tmp_path / "results", **pages}
    write(options["results"] / "cpu", {"memory": FIGURES["memory"]})
    for page in pages.values():
        page.write_text(f"before\n{section.START}\nold\n{section.END}\nafter\n")
    assert section.main(section.Options(check=True, **options)) == 1
    said = capsys.readouterr().out
    assert "README.md" in said and "performance.md" in said and "python -m benchmarks.section" in said
    assert section.main(section.Options(**options)) == 0
    for page, text in zip(
        pages.values(), (waiting_table(options["results"]), section.section(options["results"])), strict=True
    ):
        before, after = page.read_text().split(text)
        assert before == f"before\n{section.START}\n\n" and after == f"\n\n{section.END}\nafter\n"
    assert section.main(section.Options(check=True, **options)) == 0
    pages["readme"].write_text("no markers\n")
    with pytest.raises(ValueError, match="the page must have '<!-- performance"):
        section.main(section.Options(**options))
