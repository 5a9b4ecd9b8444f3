import numpy as np
import pytest

from jaxblur.files import levels


@pytest.fixture
def narrow(rng) -> np.ndarray:
    """A 16-bit picture of a microscope, 110 to 994."""
    return rng.integers(110, 995, (40, 50, 3)).astype(np.uint16)


def test_used_range_does_not_count_hot_and_dead_pixels(narrow):
    low, high = levels.used_range(narrow)
    assert 110 <= low <= 112 and 992 <= high <= 994
    big = np.full((300, 300), 500, np.uint16)
    big[5, 5], big[200, 7] = 65535, 0
    assert levels.used_range(big) == (500, 500)


def test_narrow_pictures(narrow, rng):
    assert levels.is_narrow(narrow) and levels.is_narrow(np.full((4, 4), 0.5, np.float32))
    assert levels.is_narrow((narrow // 64).astype(np.uint8)) and levels.is_narrow(narrow / np.float32(65535))
    wide = rng.integers(0, 256, (40, 50), dtype=np.uint8)
    assert not levels.is_narrow(wide) and not levels.is_narrow(wide.astype(np.uint16) * 257)
    assert not levels.is_narrow(rng.random((40, 50), dtype=np.float32))


def test_stretch_to_given_levels(narrow):
    made = levels.stretch(narrow, (110, 994))
    assert made.dtype == np.uint16 and made.shape == narrow.shape
    np.testing.assert_allclose(made / 65535, (narrow - 110.0) / 884, atol=1 / 65535)
    clipped = levels.stretch(narrow, (400, 500))
    assert (clipped[narrow <= 400] == 0).all() and (clipped[narrow >= 500] == 65535).all()
    unit = narrow / np.float32(65535)
    made = levels.stretch(unit, (110 / 65535, 994 / 65535))
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, (narrow - 110.0) / 884, atol=1e-5)


def test_8_bits_lose_nothing():
    values = np.arange(10, 30, dtype=np.uint8)[None]
    made = levels.stretch(values, (10, 29))
    np.testing.assert_allclose(made / 65535, (values - 10.0) / 19, atol=1 / 65535)
    assert len(np.unique(made)) == 20


def test_auto(narrow):
    made = levels.stretch(narrow, "auto")
    assert made.min() == 0 and made.max() == 65535 and not levels.is_narrow(made)
    flat = np.full((4, 4), 77, np.uint8)
    np.testing.assert_array_equal(levels.stretch(flat, "auto"), flat.astype(np.uint16) * 257)


@pytest.mark.parametrize("wrong", [(5, 5), (6, 5), (float("nan"), 5), (0, float("inf"))])
def test_levels_that_are_none(narrow, wrong):
    with pytest.raises(ValueError, match="levels must be a black below a white, both finite, got"):
        levels.stretch(narrow, wrong)


@pytest.mark.parametrize("wrong", ["AUTO", 3, (1,), (1, 2, 3), (None, 1), np.arange(3.0)], ids=repr)
def test_levels_that_are_no_two_numbers(narrow, wrong, unchecked):
    message = 'levels must be two numbers, black and white, or "auto", got '
    with pytest.raises(TypeError, match=message) as caught:
        levels.stretch(narrow, wrong)
    assert str(caught.value).isprintable()


def test_levels_may_be_an_array(narrow, unchecked):
    made = levels.stretch(narrow, np.array([110.0, 994.0]))
    np.testing.assert_array_equal(made, levels.stretch(narrow, (110, 994)))
