"""Propagation by the matting Laplacian, as Zhuo and Sim (2011) and many after them do it.

Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting", IEEE TPAMI 30, 2008, for the matrix L;
Zhuo and Sim, "Defocus map estimation from a single image", Pattern Recognition 2011, section 4, for the map d that
minimises d' L d + lambda (d - r)' D (d - r), with readings r and their weights on the diagonal of D:

    (L + lambda D) d = lambda D r

Settings: lambda = 0.001 as in the paper, windows of 3x3 px, epsilon 1e-5, which is this project's: with 1e-7, that of
pymatting, the solver takes twice as long. A weight of 1e-7 for the mean of all readings, at every pixel, keeps the
matrix invertible where no reading is in reach.
L and the solver are those of pymatting (MIT), an extra: pip install "jaxblur[matting]".
"""

import importlib
from types import ModuleType
from typing import Any

import numpy as np
import scipy.sparse
from jaxtyping import Float

from eval.methods.propagations.mean import mean_reading

CONSTRAINT = 1e-3  # lambda
EPSILON = 1e-5
_EVERYWHERE = 1e-7
_TOLERANCE = 1e-3  # of the residual, relative: within 0.001 px in the mean
_MOST_STEPS = 1000
_SHIFTS = (0.01, 0.1, 1.0, 10.0)  # of the factor, each tried if the one before fails; smaller ones do


def propagate(
    radius: Float[np.ndarray, "h w"],
    weight: Float[np.ndarray, "h w"],
    depth: Float[np.ndarray, "h w"],
    image: Float[np.ndarray, "h w 3"],
) -> tuple[Float[np.ndarray, "h w"], None]:
    """The map, see `eval.methods.propagations`; depth edges do not stop it. On the host, in float64.

    Raises:
      ValueError: pymatting is not installed, or its solver does not get there.
    """
    del depth
    library = find_library()
    mean = mean_reading(radius, weight)
    if not (weight > 0).any() or min(radius.shape) < 3:  # 3 px: one window
        return np.full(radius.shape, mean, np.float32), None
    weight = np.where(weight > 0, weight / weight.max(), 0).astype(np.float64)
    offset = np.where(weight > 0, radius - mean, 0).astype(np.float64)
    laplacian = library.cf_laplacian(image.astype(np.float64), epsilon=EPSILON)
    matrix = laplacian + CONSTRAINT * scipy.sparse.diags((weight + _EVERYWHERE).ravel())
    target = CONSTRAINT * (weight * offset).ravel()
    result = _solve(library, matrix.tocsc(), target).reshape(radius.shape)
    least, most = (bound(radius[weight > 0]) for bound in (np.min, np.max))
    return np.clip(result + mean, least, most).astype(np.float32), None


def _solve(library: ModuleType, matrix: Any, target: np.ndarray) -> np.ndarray:
    """By conjugate gradients with an incomplete Cholesky factor."""
    if not target.any():
        return np.zeros_like(target)
    factor = library.ichol(matrix, discard_threshold=1e-3, shifts=_SHIFTS)
    return library.cg(matrix, target, M=factor, rtol=_TOLERANCE, atol=0.0, maxiter=_MOST_STEPS)


def find_library() -> ModuleType:
    """pymatting.

    Raises:
      ValueError: it is not installed.
    """
    try:
        return importlib.import_module("pymatting")
    except ModuleNotFoundError as error:
        raise ValueError('matting: needs the package pymatting: pip install "jaxblur[matting]"') from error
