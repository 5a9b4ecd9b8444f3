import numpy as np

from eval import bucket
from jaxblur import detect_edges, size_bucket


def test_photos_of_one_bucket_share_a_program_and_padding_changes_no_edge(rng, monkeypatch):
    sizes = [(40, 57), (64, 50), (33, 64)]
    photos = [rng.integers(0, 256, (*size, 3)).astype(np.uint8) for size in sizes]
    traces = []

    def traced(image, *, size):
        traces.append(image.shape)
        return detect_edges(image, size=size)

    monkeypatch.setattr(bucket, "detect_edges", traced)
    bucket._edges.clear_cache()
    found = [bucket.edges_of(photo) for photo in photos]
    bucket._edges.clear_cache()
    assert traces == [(64, 64, 3)]
    expected = np.asarray(detect_edges(photos[0].astype(np.float32) / np.float32(255)))
    assert found[0].shape == expected.shape and expected.any()
    np.testing.assert_array_equal(found[0], expected)


def test_the_photo_lies_in_the_corner_of_its_bucket(rng):
    for size in ((1, 1), (64, 64), (65, 1)):
        photo = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
        padded, true_size = bucket.in_bucket(photo)
        assert tuple(true_size) == size and padded.shape == (*size_bucket(*size).shape, 3)
        np.testing.assert_array_equal(
            padded[: size[0], : size[1]], photo.astype(np.float32) / np.float32(255)
        )
