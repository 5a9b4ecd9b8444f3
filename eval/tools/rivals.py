"""`python -m eval.tools.rivals`: every method that has a paper, beside the others, on every data set at hand.

python -m eval.tools.rivals pixel4/3=scenes lens=real stack=real composed=photos --output rivals
"""

import dataclasses
import math
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro
from tabulate import tabulate

from eval import cli, schema
from eval.report.summary import Summary, summarise

METHODS = {
    "jaxblur": "multiscale stage of this project",
    "jaxblur+domain-transform": "Karaali, Harte and Jung 2022",
    "jaxblur+multiscale": "",
    "jaxblur+matting": "",
    "jaxblur+guided": "",
    "jaxblur+fgs": "",
    "zhuo-sim+matting": "Zhuo and Sim 2011",
    "zhuo-sim+domain-transform": "",
    "zhuo-sim+multiscale": "",
    "karaali-jung+guided": "Karaali and Jung 2018",
    "karaali-jung+domain-transform": "",
    "karaali-jung+multiscale": "",
    "karaali-jung+fgs": "",
    "park+matting": "Park et al. 2017, without its network",
    "park+domain-transform": "",
    "hifst": "Golestaneh and Karam 2017",
    "lbp": "Yi and Eramian 2016",
    "su-svd": "Su et al. 2011",
    "shi-spectrum": "Shi et al. 2014",
    "shi-gradient": "Shi et al. 2014",
    "laplacian": "Subbarao et al. 1993",
    "constant": "",
}
"""Words of `python -m eval`, and the paper of each; those without one are combinations of parts that have."""

_ERRORS = ("radius_mae", "radius_ai1", "sigma_ai1")
_RANKS = ("stack_spearman", "radius_spearman", "sigma_spearman")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Evaluate all rivals and print one row for each."""

    sets: Annotated[
        tyro.conf.Positional[tuple[str, ...]],
        tyro.conf.arg(metavar="NAME[/REDUCE]=FOLDER", help="Data sets, as python -m eval takes them."),
    ]
    methods: tuple[str, ...] = tuple(METHODS)
    """Words of python -m eval; all rivals by default."""
    output: Path = Path("rivals")
    """Where results go; run it again to continue."""
    count: int = 10
    """Scenes of composed."""


def table(summaries: Sequence[Summary]) -> str:
    """A row for each method; for each data set what there is of error, rank and detection.

    Error is the mean absolute one in px of radius; of a data set without sure scale that after the best affine map.
    Rank is Spearman's. Detection is the area under the ROC curve, of telling a radius above 1 px, or what the masks
    call blurred. Seconds per megapixel are a median over all photos, in brackets where they include compilation.
    """
    sets = list(dict.fromkeys(s.run.dataset for s in summaries))
    columns: list[tuple[str, str, tuple[str, ...]]] = []
    for name in sets:
        found = {m for s in summaries if s.run.dataset == name for m in s.means}
        for title, measures in (("error", _ERRORS), ("rank", _RANKS), ("detection", ("roc_area",))):
            chosen = next((m for m in measures if m in found), None)
            if chosen is not None and not (title == "error" and chosen == "sigma_ai1"):
                columns.append((name, title, (chosen, *_of_scores(title, name, summaries))))
    rows = []
    for method in dict.fromkeys(s.run.method for s in summaries):
        own = {s.run.dataset: s for s in summaries if s.run.method == method}
        cells = [_cell(own.get(name), title, measures) for name, title, measures in columns]
        rows.append([method, METHODS.get(method, ""), *cells, _seconds(list(own.values()))])
    heads = ["Method", "Paper", *(f"{name} {title}" for name, title, _ in columns), "s/Mpx"]
    sides = ["left", "left", *["right"] * (len(columns) + 1)]
    return tabulate(rows, headers=heads, tablefmt="pipe", colalign=sides, disable_numparse=True)


def _of_scores(title: str, name: str, summaries: Sequence[Summary]) -> tuple[str, ...]:
    """Maps without a unit are ranked against the truth in its own unit."""
    if title != "rank":
        return ()
    return tuple({f"{s.run.unit}_spearman" for s in summaries if s.run.dataset == name})


def _cell(summary: Summary | None, title: str, measures: tuple[str, ...]) -> str:
    if summary is None or (title == "error" and summary.run.method_unit == "score"):
        return ""
    return next((f"{summary.means[m]:.2f}" for m in measures if m in summary.means), "")


def _seconds(summaries: Sequence[Summary]) -> str:
    timed = [(r, s.cold) for s in summaries for r in s.images if math.isfinite(r.seconds)]
    warm = [r for r, _ in timed if r.warm]
    if not timed:
        return ""
    value = statistics.median(r.seconds / (r.height * r.width / 1e6) for r in warm or [r for r, _ in timed])
    return f"{value:.2g}" if warm else f"({value:.2g})"


def main(args: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (None: the process's own) and return the exit status of `eval`."""
    arguments = tyro.cli(Arguments, args=args, prog="python -m eval.tools.rivals", description=__doc__)
    words = [*arguments.sets, "--methods", *arguments.methods, "--output", str(arguments.output)]
    words += ["--batch", "1", "--warm-up", "--pictures", "0"]
    if any(word.partition("=")[0] == "composed" for word in arguments.sets):
        words += ["--count", str(arguments.count)]
    status = cli.main(words)
    if status in (0, 1):
        print(f"\n{table(summarise(schema.read(arguments.output)))}")
    return status


if __name__ == "__main__":
    sys.exit(main())
