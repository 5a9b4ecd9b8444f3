"""`python -m train.tools.average`: the mean of the networks of several runs that went on from one another.

The ends of several runs of one training lie in one wide basin, and their mean can read better than any of them
(docs/ablation.md has figures; Izmailov et al., "Averaging weights leads to wider optima and better generalization",
UAI 2018; Wortsman et al., "Model soups", ICML 2022). The mean over steps that a stage takes itself reaches no further
back than its last thousand or so.
"""

import dataclasses
import sys
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import tyro

from jaxblur.network.config import NetworkConfig
from train.data.config import DataConfig
from train.export.variables import load_initial, parts_in, save_variables
from train.presets import PRESETS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Average the networks of several runs; `python -m train --initial` goes on from the file.

    The runs must have gone on from one another, or from one start: networks of runs apart do not average.

    Example: python -m train.tools.average --variables runs/a/variables.safetensors runs/b/variables.safetensors
    --output mean.safetensors, then
    python -m train --initial mean.safetensors --stages multiscale --photos PHOTOS --output runs/mean
    """

    variables: tuple[Path, ...]
    """Two or more variables.safetensors of runs with the same preset; with --edges one will do."""
    output: Path
    """File to write."""
    edges: tuple[Path, ...] = ()
    """One or more of runs whose f2-NET and E-Net to average instead of those in `variables`."""
    preset: Literal["default", "paper", "smoke"] = "default"
    """Of the runs."""


def average(
    paths: tuple[Path, ...], network: NetworkConfig, edges: tuple[Path, ...] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Mean of every array, batch statistics among them, of variables of one architecture.

    Statistics estimated anew for the mean, as the stages do for theirs, read no better.

    Args:
      paths: of two files or more that `save_variables` wrote, in the order of their training; with `edges` of
        one or more.
      network: their architecture.
      edges: of one file or more to take f2-NET and E-Net from instead; `paths` for none.

    Returns:
      Variables, and facts: those of the last file, on E-Net of the last of `edges`, and the steps of each that was
      averaged, which go on into weights.

    Raises:
      ValueError, FileNotFoundError: too few files; one is missing, of another kind or architecture, or holds
        other networks than the first.
    """
    least = 1 if edges else 2
    if len(paths) < least:
        raise ValueError(f"variables must be two files or more, or one with --edges, got {len(paths)}")
    loaded = {path: load_initial(path, network) for path in (*paths, *edges)}
    wanted = sorted(parts_in(loaded[paths[0]][0]))
    for path, (tree, _) in loaded.items():
        if (found := sorted(parts_in(tree))) != wanted:
            raise ValueError(f"{path}: holds {', '.join(found)}, but {paths[0]} {', '.join(wanted)}")

    def mean(of: tuple[Path, ...]) -> dict[str, Any]:
        return jax.tree.map(lambda *leaves: jnp.mean(jnp.stack(leaves), axis=0), *(loaded[p][0] for p in of))

    def facts(name: str, of: tuple[Path, ...]) -> dict[str, Any]:
        last = {key: fact for key, fact in loaded[of[-1]][1].items() if key.startswith(f"{name}_")}
        if len(of) == 1:
            return last
        return {**last, f"{name}_mean_of": [loaded[path][1].get(f"{name}_steps") for path in of]}

    depth = edges or paths
    both, own = mean(paths), mean(depth)
    variables = {
        kind: {part: (own[kind] if part in ("f2", "e") else tree)[part] for part in tree}
        for kind, tree in both.items()
    }
    others = {key: fact for key, fact in loaded[paths[-1]][1].items() if not key.startswith("edges_")}
    return variables, {**others, **facts("blur", paths), **facts("edges", depth)}


def main(args: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = tyro.cli(Arguments, args=args, prog="python -m train.tools.average")
    try:
        variables, facts = average(
            options.variables, PRESETS[options.preset](DataConfig()).network, options.edges
        )
        options.output.parent.mkdir(parents=True, exist_ok=True)
        save_variables(options.output, variables, facts)
    except (ValueError, OSError) as error:
        print(f"python -m train.tools.average: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
