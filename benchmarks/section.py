"""What README.md and docs/performance.md say about speed, written from the figures in `benchmarks/results`.

    benchmarks/run_cpu.sh benchmarks/results/cpu && python -m benchmarks.section
    python -m benchmarks.section --check

Figures of a GPU, from `run_gpu.sh`, belong into `benchmarks/results/gpu`. A file that is not there is left out. With
`--check` nothing is written, and the exit status is 1 if the text is not what the files give.
"""

import dataclasses
import json
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import tyro

from benchmarks.waiting import waiting_table

ROOT = Path(__file__).resolve().parents[1]
START, END = "<!-- performance: python -m benchmarks.section -->", "<!-- end -->"

INTRODUCTION = (
    "Each script prints a table and writes it as JSON with commit, device, sizes, medians and spread; "
    "[benchmarks/results](../benchmarks/results) holds the files that this section is made from "
    "(`python -m benchmarks.section`). All that is compared took turns in one run. The floor is the arithmetic of the "
    "networks at the rate of a large float32 matrix product, and bytes at that of a copy, both measured in that run. "
    "Other programs may have used the machine too: the least and most times tell."
)
NO_GPU = (
    "No figure of a GPU was taken yet. `benchmarks/run_gpu.sh FOLDER` takes them all, without network: 1 and 12 "
    "megapixels, domain transform in both forms, networks, TF32 and bfloat16 against float32, batches, training."
)


@dataclasses.dataclass(frozen=True)
class Options:
    check: bool = False  # whether the pages have this text, instead of writing it
    results: Path = ROOT / "benchmarks" / "results"
    readme: Path = ROOT / "README.md"  # has the table of what a user waits for
    page: Path = ROOT / "docs" / "performance.md"  # has all figures


def number(value: float, digits: int = 3) -> str:
    """The number with so many digits that count."""
    return f"{float(f'{value:.{digits}g}'):,.12g}"


def numbers(values: Iterable[float], digits: int = 2) -> str:
    return ", ".join(number(value, digits) for value in values)


def ratio(value: float | None) -> str:
    """To the floor, in words; nothing where there was no work to do."""
    return "" if value is None else f", {number(value, 2)} times the floor"


def warm(row: dict[str, Any]) -> str:
    height, width = row["size"]
    seconds, points = row["warm"], " + ".join(f"{count:,}" for count in row["edge_points"])
    text = (
        f"{row['photo']}, {width} x {height} px, {points} edge points: {number(seconds['median'])} s "
        f"({number(seconds['least'])} to {number(seconds['most'])} in {seconds['runs']} runs)"
        f"{ratio(row['ratio_to_floor'])}"
    )
    if "patchwise" in row:
        form = row["patchwise"]
        text += (
            f"; with the networks patch-wise, on a patch around each point, {number(form['speedup'])} times as long "
            f"(scaled up from {form['sample_points']} points)"
        )
    return text + "."


def estimate(figures: dict[str, Any]) -> str:
    return "**Warm**, shipped weights: " + " ".join(map(warm, figures["rows"]))


def parity(figures: dict[str, Any]) -> str:
    return "**Warm**, published weights and settings: " + " ".join(map(warm, figures["rows"]))


def command(figures: dict[str, Any]) -> str:
    cold, kept = figures["cold"], figures["kept"]
    return (
        f"**Command**, `jaxblur estimate {figures['photo']}` to its files: {number(cold['seconds'], 2)} s with nothing "
        f"compiled ({number(cold['cpu_seconds'], 2)} s of the CPU), {number(kept['seconds'], 2)} s with programs kept "
        f"({number(kept['cpu_seconds'], 2)} s of the CPU)."
    )


def batch(figures: dict[str, Any]) -> str:
    many = figures["rows"][0]["many"]
    half = many["photos"] // 2
    first, second = half / many["first_half_seconds"], (many["photos"] - half) / many["second_half_seconds"]
    peaks = [f"{many[key] / 1e6:,.0f} MB" for key in ("peak_bytes_at_half", "peak_bytes_at_end")]
    text = (
        f"**Many photos**, `estimate_stream`: {many['photos']:,} without edges ({many['side']} px), {number(first)} "
        f"per second in the first half and {number(second)} in the second; peak {peaks[0]} at half, {peaks[1]} at the "
        "end."
    )
    for row in figures["rows"]:
        most, devices = row["rows"][-1], row["devices"]
        text += (
            f" {most['photos']} photos of {row['side']} px on {devices} device{'s' if devices > 1 else ''}: "
            f"{number(most['median'])} s{ratio(most['ratio_to_floor'])}."
        )
    return text + " Results are equal on 1 and 8 devices (`pytest tests/eval/test_runner.py`)."


def networks(figures: dict[str, Any]) -> str:
    rate = figures["matmul_gflops"]
    maps, heads = (number(figures[part + "_gflops"] / rate, 2) for part in ("maps", "heads"))
    return (
        f"**Networks** over a photo, dense form: {maps} of the rate of a large matrix product "
        f"({number(rate)} GFLOP/s); heads at edge points {heads}."
    )


