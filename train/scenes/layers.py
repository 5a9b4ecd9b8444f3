"""What the layers of a random scene show: photos, plain colours, objects, and outlines; used by `compose`."""

import math

import cv2
import numpy as np

from train.data import shapes


def mirrored(photo: np.ndarray, margin: int) -> np.ndarray:
    """The photo with a margin in which it is mirrored."""
    return np.pad(photo, [(margin, margin)] * 2 + [(0, 0)], mode="symmetric")


def plain(rng: np.random.Generator, photo: np.ndarray, side: int) -> np.ndarray:
    """No texture: a colour of the photo, or a smooth change between two of them."""
    colours = photo.reshape(-1, 3)[rng.integers(photo.shape[0] * photo.shape[1], size=2)].astype(float)
    if rng.random() < 0.4:
        colours[1] = colours[0]
    angle, place = rng.uniform(0, 2 * math.pi), np.linspace(-1, 1, side)
    along = math.sin(angle) * place[:, None, None] + math.cos(angle) * place[None, :, None]
    fraction = 0.5 + 0.5 * along / math.sqrt(2)
    return np.rint(colours[0] + fraction * (colours[1] - colours[0])).astype(np.uint8)


def collage(rng: np.random.Generator, photo: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """The photo with one to three parts of others, or of one colour, on it: strong edges without a step of the blur."""
    side = len(photo)
    for _ in range(rng.integers(1, 4)):
        other = others[rng.integers(len(others))]
        if rng.random() < 0.3:
            other = plain(rng, other, side)
        elif rng.random() < 0.5:
            other = other[:, ::-1]
        alpha = random_outline(rng, side)[..., None] / np.float32(255)
        photo = np.rint(photo + alpha * (other.astype(np.float32) - photo)).astype(np.uint8)
    return photo


def placed(
    rng: np.random.Generator, image: np.ndarray, alpha: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """An object on a larger square, sometimes reduced; where its crop cuts it, it lies at the square's border."""
    cut = [(edges[0].any(), edges[-1].any()) for edges in (alpha, alpha.T)]
    across = [first and last for first, last in cut]
    if not any(across) and rng.random() < 0.5:
        # Factors from 0.7 to 1 would soften it, see `train.data.crops.random_side`.
        size = round(image.shape[0] * rng.uniform(0.35, 0.7))
        image, alpha = (
            cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA) for part in (image, alpha)
        )
    free, pads = side - image.shape[0], []
    for first, last in cut:
        before = int(rng.integers(free + 1)) if first == last else 0 if first else free
        pads.append((before, free - before))
    image = np.pad(image, [*pads, (0, 0)], mode="symmetric")
    for axis in (0, 1):
        width = [pads[axis] if i == axis else (0, 0) for i in (0, 1)]
        alpha = np.pad(alpha, width, mode="symmetric" if across[axis] else "constant")
    return image, alpha


def random_outline(rng: np.random.Generator, side: int) -> np.ndarray:
    """Coverage by an ellipse or a rectangle, turned, or by one of `shapes.random_shape`."""
    if rng.random() < 0.6:
        return shapes.random_shape(rng, side)
    if rng.random() < 0.5:
        angle = np.linspace(0, 2 * math.pi, 180, endpoint=False)
        outline = np.stack([np.cos(angle), np.sin(angle)], 1)
    else:
        outline = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float)
    turn = rng.choice([0.0, rng.uniform(0, math.pi)])
    outline = outline * rng.uniform(0.08, 0.35, size=2) * side
    outline = outline @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    return shapes.fill([outline + rng.uniform(0.15, 0.85, size=2) * side], side)
