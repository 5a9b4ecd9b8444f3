"""Results as files, each written whole or not at all."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np


def unique_names(photos: Iterable[Path]) -> list[str]:
    """One result name per photo: its stem, numbered where a stem returns, so that no two share a name.

    Case does not tell names apart, because it does not on every file system.
    """
    stems = [photo.stem for photo in photos]
    taken = set[str]()
    names = []
    for stem in stems:
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file that appears at `path` once it is complete; an error or interrupt leaves nothing."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            yield file
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an (H, W) or RGB (H, W, 3) array, whole or not at all; the suffix of `path` names the format."""
    ok, encoded = cv2.imencode(path.suffix, image[..., ::-1] if image.ndim == 3 else image)
    if not ok:
        raise OSError(f"{path}: the image could not be encoded")
    with atomic_file(path) as file:
        file.write(encoded.tobytes())


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write named arrays as one .npz, whole or not at all.

    Uncompressed: a blur map only halves, and that takes 41 s for 24 megapixels, more than all other writing.
    """
    members: dict[str, Any] = arrays  # savez also has options of its own, which no array here is
    with atomic_file(path) as file:
        np.savez(file, **members)
