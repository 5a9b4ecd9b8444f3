"""The data source that training calls: configuration in, sharp crops and layers by step out."""

import collections
import dataclasses
import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from train.data import crops, outlines, shapes
from train.data.config import DataConfig
from train.data.folder import CachedPhotos, FolderPhotos, Photos
from train.data.gate import rejection
from train.data.tfds_source import open_tfds
from train.streams import SPLITS, Host, Split, host_rng

# A crop is drawn anew until it passes the gate; with 2 % of crops passing, 1000 in a row fail once in 6e8.
_MAX_TRIES = 1000
_VALIDATION_BATCH = 8
_MIN_PLAIN_SCALE = 0.2  # of crops whatever their sharpness
_MIN_COVERED, _MAX_COVERED = 0.05, 0.95  # fraction of a crop that an object covers


class Source:
    """Sharp crops and layers, a pure function of (seed, split, step, place in the batch); safe for threads.

    Args:
      config: see `DataConfig`.
      photos: where crops are taken from.
      cutouts: objects on these photos, or None.
      name: of the photos, for error messages.
    Raises:
      ValueError: fewer than two photos.
    """

    def __init__(self, config: DataConfig, photos: Photos, cutouts: outlines.Cutouts | None, *, name: str):
        self.config = config
        self._photos = photos
        self._cutouts = cutouts
        self._name = name
        self._indices = split_by_name(photos.names, config.held_out_fraction)
        if not all(len(indices) for indices in self._indices.values()):
            raise ValueError(
                f"{name} must have at least two photos, one of them to be held out, got {len(photos.names)}"
            )
        self._objects: dict[str, list[int]] = {split: [] for split in SPLITS}
        held_out = set(self._indices["held_out"].tolist())
        if cutouts is not None:
            for number in range(len(cutouts)):
                self._objects["held_out" if cutouts.photo(number) in held_out else "train"].append(number)

    def recut(self, config: DataConfig) -> "Source":
        """The same photos and outlines, cut by other settings.

        Args:
          config: with the same photos; how crops are taken may differ.

        Raises:
          ValueError: no photo gives a crop that can be used, see `open_source`.
        """
        source = Source(config, self._photos, self._cutouts, name=self._name)
        # One sample of each kind, so that unusable photos are refused now.
        one = dataclasses.replace(config, contents_per_batch=1)
        probe = Source(one, self._photos, self._cutouts, name=self._name)
        for split in SPLITS:
            probe.contents(0, split=split)
            probe.layers(0, split=split)
        return source

    def for_validation(self, crop_size: int) -> "Source":
        """The same photos and splits, cut to crops of `crop_size` px whatever the run's seed and batches."""
        config = dataclasses.replace(
            self.config, crop_size=crop_size, contents_per_batch=_VALIDATION_BATCH, seed=0
        )
        return Source(config, self._photos, self._cutouts, name=self._name)

    def contents(
        self, step: int, *, split: Split = "train", process_index: int = 0, process_count: int = 1
    ) -> dict[str, np.ndarray]:
        """Sharp crops, to be blurred as a whole.

        Args:
          step: number of the batch.
          split: "train" or "held_out".
          process_index: which part of the batch to make.
          process_count: number of parts; the parts in order make up the same batch whatever the number.
        Returns:
          {"content": (B / process_count, S, S, 3) RGB uint8}.
        Raises:
          ValueError: the batch does not divide by `process_count`; or no crop passes the gate.
        """
        return self._batch(self._content, Host.CONTENTS, step, split, process_index, process_count)

    def layers(
        self, step: int, *, split: Split = "train", process_index: int = 0, process_count: int = 1
    ) -> dict[str, np.ndarray]:
        """Two sharp layers, to be blurred each on its own and composed.

        The foreground is complete wherever alpha is above 0, and continued beyond.

        Args:
          step: number of the batch.
          split: "train" or "held_out".
          process_index: which part of the batch to make.
          process_count: number of parts.
        Returns:
          {"foreground": (B / process_count, S, S, 3) RGB uint8, "background": likewise,
          "alpha": (B / process_count, S, S) uint8}.
        Raises:
          ValueError: as for `contents`.
        """
        return self._batch(self._layer, Host.LAYERS, step, split, process_index, process_count)

    def plain(self, step: int, *, split: Split = "train") -> dict[str, np.ndarray]:
        """Crops of photos as they are, however sharp and at any scale from 0.2: nothing is known of their blur.

        Args:
          step: number of the batch.
          split: "train" or "held_out".
        Returns:
          {"content": (B, S, S, 3) RGB uint8}.
        Raises:
          ValueError: no photo can be read and is large enough.
        """
        return self._batch(self._plain_crop, Host.PLAIN_CROPS, step, split, 0, 1)

    def photo_names(self, split: Split) -> list[str]:
        """Names of the split's photos, in order."""
        return [self._photos.names[int(index)] for index in self._indices[split]]

    def num_outlines(self, split: Split) -> int:
        """Number of objects with an outline in the split."""
        return len(self._objects[split])

    def licences(self) -> dict[str, int]:
        """Number of photos (of both splits) by licence, most frequent first."""
        counts = collections.Counter(self._photos.licence(index) for index in range(len(self._photos.names)))
        return dict(counts.most_common())

    def _batch(
        self,
        sample: Callable[[np.random.Generator, Split], dict[str, np.ndarray]],
        kind: Host,
        step: int,
        split: Split,
        process_index: int,
        process_count: int,
    ) -> dict[str, np.ndarray]:
        size, rest = divmod(self.config.contents_per_batch, process_count)
        if rest:
            raise ValueError(
                f"contents_per_batch must be a multiple of the number of processes {process_count}, "
                f"got {self.config.contents_per_batch}"
            )
        if not 0 <= process_index < process_count:
            raise ValueError(f"process_index must be in [0, {process_count}), got {process_index}")
        if step < 0:
            raise ValueError(f"step must not be negative, got {step}")
        first = process_index * size
        samples = []
        for place in range(first, first + size):
            samples.append(sample(host_rng(self.config.seed, kind, split, step, place), split))
        return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}

    def _content(self, rng: np.random.Generator, split: Split) -> dict[str, np.ndarray]:
        return {"content": self._sharp_crop(rng, split)[0]}

    def _plain_crop(self, rng: np.random.Generator, split: Split) -> dict[str, np.ndarray]:
        size, refused = self.config.crop_size, collections.Counter()
        for _ in range(_MAX_TRIES):
            image, _, reason = self._load(int(rng.choice(self._indices[split])))
            if image is not None and min(image.shape[:2]) >= size:
                side = min(round(size / rng.uniform(_MIN_PLAIN_SCALE, 1.0)), *image.shape[:2])
                crop = crops.cut(image, crops.random_region(rng, image.shape, side), size)
                return {"content": crops.random_turn(rng, crop)[0]}
            refused[reason] += 1
        raise self._nothing_found("crops", split, refused)

    def _layer(self, rng: np.random.Generator, split: Split) -> dict[str, np.ndarray]:
        if (
            self._cutouts is not None
            and self._objects[split]
            and rng.random() < self.config.outline_probability
        ):
            foreground, alpha, photo = self._sharp_object(rng, split, self._cutouts)
        else:
            alpha = shapes.random_shape(rng, self.config.crop_size)
            foreground, photo = self._sharp_crop(rng, split)
        background, _ = self._sharp_crop(rng, split, other_than=photo)
        return {"foreground": foreground, "background": background, "alpha": alpha}

    def _sharp_crop(
        self, rng: np.random.Generator, split: Split, *, other_than: int | None = None
    ) -> tuple[np.ndarray, int]:
        """A crop that passes the gate, (S, S, 3), and its photo's index; not `other_than`, if possible."""
        config, refused = self.config, collections.Counter()
        indices = self._indices[split]
        for attempt in range(_MAX_TRIES):
            index = int(indices[rng.integers(len(indices))])
            if index == other_than and attempt < _MAX_TRIES // 2:
                continue
            image, sides, reason = self._load(index)
            if image is not None and sides is not None:
                region = crops.random_region(
                    rng, image.shape, crops.random_side(rng, sides, config.crop_size)
                )
                crop = crops.cut(image, region, config.crop_size)
                reason = rejection(crop, config.gate)
                if not reason:
                    (crop,) = crops.random_turn(rng, crop)
                    return self._recolour(rng, crop), index
            refused[reason] += 1
        raise self._nothing_found("crops", split, refused)

    def _sharp_object(
        self, rng: np.random.Generator, split: Split, cutouts: outlines.Cutouts
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """A crop across an object's boundary, sharp inside: (S, S, 3), coverage (S, S), the photo's index."""
        config, refused = self.config, collections.Counter()
        objects = self._objects[split]
        for _ in range(_MAX_TRIES):
            number = objects[rng.integers(len(objects))]
            index = cutouts.photo(number)
            image, sides, reason = self._load(index)
            if image is not None and sides is not None:
                boundary = cutouts.boundary(number)
                if not len(boundary):
                    refused["without an object"] += 1
                    continue
                side = crops.random_side(rng, sides, config.crop_size)
                region = outlines.region_across(rng, boundary, image.shape, side)
                alpha = cutouts.coverage(number, region, config.crop_size)
                if not _MIN_COVERED <= alpha.mean() / 255 <= _MAX_COVERED:
                    refused["too little of the object or its surroundings"] += 1
                    continue
                inside = outlines.core(alpha)
                crop = crops.cut(image, region, config.crop_size)
                reason = rejection(crop, config.gate, mask=inside) if inside.any() else "too thin"
                if not reason:
                    crop, alpha = crops.random_turn(rng, outlines.extended(crop, inside), alpha)
                    return self._recolour(rng, crop), alpha, index
            refused[reason] += 1
        raise self._nothing_found("objects", split, refused)

    def _load(self, index: int) -> tuple[np.ndarray | None, tuple[int, int] | None, str]:
        """The photo and the range of sides of regions in it; where one is None, the reason in words."""
        config = self.config
        image = self._photos.load(index)
        if image is None:
            return None, None, "unreadable"
        sides = crops.side_range(image.shape, config.crop_size, config.scale_range, config.longest_side)
        return image, sides, "smaller than the crop"

    def _recolour(self, rng: np.random.Generator, crop: np.ndarray) -> np.ndarray:
        own = self.config
        return crops.recolour(
            rng, crop, probability=own.recolour_probability, grey_probability=own.grey_probability
        )

    def _nothing_found(self, what: str, split: Split, refused: collections.Counter) -> ValueError:
        reasons = ", ".join(f"{count} {reason}" for reason, count in refused.most_common())
        return ValueError(
            f"{self._name}: none of {refused.total()} {what} drawn from the {split} photos can be used "
            f"(crop size {self.config.crop_size} px): {reasons}"
        )


def open_source(config: DataConfig) -> Source:
    """Opens the photos and makes one sample of each kind and split, so that unusable data is refused now.

    Raises:
      FileNotFoundError: the folder is missing or has no photo, or a data set is not prepared.
      ValueError: no or two kinds of photos named; fewer than two photos; every photo unreadable or too
        small, or rejected by the gate; outlines that do not match.
    """
    if (config.photos is None) == (not config.tfds):
        raise ValueError("name either a photo folder (photos) or TFDS data sets (tfds)")
    if config.photos is not None:
        name = f"photo folder {config.photos}"
        photos = CachedPhotos(FolderPhotos(config.photos), config.cache_bytes)
        path = config.photos / "coco_instances.json"
        cutouts = outlines.PolygonCutouts(path, photos) if path.exists() else None
    else:
        name = f"TFDS {', '.join(config.tfds)}"
        records, cutouts = open_tfds(config.tfds, config.tfds_dir)
        photos = CachedPhotos(records, config.cache_bytes)
    return Source(config, photos, cutouts, name=name).recut(config)


def split_by_name(names: Sequence[str], held_out_fraction: float) -> dict[Split, np.ndarray]:
    """Indices of the photos of each split, chosen by the SHA-256 of the file name without its folders.

    A photo stays on its side when others are added or the folder moves. Only where a side would be empty does
    the photo with the nearest hash change over.
    """
    hashes = np.array([_unit_hash(name) for name in names])
    held_out = hashes < held_out_fraction
    if len(names) > 1 and not held_out.any():
        held_out[hashes.argmin()] = True
    if len(names) > 1 and held_out.all():
        held_out[hashes.argmax()] = False
    return {"train": np.flatnonzero(~held_out), "held_out": np.flatnonzero(held_out)}


def _unit_hash(name: str) -> float:
    """A number in [0, 1) from the last part of the path."""
    digest = hashlib.sha256(name.rsplit("/", 1)[-1].encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
