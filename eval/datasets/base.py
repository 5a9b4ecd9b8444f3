"""Pairs of files as data sets: prepared once by TFDS as array_record, read without TensorFlow."""

import abc
import contextlib
import dataclasses
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import tensorflow_datasets as tfds

from eval.datasets.structs import Dataset, MissingDataset, Protocol, Sample, Unit
from jaxblur.files import images


@dataclasses.dataclass(frozen=True)
class Pair:
    """Files of one sample; a file that is missing is None."""

    name: str
    photo: Path | None
    truth: Path | None


class PairBuilder(tfds.core.GeneratorBasedBuilder, abc.ABC):
    """TFDS builder of a folder of photos and ground truths, downloaded by hand.

    A subclass says what it is (class attributes), which files belong together (`find_pairs`) and, where it
    differs, how to read a photo and a ground truth. A pair that cannot be read or whose sizes differ becomes
    an example with a `problem`, so that nothing is lost in silence.
    """

    VERSION = tfds.core.Version("1.1.0")  # 1.1.0: infinite and negative truths are problems
    url_infos = (
        None  # nothing is downloaded; to look it up, TFDS 4.9.10 needs a package that it does not ask for
    )
    UNIT: ClassVar[Unit]
    SOURCE: ClassVar[str]
    CITATION: ClassVar[str]
    LICENCE: ClassVar[str]
    LAYOUT: ClassVar[str]
    SCORING: ClassVar[str] = ""  # how it is scored where that is special, for the report
    PROTOCOL: ClassVar[Protocol] = ""
    FLOOR: ClassVar[float] = 0.0  # px of radius, see `Dataset`

    @classmethod
    @abc.abstractmethod
    def find_pairs(cls, folder: Path) -> dict[str, list[Pair]]:
        """Pairs of every split in `folder`, sorted by name; empty where there are none."""

    def read_photo(self, path: Path) -> np.ndarray:
        """(H, W, 3) uint16, whatever the depth of the file; 8-bit values come back exactly."""
        image = images.read_image(path)
        if image.dtype == np.uint8:
            return image.astype(np.uint16) * np.uint16(257)
        return image if image.dtype == np.uint16 else np.round(image * 65535).astype(np.uint16)

    @abc.abstractmethod
    def read_truth(self, path: Path) -> np.ndarray:
        """(H, W) float32 in `UNIT`, NaN = unknown."""

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__ or "",
            features=tfds.features.FeaturesDict(
                {
                    "name": tfds.features.Text(),
                    "image": tfds.features.Image(
                        shape=(None, None, 3), dtype=np.uint16, encoding_format="png"
                    ),
                    "truth": tfds.features.Tensor(shape=(None, None), dtype=np.float32, encoding="zlib"),
                    "problem": tfds.features.Text(),
                }
            ),
            homepage=self.SOURCE,
            citation=self.CITATION,
            license=self.LICENCE,
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        pairs = self.find_pairs(Path(dl_manager.manual_dir))
        return {split: self._generate_examples(members) for split, members in pairs.items() if members}

    def _generate_examples(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, dict[str, Any]]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        for index, pair in enumerate(pairs):
            problem = ""
            try:
                image, truth = self._read(pair)
            except (OSError, ValueError) as error:
                problem = str(error).splitlines()[0]
                if pair.photo is not None:  # whose folder says nothing to whoever reads the results
                    problem = problem.replace(str(pair.photo), pair.photo.name)
                image, truth = np.zeros((1, 1, 3), np.uint16), np.zeros((1, 1), np.float32)
            encoded = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
            yield index, {"name": pair.name, "image": io.BytesIO(encoded), "truth": truth, "problem": problem}

    def _read(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        if pair.photo is None or pair.truth is None:
            found, lacking = (pair.truth, "photo") if pair.photo is None else (pair.photo, "ground truth")
            raise ValueError(f"{found and found.name}: has no {lacking} of the same name")
        image, truth = self.read_photo(pair.photo), self.read_truth(pair.truth)
        if image.shape[:2] != truth.shape:
            (h, w), (truth_h, truth_w) = image.shape[:2], truth.shape
            raise ValueError(f"{pair.truth.name}: is {truth_w}x{truth_h} px, but its photo is {w}x{h} px")
        self._check_truth(pair.truth.name, truth)
        return image, truth

    def _check_truth(self, name: str, truth: np.ndarray) -> None:
        if np.isinf(truth).any():
            raise ValueError(f"{name}: holds infinite values; unknown ones must be NaN")
        known = truth[np.isfinite(truth)]
        if not known.size:
            raise ValueError(f"{name}: knows the truth of no pixel")
        low, high = float(known.min()), float(known.max())
        if low < 0 or (self.unit == "mask" and high > 1):
            rule = "0 to 1 (see --map-scale)" if self.unit == "mask" else "px, not negative"
            raise ValueError(
                f"{name}: must hold a {self.unit} of {rule}, but its values are {low:g} to {high:g}"
            )

    @property
    def unit(self) -> Unit:
        """Of the ground truth."""
        return self.UNIT


def open_pairs(
    builder_class: type[PairBuilder],
    folder: Path,
    *,
    split: str,
    reduce: int = 1,
    prepared: Path | None = None,
    **options: Any,
) -> Dataset:
    """Prepare a data set, unless that is done, and open one split of it.

    Args:
      builder_class: which.
      folder: where its files were unpacked.
      split: "test", "train".
      reduce: factor of area averaging.
      prepared: folder for what TFDS prepares; None: TFDS's own, `~/tensorflow_datasets`.
      **options: further arguments of the builder's constructor.

    Raises:
      MissingDataset: no such data there, or no such split.
    """
    name = builder_class.name
    found = builder_class.find_pairs(folder) if folder.is_dir() else {}
    pairs = found.get(split, [])
    if not any(pair.photo and pair.truth for pair in pairs):
        source = builder_class.SOURCE
        advice = f"get it from {source} and lay it out" if "://" in source else f"lay {source} out"
        raise MissingDataset(f"{name}: no {split} pairs in {folder}; {advice} as {builder_class.LAYOUT}")
    fingerprint = _fingerprint(found, repr(sorted(options.items())))
    construct: Any = builder_class  # TFDS wraps constructors in ways that hide their arguments
    builder = construct(
        config=tfds.core.BuilderConfig(name=fingerprint),
        data_dir=prepared,
        file_format="array_record",
        **options,
    )
    with contextlib.redirect_stdout(io.StringIO()):  # TFDS prints
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=folder))
    source = builder.as_data_source(split=split)

    def read(index: int) -> Sample:
        example = source[index]
        name, problem = example["name"].decode(), example["problem"].decode()
        image, truth = example["image"], example["truth"]
        if not problem and min(image.shape[:2]) < reduce:
            problem = f"{name}: too small to be reduced by {reduce}"
        if problem:
            return Sample(name=name, image=image, truth=truth, problem=problem)
        return reduce_sample(name, image, truth if unit == "mask" else truth / np.float32(reduce), reduce)

    unit = builder.unit
    return Dataset(
        name=name + (f"/{reduce}" if reduce > 1 else "") + (f" ({split})" if split != "test" else ""),
        unit=unit,
        version=f"{builder.version} {fingerprint}",
        names=[pair.name for pair in pairs],
        read=read,
        about={
            "source": builder_class.SOURCE,
            "citation": builder_class.CITATION,
            "licence": builder_class.LICENCE,
            "scoring": builder_class.SCORING,
        },
        protocol="" if reduce > 1 and builder_class.PROTOCOL == "dmenet" else builder_class.PROTOCOL,
        floor=builder_class.FLOOR,
    )


