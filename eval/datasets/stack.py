"""Focus stacks: frames of one view in the order of their focus. The frames tell which is sharpest where."""

import hashlib
import re
from pathlib import Path

import numpy as np

from eval.datasets.base import list_files
from eval.datasets.structs import Dataset, MissingDataset, Sample
from eval.metrics.focus_stack import PLACE, focus_energy, frames_from_focus
from jaxblur.files import images

LAYOUT = "stack_00.jpg, stack_01.jpg ... (any photo format) in one folder, in the order of their focus"
_LEAST_FRAMES = 4


def open_stack(folder: Path) -> Dataset:
    """The frames of one focus stack, of one size.

    The truth of a frame is the distance, in frames, to the one in which the place is sharpest, by the energy of its
    Laplacian; NaN where no frame stands out. A method that measures the same energy, such as the baseline `laplacian`,
    is favoured by this.

    Raises:
      MissingDataset: fewer than four frames.
      ValueError: a frame cannot be read or has another size than the first.
    """
    paths = [p for p in list_files(folder) if re.fullmatch(r"stack_\d+", p.stem)]
    paths.sort(key=lambda p: int(p.stem.partition("_")[2]))
    if len(paths) < _LEAST_FRAMES:
        raise MissingDataset(
            f"stack: fewer than {_LEAST_FRAMES} frames in {folder}; lay your own out as {LAYOUT}"
        )
    digest = hashlib.blake2b(digest_size=6)
    energy, size = [], None
    for path in paths:
        digest.update(path.read_bytes())
        image = _read(path)
        size = size or image.shape
        if image.shape != size:
            raise ValueError(
                f"{path}: is {image.shape[1]}x{image.shape[0]} px, the first frame {size[1]}x{size[0]} px"
            )
        energy.append(focus_energy(image))
    distance = frames_from_focus(np.stack(energy))

    def read(index: int) -> Sample:
        image = _read(paths[index])
        truth = np.full(image.shape[:2], np.nan, np.float32)
        places = np.kron(distance[index], np.ones((PLACE, PLACE)))
        truth[: places.shape[0], : places.shape[1]] = places
        return Sample(name=paths[index].stem, image=image, truth=truth)

    return Dataset(
        name="stack",
        unit="frames",
        version=digest.hexdigest(),
        names=[path.stem for path in paths],
        read=read,
        about={
            "source": "your own focus stack",
            "citation": "",
            "licence": "As the owner of the photos says.",
            "scoring": (
                f"At every place of {PLACE}x{PLACE} px where one frame is clearly the sharpest, the blur of the frames "
                "is ranked against their distance to that frame; the mean of Spearman's correlation is given."
            ),
        },
    )


def _read(path: Path) -> np.ndarray:
    """(H, W, 3) uint8."""
    image = images.read_image(path)
    if image.dtype == np.uint8:
        return image
    return np.round(image * (255.0 if image.dtype == np.float32 else 255 / 65535)).astype(np.uint8)
