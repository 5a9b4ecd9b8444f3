"""Work ahead in a thread, and its end wherever a signal comes."""

import contextlib
import threading

import pytest

from jaxblur.runtime.prefetch import prefetch


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_in_order_and_no_further_ahead_than_told():
    taken = []

    def read():
        for number in range(20):
            taken.append(number)
            yield number

    with contextlib.closing(prefetch(lambda n: n**2, read(), depth=3)) as squares:
        for number, square in enumerate(squares):
            assert square == number**2 and len(taken) <= number + 6
    assert number == 19 and not threads()


@pytest.mark.parametrize("where", ["items", "make"])
def test_an_error_comes_out_after_the_results_before_it(where):
    def read():
        yield from (1, 2)
        if where == "items":
            raise OSError("gone")
        yield 0

    results = prefetch(lambda n: 6 // n, read())
    assert [next(results), next(results)] == [6, 3]
    with pytest.raises(OSError if where == "items" else ZeroDivisionError):
        next(results)
    assert not threads()


def test_a_chain_is_closed_by_the_threads_that_read_it():
    ended = []

    def read():
        try:
            while True:
                yield 1
        finally:
            ended.append(threading.current_thread().name)

    chain = prefetch(lambda n: n + 1, prefetch(lambda n: n + 1, read()))
    assert next(chain) == 3
    chain.close()
    assert ended == ["prefetch"] and not threads()


@pytest.mark.parametrize("method", ["start", "join"])
def test_stopped_while_the_thread_starts_or_ends(monkeypatch, method):
    """A signal raises in the caller between any two steps of Python; the threads end all the same."""
    release, original = threading.Event(), getattr(threading.Thread, method)

    def read():
        yield 1
        release.wait(10)
        yield 2

    def stopped(thread):
        if threading.current_thread() is threading.main_thread() and thread.name == "prefetch":
            if method == "start":
                original(thread)
                release.set()
            raise KeyboardInterrupt
        original(thread)

    chain = prefetch(lambda n: n, prefetch(lambda n: n, read()))
    if method == "join":
        assert next(chain) == 1
    monkeypatch.setattr(threading.Thread, method, stopped)
    with pytest.raises(KeyboardInterrupt):
        next(chain) if method == "start" else chain.close()
    monkeypatch.undo()
    release.set()
    for thread in threads():
        thread.join(10)
    assert not threads()
