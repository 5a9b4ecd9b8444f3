"""Maps that another program saved."""

from pathlib import Path

import numpy as np

from eval.datasets import reading
from eval.methods.structs import MapUnit, Method, Prediction


def saved_maps(name: str, folder: Path, unit: MapUnit) -> Method:
    """A method that reads its maps from a folder: one per photo, under the photo's name.

    Scores stored as integers are divided by the largest that their type holds.

    Raises:
      ValueError: there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(f"{name}: {folder} is not a folder of maps")
    paths = {p.stem: p for p in sorted(folder.iterdir()) if p.suffix.lower() in reading.MAP_SUFFIXES}

    def load(photo: str, image: np.ndarray) -> Prediction | str:
        if photo not in paths:
            return f"{photo}: {name} has no map of that name"
        try:
            values = reading.read_map(paths[photo], as_score=unit == "score")
        except (OSError, ValueError) as error:
            return str(error)
        if values.shape != image.shape[:2]:
            return f"{paths[photo].name}: has shape {values.shape}, but the photo {image.shape[:2]}"
        if not np.isfinite(values).all() or values.min() < 0 or (unit == "score" and values.max() > 1):
            return f"{paths[photo].name}: holds values that are no {unit}"
        return Prediction(values)

    return Method(
        name=name,
        unit=unit,
        predict=lambda names, images: [load(*pair) for pair in zip(names, images, strict=True)],
        settings={"folder": folder.name, "unit": unit},
        timed=False,
    )
