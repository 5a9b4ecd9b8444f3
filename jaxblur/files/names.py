"""Names of results, and paths as they are shown."""

import unicodedata
from pathlib import Path


def result_name(photo: Path) -> str:
    """What the results of a photo are called: its file name, without .jpg, whatever else is in the call.

    Other endings stay, so that cat.jpg and cat.png have results of their own.
    """
    return photo.stem if photo.suffix.lower() == ".jpg" else photo.name


def same_file_key(name: str) -> str:
    """Equal for two names that may be the same file on some file system: case and form of accents do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def shown(path: str | Path) -> str:
    """A path, or any text, on one line: what cannot be printed is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(path))
