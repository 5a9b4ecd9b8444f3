"""Many photos over the local devices: prepared in a thread, computed side by side, handed out in order."""

import contextlib
import functools
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxblur.config import DEFAULT, Config
from jaxblur.estimator import (
    compiled_program,
    estimate,
    fits_program,
    padded_program,
    prefers_program,
    to_host,
)
from jaxblur.image.size import Tiles, size_bucket
from jaxblur.inputs import ConfigLike, WeightsLike, as_bytes, as_config, as_weights, pad_to_bucket, prepare
from jaxblur.result import BlurEstimate
from jaxblur.runtime import parallel
from jaxblur.runtime.prefetch import prefetch

_PATIENCE = 4  # times the number of devices: photos that one waits for others of its bucket


class _Photo(NamedTuple):
    """A photo padded to its bucket; photos of one `program` can run side by side, a large one has none."""

    index: int
    program: tuple[Tiles, np.dtype] | None
    shape: tuple[int, ...]
    row: tuple[np.ndarray, ...]


def estimate_stream(
    images: Iterable[Any],
    weights: WeightsLike = None,
    *,
    edges: Iterable[Any] | None = None,
    config: ConfigLike = DEFAULT,
    max_memory: float | str | None = None,
) -> Generator[BlurEstimate, None, None]:
    """`estimate` for any number of photos, spread over the local devices; results come one by one, as they are made.

    Photos are taken from `images` in a thread while the devices work: a generator that decodes them costs no time.
    They are taken only a few ahead, so memory does not grow with their number.

    Args:
      images: photos as for `estimate`; sizes may differ. Those of the same size bucket and dtype run side by side,
        one on every device. A CPU that is one device takes them one after the other, as `estimate` does.
      weights: as for `estimate`.
      edges: edge maps of all photos, or None.
      config: as for `estimate`.
      max_memory: as for `estimate`: a photo that needs more is done alone and in parts.

    Yields:
      One `BlurEstimate` per photo, in order; equal to those of `estimate`.

    Raises:
      TypeError, ValueError: as `estimate`, after the results of all photos before; so does any error of `images`.
        Or the number of edge maps differs from that of the photos.

    Examples:
      >>> import numpy as np, jaxblur
      >>> photos = (np.random.default_rng(seed).random((64, 64, 3)) for seed in range(2))
      >>> [result.radius.shape for result in jaxblur.estimate_stream(photos)]
      [(64, 64), (64, 64)]
    """
    weights, config, limit = as_weights(weights), as_config(config), as_bytes(max_memory)
    local = jax.local_devices()  # this host's devices only: each host brings its own photos
    one_by_one = len(local) == 1 and not prefers_program()  # all cores work on each photo then
    replicated = weights if len(local) == 1 else parallel.replicate(weights, devices=local)
    pairs = ((image, None) for image in images) if edges is None else zip(images, edges, strict=True)

    def prepared(numbered: tuple[int, tuple[Any, Any]]) -> _Photo:
        index, (image, own_edges) = numbered
        photo, given = prepare(image, own_edges)
        shape = photo.shape[:2]
        if one_by_one or not fits_program(photo, weights, config, limit):
            return _Photo(index, None, shape, (photo, given))
        tiles = size_bucket(*shape)
        return _Photo(index, (tiles, photo.dtype), shape, pad_to_bucket(photo, given, tiles))

    def launch(group: Sequence[_Photo]) -> BlurEstimate:
        first = group[0]
        if first.program is None:
            photo, given = first.row
            own_edges = None if edges is None else given
            alone = estimate(photo, weights, edges=own_edges, config=config, max_memory=limit)
            return jax.tree.map(lambda plane: plane[None], alone)
        rows = [photo.row for photo in group]
        rows += rows[-1:] * (len(local) - len(rows))
        program = _mapped(config, first.program[0], edges is not None, len(local))
        out = program(replicated, *(np.stack(leaves) for leaves in zip(*rows, strict=True)))
        jax.tree.map(lambda leaf: leaf.copy_to_host_async(), out)
        return out

    done: dict[int, BlurEstimate] = {}
    following = 0
    with contextlib.closing(prefetch(prepared, enumerate(pairs), depth=max(len(local), 2))) as photos:
        for group, out in _one_ahead(launch, _groups(photos, len(local))):
            out = jax.tree.map(np.asarray, out)  # waits for the device
            for place, photo in enumerate(group):
                own = jax.tree.map(lambda leaf, place=place: leaf[place], out)
                done[photo.index] = to_host(own, photo.shape)
            while following in done:
                yield done.pop(following)
                following += 1


def estimate_batch(
    images: Sequence[Any],
    weights: WeightsLike = None,
    *,
    edges: Sequence[Any] | None = None,
    config: ConfigLike = DEFAULT,
    max_memory: float | str | None = None,
) -> list[BlurEstimate]:
    """`estimate` for many photos, spread over the local devices; sizes may differ. The list of `estimate_stream`.

    Args:
      images: photos as for `estimate`.
      weights: as for `estimate`.
      edges: edge maps of all photos, or None.
      config: as for `estimate`.
      max_memory: as for `estimate`.

    Returns:
      One `BlurEstimate` per photo, in order; equal to those of `estimate`.

    Raises:
      TypeError, ValueError: as `estimate`; or the number of edge maps differs from that of the photos.

    Examples:
      >>> import numpy as np, jaxblur
      >>> photos = [np.random.default_rng(seed).random((64, 64, 3)) for seed in range(2)]
      >>> [result.radius.shape for result in jaxblur.estimate_batch(photos)]
      [(64, 64), (64, 64)]
    """
    if edges is not None and len(edges) != len(images):
        raise ValueError(f"edges must be as many as images ({len(images)}), got {len(edges)}")
    return list(estimate_stream(images, weights, edges=edges, config=config, max_memory=max_memory))


@functools.lru_cache(maxsize=64)
def _mapped(config: Config, tiles: Tiles, with_edges: bool, devices: int) -> Any:
    """The program over a leading axis of the local devices; on one device it is the one that `estimate` compiled."""
    if devices > 1:
        return parallel.map_devices(padded_program(config, tiles, with_edges), devices=jax.local_devices())
    program = compiled_program(config, tiles, with_edges)

    def alone(weights: Any, *leaves: np.ndarray) -> BlurEstimate:
        return jax.tree.map(lambda plane: plane[None], program(weights, *(leaf[0] for leaf in leaves)))

    return alone


def _groups(photos: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Photos of one program, `size` at a time; fewer where the first of them has waited long, and at the end.

    A large photo comes at once and alone.
    """
    waiting: dict[Any, list[_Photo]] = {}  # the group whose first photo waits longest comes first
    try:
        for photo in photos:
            if photo.program is None:
                yield [photo]
            else:
                group = waiting.setdefault(photo.program, [])
                group.append(photo)
                if len(group) == size:
                    yield waiting.pop(photo.program)
            oldest = next(iter(waiting.values()), [photo])[0]
            if photo.index - oldest.index >= _PATIENCE * size:
                yield waiting.pop(oldest.program)
    except Exception:  # what came before the bad photo is still done
        yield from waiting.values()
        raise
    yield from waiting.values()


def _one_ahead(launch: Any, groups: Iterable[list[_Photo]]) -> Iterator[tuple[list[_Photo], BlurEstimate]]:
    """Each group and its results, the next group being launched: the device works while results are fetched."""
    flying = None
    try:
        for group in groups:
            launched = group, launch(group)
            if flying is not None:
                yield flying
            flying = launched
    except Exception:
        if flying is not None:
            yield flying
        raise
    if flying is not None:
        yield flying
