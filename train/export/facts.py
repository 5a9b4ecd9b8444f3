"""What weights tell about their training: steps, samples and the last validation of every stage."""

from pathlib import Path
from typing import Any

from train import renamed
from train.writers import read_curve

_COUNTS = {"step": "steps", "samples": "samples"}
_NO_FIGURES = ("kind", "step", "samples", "seconds")


def stage_facts(folder: Path, name: str, before: dict[str, Any]) -> dict[str, Any]:
    """Facts on one stage of a run, from its curve.

    Args:
      folder: of the run.
      name: of the stage.
      before: facts of the run that this one started from: its counts are added, and what the stage did not do here
        stays.

    Returns:
      `NAME_steps`, `NAME_samples`, `NAME_validation` (figures by name) and what else `before` has of the stage.
    """
    out = {key: value for key, value in before.items() if key.startswith(f"{name}_")}
    curve = renamed.stage_folder(folder, name) / "curve.jsonl"
    lines = read_curve(curve) if curve.exists() else []  # none: the stage was not trained here
    if lines:
        counts = {f"{name}_{fact}": lines[-1][key] for key, fact in _COUNTS.items()}
        out |= {fact: before.get(fact, 0) + count for fact, count in counts.items()}
    validations = [line for line in lines if line["kind"] == "validation"]
    if validations:
        figures = {key: value for key, value in validations[-1].items() if key not in _NO_FIGURES}
        out[f"{name}_validation"] = renamed.facts(
            {key: None if value is None else round(value, 4) for key, value in figures.items()}
        )
    return out
