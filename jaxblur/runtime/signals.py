"""Ctrl-C and SIGTERM: the first ends the work in order, the second ends the process at once."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_held: list[
    list[int]
] = []  # signals that wait, in the first of one list for every `finish_first` that is going on


class Stopped(KeyboardInterrupt):
    """Raised in the main thread by the first signal; `status` is the exit status that tells of it."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


@contextlib.contextmanager
def stop_in_order() -> Iterator[None]:
    """Raise `Stopped` at the first SIGINT or SIGTERM, and end the process at the second.

    Python delivers a signal only between two of its own steps, which may be a minute away while a program is compiled.
    So a thread, which is told of every signal at once, ends the process at the second one. Signals that the process was
    told to ignore stay ignored. Outside the main thread nothing changes.
    """
    taken = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: object) -> None:
        if not _held:
            raise Stopped(number)
        _held[0].append(number)

    def watch() -> None:
        count = 0
        while received := ours.recv(1):
            count += received[0] in taken
            if count == 2:
                os._exit(128 + received[0])

    ours, pythons = socket.socketpair()
    pythons.setblocking(False)
    old_descriptor = signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
    old_handlers = {number: signal.signal(number, stop) for number in taken}
    watcher = threading.Thread(target=watch, name="signals", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        for number, handler in old_handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(old_descriptor)
        pythons.close()
        watcher.join()
        ours.close()


@contextlib.contextmanager
def finish_first() -> Iterator[None]:
    """Let a first signal wait until this is done, within `stop_in_order`: what belongs together is written together."""
    _held.append([])
    try:
        yield
    finally:
        waiting = _held.pop()
    if waiting and not _held:
        raise Stopped(waiting[0])
