"""What the tests of the command line share."""

import csv
import types
from pathlib import Path

import cv2
import numpy as np

import jaxblur
from jaxblur import cli

SIZE = (40, 48)
EXAMPLES = Path(__file__).parents[2] / "examples"


def fake_estimate(image, weights, *, edges=None, **options):
    """An answer of the right kind without the networks: the radius grows from left to right, 0.5 to 3 px."""
    h, w = image.shape[:2]
    found = np.zeros((h, w), bool) if edges is None else edges.copy()
    found[5, 10:20] = True
    depth = np.zeros((h, w), bool)
    depth[5, 10:13] = True
    radius = np.tile(np.linspace(0.5, 3, w, dtype=np.float32), (h, 1))
    confidence = np.full((h, w), 0.75, np.float32)
    confidence[:, w // 2 :] = 0
    return types.SimpleNamespace(
        radius=radius,
        confidence=confidence,
        edges=found,
        depth_edges=depth,
        sparse_radius=np.where(found & ~depth, radius, np.float32(np.nan)),
    )


def use_fakes(monkeypatch) -> None:
    """The command without networks and weights."""
    monkeypatch.setattr(jaxblur, "estimate", fake_estimate, raising=False)
    monkeypatch.setattr(jaxblur, "load_weights", lambda path=None: object(), raising=False)
    monkeypatch.setattr(jaxblur, "save_weights", lambda path, weights: None, raising=False)


def make_photo(path: Path, rng, size=SIZE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = cv2.GaussianBlur(rng.integers(0, 256, (*size, 3)).astype(np.float32), (0, 0), 2)
    low, high = noise.min(), noise.max()
    noise = ((noise - low) * (255 / (high - low))).astype(np.uint8)
    path.write_bytes(cv2.imencode(path.suffix, noise)[1].tobytes())
    return path


def run(*args) -> int:
    return cli.main([str(arg) for arg in args])


def summary(folder: Path) -> list[dict[str, str]]:
    with open(folder / "summary.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
