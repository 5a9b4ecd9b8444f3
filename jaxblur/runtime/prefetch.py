"""Work done ahead in a thread."""

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Any


def prefetch(
    make: Callable[[Any], Any], items: Iterable[Any], *, depth: int = 2
) -> Generator[Any, None, None]:
    """Yield `make(item)` for each item, made up to `depth` ahead in a thread; its errors come out here, in turn.

    `items` is read in that thread too, no further ahead than the results. A generator is closed there as well: wherever
    a signal stops the caller, no other thread touches it.
    """
    results: queue.Queue[Any] = queue.Queue(maxsize=depth)
    closed = threading.Event()

    def put(item: Any) -> None:
        while not closed.is_set():
            with contextlib.suppress(queue.Full):
                return results.put(item, timeout=0.1)

    def work() -> None:
        try:
            for item in items:
                if closed.is_set():
                    return
                put((make(item), None))
            put(None)
        except BaseException as error:
            put((None, error))
        finally:
            if isinstance(items, Generator):
                items.close()

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    try:
        thread.start()
        while (made := results.get()) is not None:
            result, error = made
            if error is not None:
                raise error
            yield result
    finally:
        closed.set()
        if thread.ident is not None:  # unless a signal came before it ran; it then ends by itself
            thread.join()
