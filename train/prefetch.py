"""Work done ahead in a thread."""

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Any


def prefetch(
    make: Callable[[int], Any], steps: Iterable[int], *, depth: int = 2
) -> Generator[Any, None, None]:
    """Yield `make(step)` for each step, made up to `depth` ahead in a thread; its errors come out here."""
    results: queue.Queue[Any] = queue.Queue(maxsize=depth)
    closed = threading.Event()

    def put(item: Any) -> None:
        while not closed.is_set():
            with contextlib.suppress(queue.Full):
                return results.put(item, timeout=0.1)

    def work() -> None:
        try:
            for step in steps:
                if closed.is_set():
                    return
                put((make(step), None))
            put(None)
        except BaseException as error:
            put((None, error))

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while (item := results.get()) is not None:
            batch, error = item
            if error is not None:
                raise error
            yield batch
    finally:
        closed.set()
        thread.join()
