"""Readings by name: from a photo and its edges to the blur at the edges, before any propagation.

A reading is any function `read(image, edges)`:

  image: (H, W, 3) float32 in [0, 1], sRGB-encoded.
  edges: (H, W) bool.

It returns `Readings`. Put your own into `READINGS`, and `python -m eval` knows it by its name there.
"""

from eval.methods.readings import gradient_ratio, karaali_jung, park
from eval.methods.stages import Reading

READINGS: dict[str, Reading] = {
    "zhuo-sim": gradient_ratio.read,
    "karaali-jung": karaali_jung.read,
    "park": park.read,
}
"""Every reading but `jaxblur`, which is made of weights (`networks.reading_of`)."""
