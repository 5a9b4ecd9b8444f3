import json

import cv2
import numpy as np
import pytest

import jaxblur
from eval.tools import half_size


def _estimate(radius, confidence):
    shape = radius.shape
    empty = np.zeros(shape, bool)
    return jaxblur.BlurEstimate(
        radius=radius.astype(np.float32),
        confidence=confidence.astype(np.float32),
        edges=empty,
        depth_edges=empty,
        sparse_radius=np.full(shape, np.nan, np.float32),
    )


def test_agreement_counts_where_both_are_sure_and_the_photo_is_blurred():
    radius = np.full((9, 12), 4.0)  # an odd row has no partner
    radius[:, 6:] = 1.0  # too sharp to count
    half = np.full((4, 6), 2.0)
    half[0] = 8.0  # not sure there
    sure = np.ones((4, 6))
    sure[0] = 0.1
    options = {"confidence": 0.5, "least_radius": 2.0}
    found = half_size.agreement(_estimate(radius, np.ones((9, 12))), _estimate(half, sure), **options)
    assert found == (1.0, 9 / 24)
    half[1:] = 1.6
    found = half_size.agreement(_estimate(radius, np.ones((9, 12))), _estimate(half, sure), **options)
    assert found.ratio == pytest.approx(1.25)
    none = half_size.agreement(_estimate(radius, np.zeros((9, 12))), _estimate(half, sure), **options)
    assert np.isnan(none.ratio) and none.fraction == 0


def test_command(tmp_path, rng, monkeypatch, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    cv2.imwrite(str(photos / "a.png"), rng.integers(0, 256, (20, 24, 3)).astype(np.uint8))

    def estimate(image, weights):  # blur in proportion to the size: perfect agreement
        return _estimate(np.full(image.shape[:2], image.shape[0] / 5), np.ones(image.shape[:2]))

    monkeypatch.setattr(jaxblur, "estimate", estimate)
    assert half_size.main([str(photos), "--json", str(tmp_path / "out.json")]) == 0
    assert "a.png" in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text())["photos"] == {
        "a.png": {"ratio": 1.0, "fraction": 1.0}
    }
    assert half_size.main([str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
