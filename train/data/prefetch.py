"""Batches made ahead of time by background threads, in order."""

import collections
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

Batch = TypeVar("Batch")


class Prefetcher(Generic[Batch], Iterator[tuple[int, Batch]]):
    """Endless iterator over (step, batch); close it, or use it as a context manager, to stop its threads."""

    def __init__(self, source_fn: Callable[[int], Batch], first_step: int, *, depth: int, num_threads: int):
        self._source_fn = source_fn
        self._executor = ThreadPoolExecutor(num_threads, thread_name_prefix="prefetch")
        self._pending: collections.deque[tuple[int, Future[Batch]]] = collections.deque()
        self._next_step = first_step
        self._closed = False
        for _ in range(depth):
            self._submit()

    def __next__(self) -> tuple[int, Batch]:
        """The next batch; raises what `source_fn` raised for it, and is closed then."""
        if self._closed:
            raise StopIteration
        step, future = self._pending.popleft()
        try:
            batch = future.result()
        except BaseException:
            self.close()
            raise
        self._submit()
        return step, batch

    def close(self) -> None:
        """Drops the batches not yet begun and waits for those in the making."""
        self._closed = True
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._pending.clear()

    def __enter__(self) -> "Prefetcher[Batch]":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _submit(self) -> None:
        self._pending.append((self._next_step, self._executor.submit(self._source_fn, self._next_step)))
        self._next_step += 1


def prefetch(
    source_fn: Callable[[int], Batch], first_step: int, *, depth: int = 4, num_threads: int = 2
) -> Prefetcher[Batch]:
    """Calls `source_fn(step)` for step = first_step, first_step + 1, ... ahead of use.

    Args:
      source_fn: makes the batch of a step; must depend on the step alone and be safe for threads.
      first_step: where to begin.
      depth: most batches kept ready or in the making.
      num_threads: how many batches are made at once.
    Returns:
      An endless iterator over (step, batch), in order of the steps whatever finishes first.
    Raises:
      ValueError: `depth` or `num_threads` is below 1.
    """
    for name, value in (("depth", depth), ("num_threads", num_threads)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    return Prefetcher(source_fn, first_step, depth=depth, num_threads=num_threads)
