"""Checks of settings: each by itself, and whether a run may go on under the settings it is given now."""

import dataclasses
import json
from typing import Any

from train import renamed


class ConfigChangedError(ValueError):
    """The run to go on with was started with other settings; the message names them."""


def check_fractions(settings: Any) -> None:
    """Raise ValueError unless every field `..._fraction` or `..._probability` of a dataclass is in [0, 1]."""
    for field in dataclasses.fields(settings):
        if field.name.endswith(("_fraction", "_probability")) and not 0 <= getattr(settings, field.name) <= 1:
            raise ValueError(f"{field.name} must be in [0, 1], got {getattr(settings, field.name)}")


def check_counts(settings: Any, *names: str) -> None:
    """Raise ValueError unless the named fields of a dataclass are at least 1."""
    for name in names:
        if not getattr(settings, name) >= 1:
            raise ValueError(f"{name} must be at least 1, got {getattr(settings, name)}")


def check_config(
    saved: dict[str, Any], current: dict[str, Any], *, ignored: frozenset[str] = frozenset()
) -> None:
    """Compare the settings that a run was started with to those it is given now.

    Args:
      saved: JSON, from a checkpoint; names of older versions are understood.
      current: JSON, with the names of today.
      ignored: top-level names that do not matter.

    Raises:
      ConfigChangedError: they differ; the message names each changed field.
    """
    before, now = renamed.settings(flatten(saved)), flatten(json.loads(json.dumps(current)))
    absent = "absent"
    changes = [
        f"{name}: {before.get(name, absent)!r} -> {now.get(name, absent)!r}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name, absent) != now.get(name, absent) and name.split(".")[0] not in ignored
    ]
    if changes:
        raise ConfigChangedError(
            f"the run was started with other settings ({'; '.join(changes)}); go back to them, start in another "
            "folder, or allow the change"
        )


def flatten(config: Any, prefix: str = "") -> dict[str, Any]:
    """Nested JSON objects as one, by dotted names; an empty object is a value."""
    if not isinstance(config, dict) or not config:
        return {prefix: config}
    parts = (flatten(value, f"{prefix}.{name}" if prefix else name) for name, value in config.items())
    return {name: value for part in parts for name, value in part.items()}
