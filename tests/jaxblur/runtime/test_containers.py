import math
from pathlib import Path

import pytest

from jaxblur.runtime import containers


def make(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


V1 = "12:cpu,cpuacct:/docker/ab\n4:memory:/docker/ab\n1:name=systemd:/docker/ab\n0::/docker/ab\n"
V2 = "0::/user.slice/job\n"


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, math.inf),
        ({"proc/self/cgroup": V2}, math.inf),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/user.slice/job/memory.max": "max\n"}, math.inf),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/user.slice/job/memory.max": "2000000\n"}, 2e6),
        (  # a group above sets less
            {
                "proc/self/cgroup": V2,
                "sys/fs/cgroup/user.slice/job/memory.max": "2000000\n",
                "sys/fs/cgroup/user.slice/memory.max": "1000000\n",
            },
            1e6,
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "3000000\n"}, 3e6),  # within a container
        (
            {"proc/self/cgroup": V1, "sys/fs/cgroup/memory/docker/ab/memory.limit_in_bytes": "4000000\n"},
            4e6,
        ),
        (  # the mount shows the container's own group as its root
            {"proc/self/cgroup": V1, "sys/fs/cgroup/memory/memory.limit_in_bytes": "5000000\n"},
            5e6,
        ),
        (
            {"proc/self/cgroup": V1, "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"},
            math.inf,
        ),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/memory.max": "what?"}, math.inf),
    ],
)
def test_limit(tmp_path, files, limit):
    assert containers.memory_limit(make(tmp_path, files)) == limit


def test_a_limit_of_this_machine_is_no_less_than_the_process_has():
    assert containers.memory_limit() > 5e7
