import pytest

from jaxblur.image.size import round_up


@pytest.mark.parametrize(
    ("length", "rounded"), [(1, 64), (64, 64), (65, 80), (112, 112), (113, 128), (129, 160), (4000, 4096)]
)
def test_lengths_are_rounded_up_to_few(length, rounded):
    assert round_up(length) == rounded


def test_at_most_a_quarter_is_added():
    rounded = [round_up(length) for length in range(64, 3000)]
    assert all(length <= up <= 1.25 * length and up % 16 == 0 for length, up in enumerate(rounded, start=64))
    assert len(set(rounded)) == 5 * 4 + 3  # five doublings from 64 to 2048; 2048, 2560, 3072
