"""What people pass to `estimate`, turned into what the stages take: photo, edges, weights, settings, memory."""

import functools
import numbers
import os
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Shaped

from jaxblur._checks import is_concrete
from jaxblur.config import DEFAULT, PRESETS, Config
from jaxblur.files.images import read_image
from jaxblur.files.levels import Levels, is_narrow, stretch, used_range
from jaxblur.image.size import Tiles, pad_to_shape
from jaxblur.image.values import as_native, to_float
from jaxblur.network.weights import Weights
from jaxblur.runtime import memory
from jaxblur.weights import load_weights

WeightsLike = Weights | str | os.PathLike[str] | None
ConfigLike = Config | str | None


def prepare(
    image: Any, edges: Any, levels: Levels | None = None
) -> tuple[Shaped[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """Checked photo (uint8 and uint16 as they are, else float32) and edge map (empty if None) on the host.

    A 16-bit picture that uses little of its range, such as 12 bits of a microscope, is warned of.

    Args:
      image: array (H, W, 3), (H, W) or (H, W, 1), path of a file, or Pillow image.
      edges: (H, W) bool, or None.
      levels: values that become black and white, or "auto", see `files.levels.stretch`; None: as they are.

    Raises:
      TypeError, ValueError, OSError: what is wrong, and what would be right.
    """
    photo = _as_numpy("image", _as_array(image))
    if photo.dtype in (np.uint8, np.uint16):  # converted in the program: a quarter of the memory on the host
        jax.eval_shape(to_float, photo)  # checks the shape
    else:
        photo = np.asarray(to_float(photo), np.float32)
    photo = _with_levels(photo, levels)
    photo = np.broadcast_to(photo.reshape(*photo.shape[:2], -1), (*photo.shape[:2], 3))
    if edges is None:
        return photo, np.zeros(photo.shape[:2], bool)
    given = _as_numpy("edges", edges)
    if given.dtype != bool:
        raise TypeError(f"edges must be bool, got {given.dtype}")
    if given.shape != photo.shape[:2]:
        raise ValueError(f"edges must have the photo's height and width {photo.shape[:2]}, got {given.shape}")
    return photo, given


def _with_levels(photo: np.ndarray, levels: Levels | None) -> np.ndarray:
    if levels is not None:
        return stretch(photo, levels)
    if photo.dtype == np.uint16 and is_narrow(photo):
        low, high = used_range(photo)
        if low < high:
            warnings.warn(
                f"image: its values, {low:g} to {high:g}, fill little of 0 to 65535, so few edges are found; "
                'levels="auto" stretches them',
                stacklevel=4,
            )
    return photo


def _as_array(image: Any) -> Any:
    if image is None:
        raise TypeError(
            "image must be an array, a path or a Pillow image, got None (cv2.imread returns None for a file that it "
            "cannot read)"
        )
    if isinstance(image, str | os.PathLike):
        return read_image(Path(image))
    if hasattr(image, "convert") and hasattr(image, "getbands"):  # Pillow, without importing it
        return np.asarray(_in_plain_mode(image))
    if not hasattr(image, "__array__"):
        raise TypeError(
            f"image must be a NumPy or JAX array, a path or a Pillow image, got {type(image).__name__}"
        )
    return image


def _as_numpy(name: str, value: Any) -> np.ndarray:
    """An array on the host, without a mask; TypeError or ValueError with one line that names the argument."""
    if not is_concrete(value):
        raise TypeError(
            f"{name} must hold values, got {value.aval.str_short()} that JAX traces; estimate_padded works under jit, "
            "vmap and grad"
        )
    if np.ma.is_masked(value):
        raise ValueError(
            f"{name} must have no masked values, got {np.ma.count_masked(value)}; fill them first"
        )
    try:
        return as_native(np.asarray(value))
    except MemoryError:
        raise
    except Exception as error:  # whatever a foreign class raises where it cannot become an array
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TypeError(f"{name} cannot be read as a NumPy array: {reason}") from error


def _in_plain_mode(image: Any) -> Any:
    """A Pillow image as RGB or grey, upright."""
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode in ("L", "RGB", "I;16"):
        return image
    if image.mode in ("F", "I"):
        raise ValueError(
            f"image: Pillow images of mode {image.mode} have no fixed range; pass an array, uint8, uint16 or float in "
            "[0, 1]"
        )
    return image.convert("L" if image.mode in ("1", "LA", "La") else "RGB")


def as_weights(weights: WeightsLike) -> Weights:
    """Weights given as they are, as a path, or left out: those that ship with the package.

    Raises:
      TypeError: of another type.
      ValueError, FileNotFoundError: see `load_weights`.
    """
    if weights is None:
        return _shipped_weights()
    if isinstance(weights, str | os.PathLike):
        return load_weights(weights)
    if not isinstance(weights, Weights):
        raise TypeError(
            f"weights must be what load_weights returns, a path, or None, got {type(weights).__name__}"
        )
    return weights


@functools.cache
def _shipped_weights() -> Weights:
    return load_weights()


def as_config(config: ConfigLike) -> Config:
    """Settings given as they are, or as the name of a preset.

    Raises:
      TypeError, ValueError: of another type, or a name that no preset has.
    """
    if config is None:
        return DEFAULT
    if isinstance(config, str):
        if config not in PRESETS:
            raise ValueError(f"config must be one of the presets {', '.join(PRESETS)}, got {config!r}")
        return PRESETS[config]
    if not isinstance(config, Config):
        raise TypeError(
            f"config must be a jaxblur.Config or the name of a preset, got {type(config).__name__}"
        )
    return config


def as_bytes(max_memory: float | str | None) -> float:
    """Bytes that the process may take.

    Args:
      max_memory: bytes, a size such as "4GB", or None: half of the machine's memory.

    Raises:
      TypeError, ValueError: no size.
    """
    if isinstance(max_memory, str):
        max_memory = memory.parse_size(max_memory)
    if not isinstance(max_memory, numbers.Real | None):
        raise TypeError(
            f'max_memory must be bytes, a size such as "4GB", or None, got {type(max_memory).__name__}'
        )
    if max_memory is not None and not max_memory > 0:
        raise ValueError(f"max_memory must be positive, got {max_memory}")
    return memory.limit(max_memory)


def pad_to_bucket(
    photo: Shaped[np.ndarray, "h w 3"], edges: Bool[np.ndarray, "h w"], tiles: Tiles
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Photo, size and edges as the program of `tiles` takes them."""
    size = np.asarray(photo.shape[:2], np.int32)
    return pad_to_shape(photo, tiles.shape), size, pad_to_shape(edges, tiles.shape)
