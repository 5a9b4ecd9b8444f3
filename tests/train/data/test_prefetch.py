import threading
import time

import pytest

from train.data.prefetch import prefetch


def test_steps_come_in_order_whatever_finishes_first():
    def batch(step):
        time.sleep(0.01 if step % 2 else 0)
        return step * 10

    with prefetch(batch, 5, depth=4, num_threads=3) as batches:
        assert [next(batches) for _ in range(6)] == [(step, step * 10) for step in range(5, 11)]


def test_no_more_than_depth_batches_are_made_ahead():
    made = []
    with prefetch(made.append, 0, depth=3, num_threads=2) as batches:
        time.sleep(0.05)
        assert len(made) == 3
        next(batches)
        time.sleep(0.05)
        assert len(made) == 4


def test_an_exception_surfaces_at_its_step_and_closes():
    def batch(step):
        if step == 2:
            raise ValueError("photo gone")
        return step

    batches = prefetch(batch, 0)
    assert [next(batches)[1], next(batches)[1]] == [0, 1]
    with pytest.raises(ValueError, match="photo gone"):
        next(batches)
    assert list(batches) == []


def test_close_ends_the_threads():
    batches = prefetch(lambda step: time.sleep(0.01), 0, depth=8, num_threads=2)
    next(batches)
    batches.close()
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.mark.parametrize("options", [{"depth": 0}, {"num_threads": 0}])
def test_options_are_checked(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be at least 1, got 0"):
        prefetch(lambda step: step, 0, **options)
