"""Results as files, each written whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file that appears at `path` once it is complete; an error or interrupt leaves nothing."""
    with atomic_files([path]) as (file,):
        yield file


@contextlib.contextmanager
def atomic_files(paths: list[Path]) -> Iterator[list[IO[bytes]]]:
    """Open binary files that appear at `paths` once all of them are complete and on the disk.

    An error or interrupt before that leaves nothing. Only a process that is killed leaves its unfinished files, hidden,
    named `.jaxblur-*.part`. What goes wrong is an OSError that names the folder.
    """
    token = f"{os.getpid()}-{secrets.token_hex(4)}"
    parts = [path.with_name(f".jaxblur-{token}-{i}.part") for i, path in enumerate(paths)]
    try:
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(open(part, "xb")) for part in parts]
            yield list(files)
            for file in files:
                file.flush()
                os.fsync(file.fileno())
        for part, path in zip(parts, paths, strict=True):
            os.replace(part, path)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(paths[0].parent)) from error
    finally:
        for part in parts:
            with contextlib.suppress(OSError):
                part.unlink()


@contextlib.contextmanager
def folder_lock(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Wait until no other process holds the lock of this folder, and hold it.

    Where the system has no such lock (Windows, some network drives), go on without.

    Raises:
      BlockingIOError: another process holds it, and `wait` is False.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass
        yield
    finally:
        os.close(descriptor)


def encode_image(suffix: str, image: np.ndarray) -> bytes:
    """Bytes of an image file of an (H, W) or RGB (H, W, 3) array; `suffix` names the format."""
    ok, encoded = cv2.imencode(suffix, image[..., ::-1] if image.ndim == 3 else image)
    if not ok:
        raise OSError(f"the image could not be encoded as {suffix}")
    return encoded.tobytes()


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an (H, W) or RGB (H, W, 3) array, whole or not at all; the suffix of `path` names the format."""
    with atomic_file(path) as file:
        file.write(encode_image(path.suffix, image))


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write named arrays as one .npz, whole or not at all."""
    with atomic_file(path) as file:
        save_arrays(file, arrays)


def save_arrays(file: IO[bytes], arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays into an open file as .npz.

    Uncompressed: a blur map only halves, and that takes 41 s for 24 megapixels, more than all other writing.
    """
    members: dict[str, Any] = dict(arrays)  # savez also has options of its own, which no array here is
    np.savez(file, **members)
