import numpy as np
import pytest

from eval import padding
from jaxblur import detect_edges


def test_photos_of_one_bucket_share_a_program_and_padding_changes_no_edge(rng, monkeypatch):
    sizes = [(40, 57), (64, 50), (33, 64), (65, 64)]
    photos = [rng.integers(0, 256, (*size, 3)).astype(np.uint8) for size in sizes]
    traces = []

    def traced(image, *, size):
        traces.append(image.shape)
        return detect_edges(image, size=size)

    monkeypatch.setattr(padding, "detect_edges", traced)
    padding._edges.clear_cache()
    found = [padding.edges_of(photo) for photo in photos]
    padding._edges.clear_cache()
    assert traces == [(64, 64, 3), (128, 64, 3)]
    for photo, edges in zip(photos[:2], found, strict=False):
        expected = np.asarray(detect_edges(photo.astype(np.float32) / np.float32(255)))
        assert edges.shape == expected.shape and expected.any()
        np.testing.assert_array_equal(edges, expected)


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (65, 1)])
def test_padding_repeats_the_border(size, rng):
    photo = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    padded, true_size = padding.pad_photo(photo)
    assert (
        tuple(true_size) == size and padded.dtype == np.float32 and not any(n % 64 for n in padded.shape[:2])
    )
    np.testing.assert_array_equal(padded[: size[0], : size[1]], photo.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(
        padded[size[0] :, 0], np.broadcast_to(padded[size[0] - 1, 0], padded[size[0] :, 0].shape)
    )
