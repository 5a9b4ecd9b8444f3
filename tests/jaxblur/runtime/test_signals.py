"""The first signal ends the work in order, the second at once, even where Python is busy in C."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from jaxblur.runtime import signals

CODE = """
import sys, time
from jaxblur.runtime import signals
try:
    with signals.stop_in_order():
        try:
            print("ready", flush=True)
            {work}
        finally:
            print("cleaning", flush=True)
            {cleaning}
except signals.Stopped as stopped:
    print(stopped, flush=True)
    sys.exit(stopped.status)
"""


def start(work="time.sleep(60)", cleaning="pass"):
    process = subprocess.Popen(
        [sys.executable, "-c", CODE.format(work=work, cleaning=cleaning)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_ends_in_order(number, status):
    with start() as process:
        process.send_signal(number)
        out, _ = process.communicate(timeout=30)
    assert out == f"cleaning\n{number.name}\n" and process.returncode == status


@pytest.mark.parametrize(
    ("first", "second"), [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)]
)
def test_the_second_ends_at_once(first, second):
    with start(cleaning="time.sleep(60)") as process:
        process.send_signal(first)
        assert process.stdout is not None and process.stdout.readline() == "cleaning\n"
        process.send_signal(second)
        out, _ = process.communicate(timeout=30)
    assert out == "" and process.returncode == 128 + second


def test_the_second_ends_at_once_while_python_is_busy():
    """`system` goes on after a signal, as a compiler does, and Python hears of it only afterwards."""
    work = "__import__('ctypes').CDLL(None).system(b'sleep 30')"
    with start(work) as process:
        time.sleep(0.3)
        begin = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
    assert process.returncode == 143 and time.perf_counter() - begin < 25


def test_everything_is_as_before_afterwards():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with signals.stop_in_order():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert not [thread for thread in threading.enumerate() if thread.name == "signals"]
    with pytest.raises(signals.Stopped), signals.stop_in_order():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert signal.getsignal(signal.SIGTERM) == before[1]


def test_what_belongs_together_is_finished_first():
    done = []
    with pytest.raises(signals.Stopped, match="SIGTERM"), signals.stop_in_order():
        with signals.finish_first():
            with signals.finish_first():
                os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
            done.append("inner")
        done.append("outer")
    assert done == ["inner"]


def test_what_is_ignored_stays_ignored():
    old = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with signals.stop_in_order():
            for _ in range(3):
                os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, old)


def test_other_threads_change_nothing():
    found = []

    def work():
        with signals.stop_in_order():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]
