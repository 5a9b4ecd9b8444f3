"""Whether a run may go on under the settings it is given now."""

import json
from typing import Any


class ConfigChangedError(ValueError):
    """The run to go on with was started with other settings; the message names them."""


def check_config(saved: dict[str, Any], current: dict[str, Any]) -> None:
    """Raise ConfigChangedError, naming each changed field, unless two JSON configurations agree."""
    before, now = _flatten(saved), _flatten(json.loads(json.dumps(current)))
    absent = "absent"
    changes = [
        f"{name}: {before.get(name, absent)!r} -> {now.get(name, absent)!r}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name, absent) != now.get(name, absent)
    ]
    if changes:
        raise ConfigChangedError(
            "the run was started with other settings ("
            + "; ".join(changes)
            + "); go back to them, start in another "
            "folder, or allow the change"
        )


def _flatten(config: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(config, dict) or not config:
        return {prefix: config}
    parts = (_flatten(value, f"{prefix}.{name}" if prefix else name) for name, value in config.items())
    return {name: value for part in parts for name, value in part.items()}
