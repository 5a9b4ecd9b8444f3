import csv

import cv2
import numpy as np
import pytest

from train.data.gate import GateConfig, edge_blur, rejection


def slanted_step(angle, sigma=0.0, *, size=64, finer=8):
    """A step from 40 to 210 through the middle, drawn finely, blurred, and integrated over pixels."""
    row, col = (np.mgrid[: size * finer, : size * finer] + 0.5) / finer - size / 2
    fine = (row * np.cos(angle) + col * np.sin(angle) > 0.3).astype(np.float32)
    if sigma:
        fine = cv2.GaussianBlur(fine, (0, 0), sigma * finer)
    encoded = 40 + 170 * cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA)
    return np.repeat(np.rint(encoded).astype(np.uint8)[..., None], 3, axis=-1)


def disk_blurred(image, radius):
    row, col = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (row**2 + col**2 <= (radius + 0.3) ** 2).astype(np.float32)
    return cv2.filter2D(image, -1, disk / disk.sum(), borderType=cv2.BORDER_REFLECT)


@pytest.mark.parametrize("sigma", [0.7, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("angle", [0.0, 0.3, 0.8, np.pi / 2, 2.1])
def test_a_gaussian_step_reads_its_sigma(sigma, angle):
    points, measured, height = edge_blur(slanted_step(angle, sigma))
    middle = np.abs(points - 32).max(axis=1) < 20
    assert middle.sum() > 30
    assert np.median(measured[middle]) == pytest.approx(sigma, abs=0.15)
    assert (height[middle] > 30).all()


@pytest.mark.parametrize("angle", [0.0, 0.3, 0.8, np.pi / 2])
def test_a_perfect_step_is_sharp(angle):
    points, measured, height = edge_blur(slanted_step(angle))
    middle = np.abs(points - 32).max(axis=1) < 20
    assert np.median(measured[middle]) < 0.15
    assert np.median(height[middle]) == pytest.approx(170, rel=0.05)


def test_a_flat_image_has_no_edges():
    assert edge_blur(np.full((20, 30, 3), 90, np.uint8)).points.shape == (0, 2)
    assert rejection(np.full((20, 30, 3), 90, np.uint8), GateConfig()) == "no clear edges"


def test_weak_noise_is_no_clear_edge(rng):
    noise = np.clip(rng.normal(90, 2, size=(60, 60, 3)), 0, 255).astype(np.uint8)
    assert rejection(noise, GateConfig()) == "no clear edges"


def test_a_clear_edge_on_a_surface_of_weak_noise_is_not_enough(rng):
    plain = np.full((64, 64, 3), 90, np.uint8)
    plain[:8] = 200
    assert rejection(plain, GateConfig()) == ""
    # Of the edges, those of the noise are the most by far. On pairs of pixels it is not softer than a step.
    noise = np.repeat(np.repeat(rng.uniform(-5, 5, size=(32, 32, 1)), 2, axis=0), 2, axis=1)
    noisy = np.rint(plain + noise).astype(np.uint8)
    assert rejection(noisy, GateConfig()) == "mostly low-contrast edges"
    assert rejection(noisy, GateConfig(min_median_step=3.0)) == ""


def test_clipped_crops_are_rejected():
    image = slanted_step(0.3)
    image[image > 100] = 255
    assert rejection(image, GateConfig()) == "clipped"
    assert rejection(image, GateConfig(max_clipped_fraction=1.0, max_sigma=0.6)) == ""


def test_one_blurred_cell_is_enough_to_reject():
    stripes = np.where(np.arange(112) // 7 % 2, 190, 60).astype(np.uint8)
    sharp = np.broadcast_to(stripes[None, :, None], (112, 112, 3)).copy()
    partly = sharp.copy()
    partly[28:56, 28:56] = disk_blurred(sharp, 2)[28:56, 28:56]
    assert rejection(sharp, GateConfig()) == ""
    assert rejection(partly, GateConfig()) == "blurred"
    elsewhere = np.ones((112, 112), bool)
    elsewhere[24:60, 24:60] = False
    assert rejection(partly, GateConfig(), mask=elsewhere) == ""


def test_limits_must_be_positive():
    with pytest.raises(ValueError, match="gate.max_sigma must be positive, got 0"):
        GateConfig(max_sigma=0)


def test_sharp_photos_pass_and_their_blurred_copies_fail(shared):
    with (shared / "photos" / "photos.csv").open(newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["file"].startswith("kodak") and row["sharp_everywhere"] == "1"
        ]
    passed = blurred_passed = 0
    for row in rows[:8]:
        image = cv2.imread(str(shared / "photos" / row["file"]))[..., ::-1]
        middle = np.ascontiguousarray(image[200:312, 200:312])
        passed += rejection(middle, GateConfig()) == ""
        blurred_passed += rejection(disk_blurred(middle, 2), GateConfig()) == ""
    assert passed >= 3  # the middle of a photo is not always its sharpest part
    assert blurred_passed == 0
