"""README.md's table of what a user waits for, from the figures of a CPU in `benchmarks/results/cpu`."""

import json
from pathlib import Path
from typing import Any

_USUAL = 24.0  # megapixels of a camera


def waiting_table(results: Path) -> str:
    """Lines of a table in Markdown: time of the whole command on one photo, and time of photos by their size.

    A time for 24 megapixels that was not measured is that of the nearest size, by the pixel, and called "about".

    Args:
      results: folder with `cpu/command.json`, `cpu/memory.json` and `cpu/rank.json`; what is missing is left out.
    """
    files = {
        path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (results / "cpu").glob("*.json")
    }
    rows = [*_command(files.get("command")), *_large(files.get("memory")), *_rank(files.get("rank"))]
    return "\n".join(["| what | time |", "|---|---|", *(f"| {what} | {time} |" for what, time in rows)])


def _command(figures: dict[str, Any] | None) -> list[tuple[str, str]]:
    if figures is None:
        return []
    times = {name: duration(figures[name]["seconds"]) for name in ("cold", "kept")}
    return [
        (
            f"the first command, with `{figures['photo']}` of {figures['size'][1]} x {figures['size'][0]} px",
            times["cold"],
        ),
        ("the same command once more", times["kept"]),
    ]


def _large(figures: dict[str, Any] | None) -> list[tuple[str, str]]:
    if figures is None:
        return []
    times = {row["megapixels"]: duration(row["seconds"]) for row in figures["rows"]}
    nearest = min(figures["rows"], key=lambda row: abs(row["megapixels"] - _USUAL))
    if abs(nearest["megapixels"] - _USUAL) > 1:
        times[_USUAL] = f"about {duration(nearest['seconds'] / nearest['megapixels'] * _USUAL)}"
    edges = f"edges on {100 * figures['texture']:.0f} % of its area"
    return [(f"a photo of {_megapixels(size)}, {edges}", times[size]) for size in sorted(times)]


def _rank(figures: dict[str, Any] | None) -> list[tuple[str, str]]:
    if figures is None:
        return []
    memory = f"{figures['all']['peak_bytes'] / 1e9:.1f} GB"
    what = (
        f"each of many photos of {_megapixels(figures['megapixels'])} in `jaxblur rank`, which takes {memory}"
    )
    return [(what, duration(figures["seconds_per_photo"]))]


def _megapixels(size: float) -> str:
    number = f"{size:.3g}"
    return f"{number} megapixel{'' if number == '1' else 's'}"


def duration(seconds: float) -> str:
    """For the eye: "2.6 s", "14 s", "5.5 min", "19 min"."""
    if seconds < 90:
        return f"{float(f'{seconds:.2g}'):g} s"
    return f"{float(f'{seconds / 60:.2g}'):g} min"
