import math

import pytest

from jaxblur.runtime import memory


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GB", 4e9),
        ("4 gb", 4e9),
        ("1.5GiB", 1.5 * 2**30),
        ("800M", 8e8),
        (" 12kB ", 12e3),
        ("4000000000", 4e9),
        ("7b", 7),
        ("2TiB", 2**41),
    ],
)
def test_parse_size(text, size):
    assert memory.parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "GB", "4 apples", "-4GB", "0", "0GB", "1e9", "4GBB", "4,5GB", "nan", "inf"]
)
def test_no_size(text):
    with pytest.raises(ValueError, match="max_memory must be a number with a unit.* got ") as error:
        memory.parse_size(text)
    assert repr(text) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("size", "text"), [(3.61e9, "3.7 GB"), (4e9, "4 GB"), (850e6, "850 MB"), (999.1e6, "1 GB"), (1, "1 MB")]
)
def test_format_size_rounds_up(size, text):
    assert memory.format_size(size) == text
    assert memory.parse_size(text) >= size


def test_machine_memory(monkeypatch):
    assert 1e8 < memory.machine_memory() < 1e15
    monkeypatch.setattr(memory.containers, "memory_limit", lambda: 2e8)
    assert memory.machine_memory() == 2e8 and memory.limit(None) == 1e8
    monkeypatch.setattr(memory.containers, "memory_limit", lambda: math.inf)
    assert 1e8 < memory.machine_memory() < 1e15


def test_release_unused_where_there_is_nothing_to_call(monkeypatch):
    memory.release_unused()

    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(memory.ctypes, "CDLL", missing)
    memory.release_unused()


def need(side, tile=512, scales=1, fraction=memory.DETECTED_EDGES, **changes):
    options = {"photo_bytes": 3, "edge_fractions": [fraction] * scales, "multiscale": scales > 1} | changes
    return memory.strips_need(side, side, tile=tile, **options)


def test_need_of_strips():
    assert need(10_000) < 4e9 < memory.program_need(10_000, 10_000, multiscale=False)
    assert need(1000, 128) < need(1000, 128, workers=3) < need(1000)
    assert need(9000, photo_bytes=12) - need(9000) == pytest.approx(9 * 9000**2)
    assert need(9000, fraction=1) - need(9000, fraction=0) == pytest.approx(16 * 9000**2)


def test_need_of_the_fusion():
    """Another plane of float32, and points of all scales."""
    assert need(10_000) < need(10_000, scales=4) < 4e9 < memory.program_need(10_000, 10_000, multiscale=True)
    # Measured with python -m benchmarks.bench_memory --megapixels 1 4 16 --max-memory 23GB.
    for side, measured in ((1000, 3.25e9), (2000, 3.58e9), (4000, 5.90e9)):
        assert measured < memory.program_need(side, side, multiscale=True) < 1.15 * measured
    points = 8 * (1 + 1 / 4) + 4  # of two scales where every pixel is one, and the radius at the finest
    one, none = (need(9000, 128, scales=2, fraction=fraction) for fraction in (1, 0))
    assert one - none == pytest.approx(points * 9000**2)
