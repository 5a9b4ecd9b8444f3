"""Reading the model folder of the published release: one .mat per array, numbered in the order of its layers."""

from pathlib import Path

import numpy as np

_COLUMNS = tuple(f"convolutions_{i}/kernel" for i in range(4))
_F1 = tuple(f"params/f1/columns_{column}/{layer}" for column in range(3) for layer in _COLUMNS)


def _head(name: str) -> tuple[str, ...]:
    trunk = tuple(f"params/{name}/trunk/{layer}" for layer in _COLUMNS)
    dense = tuple(
        f"params/{name}/classification/dense_{i}/{kind}" for i in range(3) for kind in ("kernel", "bias")
    )
    return trunk + dense


_F2 = tuple(f"params/f2/column/{layer}" for layer in _COLUMNS)
# Both folders hold f1-NET; that of edge/ is a copy, and its column 41 comes before f2-NET.
_FILES = {"blur": _F1 + _head("b"), "edge": _F1[:4] + _F2 + _F1[4:] + _head("e")}


def read_published(folder: Path) -> dict[str, np.ndarray]:
    """Arrays of the published release by the names of `jaxblur.network.defocus_net.DefocusNet`.

    Raises:
      ValueError: a file is missing or unreadable, or the two copies of f1-NET differ.
    """
    arrays: dict[str, np.ndarray] = {}
    for part, names in _FILES.items():
        for number, name in enumerate(names):
            array = _read_array(folder, f"{part}/{number}.mat")
            if name.endswith("bias"):
                array = array.reshape(-1)
            if name in arrays and not np.array_equal(arrays[name], array):
                raise ValueError(
                    f"weights folder {folder}: {part}/{number}.mat differs from its copy of f1-NET in blur/"
                )
            arrays[name] = array
    return arrays


def _read_array(folder: Path, name: str) -> np.ndarray:
    import scipy.io  # takes a quarter of a second, which the shipped weights need not wait for

    try:
        return np.asarray(scipy.io.loadmat(str(folder / name))["weights"], np.float32)
    except FileNotFoundError:
        raise ValueError(
            f"weights folder {folder}: lacks {name}; the published release has blur/0-21.mat and edge/0-25.mat"
        ) from None
    except Exception as error:  # scipy raises many kinds on a damaged file
        raise ValueError(
            f"weights folder {folder}: {name} holds no readable array 'weights' ({error})"
        ) from error
