import math

import numpy as np

from jaxblur import result


def test_in_focus_is_at_most_one_px_and_sure():
    radius, confidence = np.array([[1, 1, 1.01, 0]]), np.array([[0.51, 0.5, 1, 1]])
    np.testing.assert_array_equal(result.in_focus(radius, confidence), [[True, False, False, True]])
    assert result.fraction_in_focus(radius, confidence) == 2 / 3


def test_without_a_sure_pixel_nothing_is_known():
    assert math.isnan(result.fraction_in_focus(np.zeros((2, 2)), np.full((2, 2), 0.5)))


def test_little_evidence():
    confidence = np.zeros((10, 10))
    assert result.has_little_evidence(confidence)
    confidence[:5, 0] = 0.6
    assert not result.has_little_evidence(confidence)