def reduce_sample(name: str, image: np.ndarray, truth: np.ndarray, factor: int) -> Sample:
    """Reduce a photo of 16 bits to one of 8 by area averaging, and take the truth at the middle of each block
    of pixels.

    Rows and columns that do not fill a block are left out. The values of `truth` stay as they are.
    """
    height, width = (side // factor * factor for side in image.shape[:2])
    blocks = image[:height, :width].reshape(height // factor, factor, width // factor, factor, 3)
    values = blocks.mean((1, 3), dtype=np.float64) * (255 / 65535)
    middle = slice(factor // 2, None, factor)
    truth = truth[:height, :width][middle, middle]
    return Sample(
        name=name,
        image=np.round(values).astype(np.uint8),
        truth=truth,
        scale=float(factor),
        problem=""
        if np.isfinite(truth).any()
        else f"{name}: reduced by {factor}, it knows the truth of no pixel",
    )


def match_files(photos: Sequence[Path], truths: Mapping[str, Path], key: Callable[[Path], str]) -> list[Pair]:
    """Pair photos with truths of the same key; what is left alone becomes a pair with a None."""
    by_key = {key(path): path for path in photos}
    return [Pair(name, by_key.get(name), truths.get(name)) for name in sorted(by_key | dict(truths))]


def match_stems(folder: Path, names: re.Pattern[str]) -> list[Pair]:
    """Pairs NAME.png, NAME.npz of the names that match, all in one folder."""
    photos, truths = (
        [path for path in list_files(folder, (suffix,)) if names.fullmatch(path.stem)]
        for suffix in (".png", ".npz")
    )
    return match_files(photos, {path.stem: path for path in truths}, lambda path: path.stem)


def list_files(folder: Path, suffixes: Sequence[str] = images.PHOTO_SUFFIXES) -> list[Path]:
    """Files directly in `folder` by suffix, sorted; none if there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in suffixes and p.name[0] != ".")


def _fingerprint(pairs: Mapping[str, Sequence[Pair]], options: str) -> str:
    """Short hash of the content and names of all files, and of the options they are read with."""
    digest = hashlib.blake2b(options.encode(), digest_size=6)
    for split in sorted(pairs):
        for pair in pairs[split]:
            for path in (pair.photo, pair.truth):
                if path is not None:
                    digest.update(path.name.encode() + b"\0")
                    digest.update(path.read_bytes())
    return digest.hexdigest()