def domain_transform(figures: dict[str, Any]) -> str:
    form = "scan" if figures["device"].startswith("cpu") else "associative"
    rows = {(row["form"], row["channels"], row["side"]): row for row in figures["rows"]}
    sides = sorted({side for _, _, side in rows})
    against_rival, against_floor = [], []
    for channels in sorted({channels for _, channels, _ in rows}):
        own = [rows[form, channels, side] for side in sides]
        name = f"({channels} channel{'s' if channels > 1 else ''})"
        against_floor.append(f"{numbers(row['ratio_to_floor'] for row in own)} {name}")
        rivals = [rows.get(("cv2.ximgproc.dtFilter", channels, side)) for side in sides]
        if all(rivals):
            pairs = zip(own, rivals, strict=True)
            ratios = [mine["seconds"]["least"] / rival["seconds"]["least"] for mine, rival in pairs if rival]
            against_rival.append(f"{numbers(ratios)} {name}")
    text = f"**Domain transform**, {form}, at {', '.join(map(str, sides))} px, times as long as"
    if against_rival:
        text += f" OpenCV's dtFilter (C++, one thread): {', '.join(against_rival)}; as"
    return f"{text} the floor: {', '.join(against_floor)}."


def training(figures: dict[str, Any]) -> str:
    parts = []
    for stage, name in (("blur", "B-Net"), ("edges", "E-Net")):
        f = figures[stage]
        few = f["few"]
        parts.append(
            f"{name} {number(few['edge_points'])} edge points in {number(few['seconds']['median'])} s, "
            f"{number(few['ratio_to_floor'])} times the floor; with many points of an eighth of the crops, variance of "
            f"the gradient times seconds is {number(f['ratio'])} times as high"
        )
    return f"**Training**, a gradient from few points of many crops: {'; '.join(parts)}."


def memory(figures: dict[str, Any]) -> str:
    rows = figures["rows"]
    return (
        f"**Large photos**, `max_memory` {figures['max_memory']}, texture on {number(100 * figures['texture'])} %: "
        f"{numbers((row['megapixels'] for row in rows), 3)} megapixels peak at "
        f"{numbers(row['peak_bytes'] / 1e9 for row in rows)} GB "
        f"({numbers(row['ratio_to_floor_bytes'] for row in rows)} times the bytes of photo and results) and take "
        f"{numbers(row['cpu_seconds_per_megapixel'] for row in rows)} CPU seconds per megapixel."
    )


def rank(figures: dict[str, Any]) -> str:
    stages = figures["cpu_seconds_of_stages"]
    parts = ", ".join(f"{name} {number(seconds['median'], 2)}" for name, seconds in stages.items())
    return (
        f"**Order of sharpness**, {figures['photos']} JPEGs of {number(figures['megapixels'])} megapixels: "
        f"{number(figures['seconds_per_photo'], 2)} s each by the clock and "
        f"{number(figures['cpu_seconds_per_photo'], 2)} s of the CPU, start included; "
        f"at most {number(figures['all']['peak_bytes'] / 1e9, 2)} GB. CPU seconds of the stages: {parts}."
    )


def settings(figures: dict[str, Any]) -> str:
    first, *others = figures["rows"]
    parts = [
        f"`{row['settings']}` {number(row['ratio'], 2)} (its map differs by {number(row['map_difference_mean'], 2)} px "
        "in the mean)"
        for row in others
    ]
    return f"**Settings**, time relative to `{first['settings']}`: {', '.join(parts)}."


BULLETS: Sequence[tuple[str, Callable[[dict[str, Any]], str]]] = (
    ("estimate", estimate),
    ("parity", parity),
    ("command", command),
    ("settings", settings),
    ("batch", batch),
    ("networks", networks),
    ("domain_transform", domain_transform),
    ("rank", rank),
    ("memory", memory),
    ("training", training),
)


def origin(figures: dict[str, Any]) -> dict[str, Any]:
    """What has device, commit and command: all the figures, or each row by itself."""
    return figures if "command" in figures else figures["rows"][0]


def paragraph(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 118, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def list_of(folder: Path) -> str:
    """Where the figures of a folder are from, and a bullet for each with the command; nothing without figures."""
    found = {
        path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))
    }
    bullets, origins = [], []
    for name, describe in BULLETS:
        text = describe(found[name]) if name in found else ""
        if text:
            origins.append(origin(found[name]))
            bullets.append(f"{paragraph('- ' + text, '  ')}\n  `{origins[-1]['command']}`")
    if not bullets:
        return ""
    machines = {f"{o['device']}, cores: {o['cores']}, JAX {o['jax']}" for o in origins}
    commits = sorted({o["commit"] for o in origins})
    heading = f"On {' and '.join(sorted(machines))}, at commit {', '.join(commits)}:"
    return paragraph(heading) + "\n\n" + "\n".join(bullets)


def section(results: Path) -> str:
    """The section that the files in these results give."""
    gpu = list_of(results / "gpu") or paragraph(NO_GPU)
    return "\n\n".join(part for part in (paragraph(INTRODUCTION), list_of(results / "cpu"), gpu) if part)


def replace_section(page: str, text: str) -> str:
    """The page with this text between its two markers.

    Raises:
      ValueError: it has not got them.
    """
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"the page must have {START!r} and behind it {END!r}")
    return f"{before}{START}\n\n{text}\n\n{END}{after}"


def main(options: Options) -> int:
    status = 0
    for path, text in (
        (options.readme, waiting_table(options.results)),
        (options.page, section(options.results)),
    ):
        present = path.read_text(encoding="utf-8")
        wanted = replace_section(present, text)
        if present != wanted and options.check:
            print(f"{path.name}: it differs from the results: python -m benchmarks.section")
            status = 1
        elif present != wanted:
            path.write_text(wanted, encoding="utf-8")
    return status


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Options, description=__doc__)))
