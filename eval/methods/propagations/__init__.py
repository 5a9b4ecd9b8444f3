"""Propagations by name: from readings at edges to a map, all with the arguments of `jaxblur.propagate`.

A propagation is any function `propagate(radius, weight, depth, image)`:

  radius: (H, W) float32, px; means nothing where the weight is 0.
  weight: (H, W) float32, how much each reading counts, >= 0.
  depth: (H, W) float32 in [0, 1], depth edges.
  image: (H, W, 3) float32 in [0, 1], the guide.

It returns the map, radius in px, and a confidence in [0, 1] or None. A photo without any reading gets a map all the
same. Put your own into `PROPAGATIONS`, and `python -m eval` knows it by its name there.
"""

from eval.methods.propagations import domain_transform, fgs, guided, matting, multiscale
from eval.methods.stages import Propagation

PROPAGATIONS: dict[str, Propagation] = {
    "domain-transform": domain_transform.propagate,
    "multiscale": multiscale.propagate,
    "matting": matting.propagate,
    "guided": guided.propagate,
    "fgs": fgs.propagate,
}
"""Every propagation."""
