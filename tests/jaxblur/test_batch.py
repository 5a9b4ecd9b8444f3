"""Many photos in order, a few at a time; that results equal those of `estimate` is in test_estimator.py."""

import itertools
import threading

import jax
import numpy as np
import pytest

from jaxblur import batch
from jaxblur.network.config import NetworkConfig
from jaxblur.network.weights import Weights

WEIGHTS = Weights({"nothing": np.zeros(1, np.float32)}, NetworkConfig())


def photo(number, height=9, width=11):
    return np.full((height, width, 3), number % 256, np.uint8)


def number_of(result):
    assert np.ptp(result.radius) == 0
    return round(float(result.radius[0, 0]) * 255)


def stream(photos):
    return batch.estimate_stream(photos, WEIGHTS)


SIZES = [(9, 11), (70, 11), (20, 100), (64, 64), (64, 65)]


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 50])
def test_results_come_in_order_whatever_the_sizes(count, traces, rng):
    shapes = [SIZES[i] for i in rng.integers(0, len(SIZES), count)]
    results = list(stream(photo(i, *shape) for i, shape in enumerate(shapes)))
    assert [number_of(result) for result in results] == list(range(count))
    assert [result.radius.shape for result in results] == shapes


def test_photos_of_one_bucket_share_one_program(traces):
    list(stream(photo(i, height, 7 + i) for i, height in enumerate(range(1, 50))))
    assert traces == [(1, 1, 64, 64)]
    list(stream([photo(0, 64, 64), photo(0, 65, 1)]))
    assert traces == [(1, 1, 64, 64), (1, 1, 128, 64)]


@pytest.mark.parametrize("sizes", [SIZES[:1], SIZES, [SIZES[1], *[SIZES[0]] * 60]])
def test_endless_photos_take_a_bounded_number_ahead(sizes, traces):
    taken = []

    def read():
        for size in itertools.cycle(sizes):
            taken.append(size)
            yield photo(len(taken) - 1, *size)

    results, ahead = stream(read()), []
    for done in range(200):
        assert number_of(next(results)) == done
        ahead.append(len(taken) - done)
    results.close()
    devices = jax.local_device_count()
    # a photo that waits, as many groups as there are sizes, two on the devices, one prepared
    assert max(ahead) <= (batch._PATIENCE + len(set(sizes)) + 4) * devices
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@pytest.mark.parametrize("with_edges", [False, True])
def test_large_photos_are_done_alone_and_in_their_place(with_edges, traces, monkeypatch):
    """A photo beyond the limit goes through `estimate`, which works in parts; the small ones run side by side."""
    large, alone = {3, 4, 40}, []

    def estimate(image, weights, *, edges, config, max_memory):
        alone.append((image[0, 0, 0], edges is not None, max_memory))
        empty = np.zeros(image.shape[:2], bool)
        return batch.BlurEstimate(image[..., 1] / np.float32(255), empty, empty, empty, empty)

    monkeypatch.setattr(batch, "fits_program", lambda photo, weights, config, limit: photo.shape[0] <= 100)
    monkeypatch.setattr(batch, "estimate", estimate)
    photos = [photo(i, 200 if i in large else 9) for i in range(60)]
    edges = [np.ones(p.shape[:2], bool) for p in photos] if with_edges else None
    results = list(batch.estimate_stream(photos, WEIGHTS, edges=edges, max_memory=7.0))
    assert [number_of(result) for result in results] == list(range(60))
    assert alone == [(number, with_edges, 7.0) for number in sorted(large)]


@pytest.mark.parametrize("program", [False, True])
def test_a_cpu_that_is_one_device_takes_photos_as_estimate_does(program, traces, monkeypatch):
    monkeypatch.setattr(batch, "prefers_program", lambda: program)
    monkeypatch.setattr(batch.jax, "local_devices", lambda: jax.devices()[:1])
    alone = []

    def estimate(image, weights, **settings):
        alone.append(image)
        return batch.BlurEstimate(*[image[..., 1] / np.float32(255)] * 5)

    monkeypatch.setattr(batch, "estimate", estimate)
    results = stream([photo(i) for i in range(3)])
    assert [number_of(result) for result in results] == [0, 1, 2]
    assert (len(alone), len(traces)) == ((0, 1) if program else (3, 0))


@pytest.mark.parametrize("place", [0, 3, 8, 21])
def test_a_bad_photo_raises_after_the_results_before_it(place, traces):
    photos = [photo(i, *SIZES[i % 2]) for i in range(30)]
    photos[place] = np.zeros((5, 5, 4), np.uint8)
    results, seen = stream(photos), []
    with pytest.raises(ValueError, match="image must be grey or RGB, got four channels"):
        seen.extend(number_of(result) for result in results)
    assert seen == list(range(place))
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_errors_of_the_reader_come_out_in_their_place(traces):
    def read():
        yield from (photo(i) for i in range(11))
        raise OSError("disk gone")

    results = stream(read())
    assert [number_of(result) for result in itertools.islice(results, 11)] == list(range(11))
    with pytest.raises(OSError, match="disk gone"):
        next(results)


def test_edge_maps_must_be_as_many(traces):
    maps = [np.zeros((9, 11), bool)] * 2
    results = batch.estimate_stream([photo(i) for i in range(3)], WEIGHTS, edges=maps)
    assert [number_of(result) for result in itertools.islice(results, 2)] == [0, 1]
    with pytest.raises(ValueError, match="shorter"):
        next(results)


def test_the_next_photos_are_read_while_the_first_ones_are_used(traces):
    """Whoever uses the first result waits until a photo of the second round was read."""
    far = threading.Event()

    def read():
        for i in range(40):
            if i == 2 * jax.local_device_count():
                far.set()
            yield photo(i)

    results = stream(read())
    assert number_of(next(results)) == 0 and far.wait(timeout=30)
    results.close()


def grouped(programs, size):
    items = [batch._Photo(i, program, (), ()) for i, program in enumerate(programs)]
    return ["".join(f"{i.program}{i.index} " for i in group).strip() for group in batch._groups(items, size)]


def test_groups():
    assert grouped("aabab", 2) == ["a0 a1", "b2 b4", "a3"]
    assert grouped("abc", 1) == ["a0", "b1", "c2"]
    assert grouped("", 3) == []
    # the first has waited for its like long enough: 4 x 2 photos
    assert grouped("abbbbbbbbbb", 2)[:5] == ["b1 b2", "b3 b4", "b5 b6", "b7 b8", "a0"]
