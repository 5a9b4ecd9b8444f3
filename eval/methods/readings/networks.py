"""The reading of jaxblur: B-Net at pattern edges, E-Net for depth edges.

Karaali, Harte and Jung, "Deep Multi-Scale Feature Learning for Defocus Blur Estimation", IEEE TIP 2022. On the photo
itself, without its smaller copies: the radius is the mean over levels, and its weight the reliability of the levels.
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

import jaxblur
from eval.methods.stages import Reading, Readings
from jaxblur.network.readout import read_levels
from jaxblur.network.weights import hash_weights
from jaxblur.propagation.single_scale import is_depth


def reading_of(path: Path | None) -> tuple[Reading, str]:
    """The reading with these weights (None: those shipped), and their hash.

    Raises:
      ValueError: the file holds no weights.
      OSError: it cannot be read.
    """
    weights = jaxblur.load_weights(path)

    def read(image: Float[np.ndarray, "h w 3"], edges: Bool[np.ndarray, "h w"]) -> Readings:
        radius, weight, depth = (np.zeros(edges.shape, np.float32) for _ in range(3))
        if edges.any():
            points, probabilities = jaxblur.classify_edges(image, weights, edges)
            found, _, reliability = read_levels(
                jnp.asarray(probabilities.blur), weights.network.levels, readout="expectation"
            )
            at_depth = is_depth(probabilities.depth[:, 1])
            place = tuple(points.T)
            radius[place] = np.asarray(found)
            weight[place] = np.where(at_depth, 0, np.asarray(reliability))
            depth[place] = at_depth
        return Readings(radius, weight, depth)

    return read, hash_weights(weights)
