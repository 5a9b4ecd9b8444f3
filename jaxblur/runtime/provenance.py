"""Where figures and weights come from."""

import hashlib
import subprocess
from pathlib import Path


def commit() -> str:
    """Git commit of this code, with "+" and a hash of what was changed since; "unknown" outside a repository."""

    def git(*arguments: str) -> bytes:
        command = ["git", "--no-optional-locks", *arguments]
        return subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, check=True).stdout

    try:
        name = git("describe", "--always", "--abbrev=12", "--exclude=*").decode().strip()
        changes = git("diff", "HEAD", "--", ":/*.py")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{name}+{hashlib.sha256(changes).hexdigest()[:8]}" if changes else name
