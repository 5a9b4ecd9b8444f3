"""The limit on memory that a container or a batch system sets, from the files of Linux control groups."""

import math
from pathlib import Path, PurePosixPath

_NONE = 2**62  # version 1 writes a number near 2^63 where there is no limit


def memory_limit(root: Path = Path("/")) -> float:
    """Bytes that the control groups of this process allow, versions 1 and 2; infinity where there are none.

    Args:
      root: of the file system; another one in tests.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return math.inf
    limits = [math.inf]
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            limits += _along(root / "sys/fs/cgroup", group, "memory.max")
        elif "memory" in controllers.split(","):
            limits += _along(root / "sys/fs/cgroup/memory", group, "memory.limit_in_bytes")
    return min(limits)


def _along(mount: Path, group: str, name: str) -> list[float]:
    """Limits of a group and of all above it: each of them holds.

    Inside a container the mount may show the container's own group as its root, and so the group's path not at all.
    """
    inner = PurePosixPath(group.lstrip("/"))
    return [_limit(mount / folder / name) for folder in (inner, *inner.parents)]


def _limit(file: Path) -> float:
    try:
        value = int(file.read_text())
    except (OSError, ValueError):  # not there, or "max"
        return math.inf
    return value if value < _NONE else math.inf
