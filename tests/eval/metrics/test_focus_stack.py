import cv2
import numpy as np
import pytest

from eval.metrics import focus_stack
from eval.metrics.focus_stack import PLACE


def test_energy_falls_with_blur_and_finds_the_sharpest_frame(rng):
    sharp = rng.integers(0, 256, (2 * PLACE + 5, 3 * PLACE, 3)).astype(np.uint8)
    frames = [cv2.GaussianBlur(sharp, (0, 0), 0.5 + abs(number - 3)) for number in range(6)]
    energy = np.stack([focus_stack.focus_energy(frame) for frame in frames])
    assert energy.shape == (6, 2, 3)
    distance = focus_stack.frames_from_focus(energy)
    np.testing.assert_array_equal(distance[:, 1, 2], [3, 2, 1, 0, 1, 2])
    assert np.isfinite(distance).all()


def test_a_place_without_texture_or_without_a_peak_is_unknown():
    energy = np.array([[5e-6, 1e-3, 1e-3], [5e-5, 2e-3, 1e-2], [5e-6, 1e-3, 1e-3]])[:, None]
    distance = focus_stack.frames_from_focus(energy)
    assert np.isnan(distance[:, 0, :2]).all()
    np.testing.assert_array_equal(distance[:, 0, 2], [1, 0, 1])


def test_rank_is_one_where_blur_falls_and_rises_and_zero_where_nothing_changes():
    distance = np.array([[1, 0, 1, 2], [3, 2, 1, 0], [0, 1, 2, 3]], float).T
    perfect = 0.5 + 2.0 * distance**2
    assert focus_stack.stack_rank(perfect, distance) == pytest.approx(1)
    assert focus_stack.stack_rank(-perfect, distance) == pytest.approx(-1)
    flat = perfect.copy()
    flat[:, 1] = 2.0
    assert focus_stack.stack_rank(flat, distance) == pytest.approx(2 / 3)
    unknown = distance.copy()
    unknown[:, 2] = np.nan
    assert focus_stack.stack_rank(flat, unknown) == pytest.approx(1 / 2)
    assert np.isnan(focus_stack.stack_rank(perfect, np.full_like(distance, np.nan)))


def test_place_means_leave_out_what_fills_no_place():
    plane = np.zeros((PLACE + 3, 2 * PLACE + 1))
    plane[:PLACE, PLACE : 2 * PLACE] = 4
    plane[PLACE:] = plane[:, -1] = 99
    np.testing.assert_array_equal(focus_stack.place_means(plane), [[0, 4]])
