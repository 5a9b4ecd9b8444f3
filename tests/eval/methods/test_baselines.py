import cv2
import numpy as np
import pytest

from eval.methods import baselines


def _edges_of_blur(sigma, size=64):
    """A photo of straight edges, blurred by a Gaussian."""
    image = np.zeros((size, size + 11, 3), np.float32) + 0.15
    image[:, size // 3 :] = 0.85
    image[size // 2 :, : size // 3] = 0.5
    return np.round(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE) * 255).astype(
        np.uint8
    )


@pytest.mark.parametrize("sigma", [0.8, 1.5, 2.5])
def test_zhuo_sim_reads_the_sigma_of_step_edges(sigma):
    estimate, confidence = baselines.zhuo_sim(_edges_of_blur(sigma))
    assert estimate.shape == confidence.shape == (64, 75)
    assert np.median(estimate) == pytest.approx(sigma, rel=0.22)
    assert confidence.min() >= 0 and confidence.max() <= 1


def test_zhuo_sim_of_odd_and_featureless_photos():
    for shape in ((1, 1, 3), (5, 1, 3), (33, 47, 3)):
        estimate, confidence = baselines.zhuo_sim(np.full(shape, 90, np.uint8))
        assert estimate.shape == shape[:2] and np.isfinite(estimate).all() and (confidence == 0).all()


def test_laplacian_scores_blur_higher(rng):
    sharp = rng.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    scores = [baselines.laplacian(cv2.GaussianBlur(sharp, (0, 0), s))[0] for s in (0.5, 1.0, 2.0, 4.0)]
    assert all((a < b).mean() > 0.99 for a, b in zip(scores[:-1], scores[1:], strict=True))
    flat = baselines.laplacian(np.full((9, 9, 3), 7, np.uint8))[0]
    np.testing.assert_allclose(flat, 1)
    assert scores[0].min() >= 0 and scores[0].dtype == np.float32


def test_constant():
    estimate, confidence = baselines.constant(np.zeros((3, 4, 3), np.uint8), radius=2.5)
    assert (estimate == 2.5).all() and estimate.shape == (3, 4) and confidence is None
