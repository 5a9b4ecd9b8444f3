"""What an estimate returns."""

from typing import Any, NamedTuple


class BlurEstimate(NamedTuple):
    """The blur of one photo, as arrays of its height and width; `estimate` returns NumPy arrays.

    Attributes:
      radius: (H, W) float32, disk radius in px of the photo passed in; never NaN.
      confidence: (H, W) float32 in [0, 1]; 0 where nothing supports the value.
      edges: (H, W) bool, where the networks were asked.
      depth_edges: (H, W) bool, edges that E-Net calls occlusion boundaries; no blur is read there.
      sparse_radius: (H, W) float32, what B-Net reads at the other (pattern) edges, px; NaN elsewhere.
    """

    radius: Any
    confidence: Any
    edges: Any
    depth_edges: Any
    sparse_radius: Any
