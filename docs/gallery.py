"""The README's picture of all example photos above their maps, from the results of `jaxblur estimate`.

jaxblur estimate examples --output out
python docs/gallery.py examples out docs/images/examples.jpg
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from jaxblur.files import preview
from jaxblur.files.images import read_image
from jaxblur.files.names import result_name

HEIGHT, GAP, EDGE = 300, 10, 16  # px of each photo, of white between them, and around them


def draw_gallery(photos: list[np.ndarray], maps: list[np.ndarray]) -> np.ndarray:
    """RGB uint8 picture of (H, W, 3) uint8 photos in a row, each above its (H, W) radius, px, with their scale."""
    columns = []
    for photo, radius in zip(photos, maps, strict=True):
        size = round(HEIGHT * photo.shape[1] / photo.shape[0]), HEIGHT
        pair = [
            cv2.resize(part, size, interpolation=cv2.INTER_AREA)
            for part in (photo, preview.colour_map(radius))
        ]
        pair.insert(1, np.full((GAP, size[0], 3), 255, np.uint8))
        columns.append(np.pad(np.concatenate(pair), ((0, 0), (0, GAP), (0, 0)), constant_values=255))
    grid = np.concatenate(columns, axis=1)
    canvas = np.pad(grid, ((EDGE, EDGE), (EDGE, preview.SCALE_WIDTH), (0, 0)), constant_values=255)
    preview.draw_scale(canvas, left=EDGE + grid.shape[1], top=EDGE, height=grid.shape[0])
    return canvas


def main(photos: Path, results: Path, target: Path) -> None:
    """Draw the photos of a folder that have results, in the order of their names."""
    paths = [path for path in sorted(photos.iterdir()) if (results / f"{result_name(path)}.npz").exists()]
    maps = [np.load(results / f"{result_name(path)}.npz")["radius"] for path in paths]
    picture = draw_gallery([read_image(path) for path in paths], maps)
    cv2.imwrite(str(target), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
