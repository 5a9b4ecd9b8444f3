"""Photos and masks from TFDS data sets, by random access to array_record files, without TensorFlow."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from train.data import crops
from train.data.folder import CachedPhotos, Photos, decode

_WITH_MASKS = "hku_is"
# A quarter of all masks of HKU-IS.
_MASK_CACHE_BYTES = 1 << 27


@dataclasses.dataclass(frozen=True)
class _Records:
    """One data set: records by number, each with at least an encoded "image"."""

    name: str
    source: Sequence[Any]

    def encoded(self, index: int, feature: str) -> bytes:
        return self.source[index][feature]


class TfdsPhotos:
    """Photos of several data sets, one after the other, each named by data set and number."""

    def __init__(self, data_sets: Sequence[_Records]):
        self.names: Sequence[str] = [
            f"{data.name.replace('/', '-')}-{index:07d}"
            for data in data_sets
            for index in range(len(data.source))
        ]
        self._data_sets = data_sets
        self._ends = np.cumsum([len(data.source) for data in data_sets])

    def load(self, index: int) -> np.ndarray | None:
        """See `Photos.load`."""
        data, place = self._find(index)
        return decode(data.encoded(place, "image"), self.names[index])

    def licence(self, index: int) -> str:
        """The data set's name: its terms hold."""
        return f"terms of {self._find(index)[0].name}"

    def _find(self, index: int) -> tuple[_Records, int]:
        number = int(np.searchsorted(self._ends, index, side="right"))
        return self._data_sets[number], index - int(self._ends[number]) + len(self._data_sets[number].source)


class _Masks:
    """The masks of a data set, as (H, W) uint8 by number."""

    def __init__(self, data: _Records):
        self.names: Sequence[str] = [f"mask {data.name}-{index:07d}" for index in range(len(data.source))]
        self._data = data

    def load(self, index: int) -> np.ndarray | None:
        image = decode(self._data.encoded(index, "mask"), self.names[index])
        return None if image is None else np.ascontiguousarray(image[..., 0])

    def licence(self, index: int) -> str:
        return f"terms of {self._data.name}"


class MaskCutouts:
    """Objects given by a mask for each photo; see `train.data.outlines.Cutouts`.

    Args:
      masks: (H, W) uint8 by number, above 127 = object.
      first_photo: index of the first mask's photo; the others follow.
    """

    def __init__(self, masks: Photos, first_photo: int):
        self._masks = masks
        self._first_photo = first_photo

    def __len__(self) -> int:
        return len(self._masks.names)

    def photo(self, number: int) -> int:
        """See `Cutouts.photo`."""
        return self._first_photo + number

    def boundary(self, number: int) -> np.ndarray:
        """See `Cutouts.boundary`; no points if the mask is empty or not readable."""
        mask = self._masks.load(number)
        if mask is None:
            return np.zeros((0, 2))
        contours, _ = cv2.findContours((mask > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        points = [contour[:, 0, ::-1].astype(float) for contour in contours]
        return np.concatenate(points) if points else np.zeros((0, 2))

    def coverage(self, number: int, region: crops.Region, size: int) -> np.ndarray:
        """See `Cutouts.coverage`."""
        mask = self._masks.load(number)
        if mask is None:
            raise ValueError(f"{self._masks.names[number]} is not readable")
        return crops.cut(np.where(mask > 127, 255, 0).astype(np.uint8), region, size)


def open_tfds(names: Sequence[str], data_dir: Path | None) -> tuple[TfdsPhotos, MaskCutouts | None]:
    """Opens the train splits of prepared TFDS data sets.

    Args:
      names: "imagenet2012", "coco/2017" and "hku_is" are meant; any data set with an "image" feature does.
      data_dir: folder of TFDS data sets; None = the default of TFDS.
    Returns:
      The photos of all, and the objects of HKU-IS if it is among them.
    Raises:
      FileNotFoundError: a data set is not prepared as array_record; the message has the command for it.
    """
    data_sets = [_Records(name, _open_records(name, data_dir)) for name in names]
    photos = TfdsPhotos(data_sets)
    if _WITH_MASKS not in names:
        return photos, None
    number = list(names).index(_WITH_MASKS)
    first_photo = sum(len(data.source) for data in data_sets[:number])
    masks = CachedPhotos(_Masks(data_sets[number]), _MASK_CACHE_BYTES)
    return photos, MaskCutouts(masks, first_photo)


def _open_records(name: str, data_dir: Path | None) -> Sequence[Any]:
    """The train split as a sequence of {"image": encoded bytes, ...}."""
    import tensorflow_datasets as tfds  # heavy, and part of an extra
    from tensorflow_datasets.core import read_only_builder

    try:
        # From the files alone: the code of most builders imports TensorFlow.
        builder: Any = read_only_builder.builder_from_files(name, data_dir=data_dir)
        # OpenCV decodes: TFDS would do it with whatever library it finds.
        features = set(builder.info.features) & {"image", "mask"}
        encoded = {feature: tfds.decode.SkipDecoding() for feature in features}
        return builder.as_data_source("train", decoders=encoded)
    except (tfds.core.DatasetNotFoundError, NotImplementedError) as error:
        if name == _WITH_MASKS:
            command = "python -m train.data.hku_is --manual-dir HKU-IS"
            command += f" --data-dir {data_dir}" if data_dir else ""
        else:
            command = f"tfds build {name} --file_format=array_record"
            command += f" --data_dir={data_dir}" if data_dir else ""
        raise FileNotFoundError(
            f"TFDS data set {name} is not prepared as array_record; run: {command}"
        ) from error
