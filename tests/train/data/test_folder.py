import logging

import cv2
import numpy as np
import pytest

from train.data.folder import CachedPhotos, FolderPhotos


def test_all_photos_are_found_at_any_depth_and_decoded_as_rgb(photos):
    (photos / "notes.txt").write_text("no photo")
    image = np.zeros((8, 9, 3), np.uint8)
    image[..., 2] = 200  # red in OpenCV's order
    cv2.imwrite(str(photos / "deep.TIFF"), image)
    found = FolderPhotos(photos)
    assert found.names == [f"{'a' if k < 5 else 'b'}/photo_{k}.png" for k in range(10)] + ["deep.TIFF"]
    np.testing.assert_array_equal(found.load(10), image[..., ::-1])
    assert found.licence(0) == "unknown"


def test_grey_and_16_bit_photos_become_rgb_of_8_bits(photos):
    cv2.imwrite(str(photos / "grey.png"), np.full((5, 6), 0x8040, np.uint16))
    found = FolderPhotos(photos)
    np.testing.assert_array_equal(
        found.load(found.names.index("grey.png")), np.full((5, 6, 3), 0x80, np.uint8)
    )


def test_licences_come_from_the_table(photos):
    (photos / "photos.csv").write_text("file,licence\na/photo_0.png,CC BY 2.0\ngone.png,CC0\n")
    found = FolderPhotos(photos)
    assert (found.licence(0), found.licence(1)) == ("CC BY 2.0", "unknown")


def test_a_table_without_licences_is_refused(photos):
    (photos / "photos.csv").write_text("file,width\na/photo_0.png,80\n")
    with pytest.raises(ValueError, match="must have the columns file and licence, lacks licence"):
        FolderPhotos(photos)


@pytest.mark.parametrize("content", [b"", b"not an image"])
def test_an_unreadable_photo_is_reported_once(photos, caplog, content):
    (photos / "broken.jpg").write_bytes(content)
    found = CachedPhotos(FolderPhotos(photos), 1 << 20)
    index = list(found.names).index("broken.jpg")
    with caplog.at_level(logging.WARNING):
        assert found.load(index) is None
        assert found.load(index) is None
    assert [record.getMessage() for record in caplog.records] == ["skipping broken.jpg: not a readable image"]


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone does not exist"):
        FolderPhotos(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match="has no photo in it"):
        FolderPhotos(tmp_path)


class CountingPhotos:
    names = ["0", "1", "2"]

    def __init__(self):
        self.loads = []

    def load(self, index):
        self.loads.append(index)
        return np.full((10, 10, 3), index, np.uint8)

    def licence(self, index):
        return "none"


def test_the_cache_keeps_what_fits_and_drops_the_least_used():
    counting = CountingPhotos()
    cached = CachedPhotos(counting, 600)  # two photos of 300 bytes
    for index in (0, 1, 0, 2, 0, 1):
        assert cached.load(index)[0, 0, 0] == index
    assert counting.loads == [0, 1, 2, 1]
    with pytest.raises(ValueError, match="read-only"):
        cached.load(0)[0] = 1


def test_a_photo_larger_than_the_cache_is_still_served():
    cached = CachedPhotos(CountingPhotos(), 1)
    assert [cached.load(index)[0, 0, 0] for index in (0, 1, 0)] == [0, 1, 0]
