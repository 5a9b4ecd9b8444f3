"""`python -m eval.tools.fit_park`: fit the regressor of the hand-crafted features of Park et al.

python -m eval.tools.fit_park shared/photos --output eval/methods/readings/park.npz
"""

import dataclasses
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import tyro
from sklearn.neural_network import MLPRegressor

from eval.bucket import edges_of
from eval.datasets.composed import open_composed
from eval.methods.readings import park
from eval.metrics.depth_edges import blur_steps, distance_to
from jaxblur.files import output


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Fit the regressor on edges of composed scenes, far from steps of their blur."""

    photos: tyro.conf.Positional[Path]
    """Folder of sharp photos."""
    output: Path = park.FILE
    """File to write."""
    count: int = 150
    """Number of scenes."""
    seed: int = 1
    """Of the scenes. The data set composed has 0 by default, so its scenes are others, of the same photos."""


_FAR = 14  # px from a step of the true blur: half of the larger patch
_PER_SCENE = 300  # points of each scale at most
_HIDDEN = 48


def collect(arguments: Arguments) -> list[tuple[np.ndarray, np.ndarray]]:
    """Features and true radii at both scales."""
    scenes = open_composed(arguments.photos, count=arguments.count, seed=arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    found: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in park.SCALES]
    for index in range(arguments.count):
        sample = scenes.read(index)
        steps = blur_steps(sample.truth.astype(np.float64))
        far = distance_to(steps) > _FAR if steps.any() else np.ones(sample.truth.shape, bool)
        edges = edges_of(sample.image) & far
        photo = sample.image.astype(np.float32) / np.float32(255)
        for kept, (points, features) in zip(found, park.features_at(photo, edges), strict=True):
            chosen = rng.permutation(len(points))[:_PER_SCENE]
            kept.append((features[chosen], sample.truth[tuple(points[chosen].T)]))
    return [(np.concatenate([f for f, _ in kept]), np.concatenate([r for _, r in kept])) for kept in found]


def fit(features: np.ndarray, radius: np.ndarray, seed: int) -> park.Regressor:
    """The regressor with the least squared error, by Adam with early stopping."""
    mean, scale = features.mean(0), features.std(0) + 1e-6
    network = MLPRegressor(
        hidden_layer_sizes=(_HIDDEN,),
        alpha=1e-3,
        early_stopping=True,
        max_iter=1000,
        n_iter_no_change=10,
        random_state=seed,
    )
    network.fit((features - mean) / scale, radius)
    (w1, w2), (b1, b2) = network.coefs_, network.intercepts_
    arrays = (mean, scale, w1, b1, w2[:, 0], b2[0])
    return park.Regressor(*(np.asarray(array, np.float32) for array in arrays))


def main() -> int:
    """Run the command."""
    arguments = tyro.cli(Arguments, prog="python -m eval.tools.fit_park")
    arrays = {}
    for scale, (features, radius) in enumerate(collect(arguments)):
        regressor = fit(features, radius, arguments.seed)
        error = np.abs(np.asarray(regressor(jnp.asarray(features))) - radius).mean()
        print(f"{park.SCALES[scale][0]} px: {len(radius)} points, error where it was fitted {error:.2f} px")
        arrays |= {f"{name}_{scale}": array for name, array in regressor._asdict().items()}
    with output.atomic_file(arguments.output) as file:
        np.savez_compressed(file, **arrays)
    return 0


if __name__ == "__main__":
    sys.exit(main())
