"""Guide network: a small network that predicts where gradients of the photo should block the propagation.

Texture is full of gradients that should block nothing, and the boundary of an object has gaps where its contrast is
low. The gradient alone does not tell the two apart. The edges around it do, and how probable depth edges are among
them. In the spirit of Chen et al., "Semantic image segmentation with task-specific edge detection using CNNs and a
discriminatively trained domain transform", CVPR 2016.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float

from jaxblur.image.pyramid import cover, halve
from jaxblur.image.size import Size, inside_mask
from jaxblur.network.convolution import convolve
from jaxblur.network.readout import ScaleReading

SCALES = 3  # of the pyramid that are looked at; the scenes that it is trained on have no more
DILATIONS = (1, 2, 4, 8)
REACH = sum(DILATIONS)  # px of the half-size copy from which an answer can depend on edges
_CHANNELS = 16
_INPUTS = 2 * SCALES


class GuideNet(nn.Module):
    """Dilated convolutions on the half-size copy, each added to what came before.

    There are no biases, so that the answer is 0 far from all edges.
    """

    @nn.compact
    def __call__(
        self, planes: Float[Array, "h2 w2 6"], inside: Bool[Array, "h2 w2"]
    ) -> Float[Array, "h2 w2"]:
        """From `edge_planes` and the pixels of the half-size copy that are in the photo; 0 elsewhere.

        Returns:
          g: natural logarithm of the factor by which gradients block more than they do far from all edges.
        """
        inside = inside[..., None]
        x = jnp.where(inside, planes, 0)
        for layer, dilation in enumerate(DILATIONS):
            shape = (3, 3, x.shape[-1], _CHANNELS)
            kernel = self.param(f"kernel_{layer}", nn.initializers.he_normal(), shape).astype(x.dtype)
            around = [(dilation, dilation)] * 2 + [(0, 0)]
            y = nn.relu(convolve(jnp.pad(x, around)[None], kernel, dilation=dilation)[0])
            # Beyond the border there is nothing, whatever the size of the array that the photo lies in.
            x = jnp.where(inside, x + y if layer else y, 0)
        last = self.param("kernel_last", nn.initializers.zeros, (_CHANNELS, 1)).astype(x.dtype)
        return (x @ last)[..., 0]


def init_guide(key: jax.Array) -> dict[str, Any]:
    """Parameters of `GuideNet` before training: random filters, and an answer of 0 everywhere."""
    planes, inside = jnp.zeros((2, 2, _INPUTS)), jnp.ones((2, 2), bool)
    return dict[str, Any](GuideNet().init(key, planes, inside)["params"])


def guide_gain(
    parameters: dict[str, Any],
    readings: Sequence[ScaleReading],
    *,
    shape: tuple[int, ...],
    size: Size | None = None,
) -> Float[Array, "h w"]:
    """What `GuideNet` says of every pixel of a photo.

    Args:
      parameters: see `init_guide`.
      readings: planes of each scale, finest first.
      shape: height and width of the photo's array.
      size: true height and width of a photo in the top-left of padded arrays; may be traced.
    """
    half = shape[0] // 2, shape[1] // 2
    if 0 in half:
        return jnp.zeros(shape, readings[0].reading.depth.dtype)
    planes = edge_planes([(edges, reading.depth) for reading, edges in readings[:SCALES]], half)
    inside = inside_mask(half, None if size is None else (size[0] // 2, size[1] // 2))
    return cover(GuideNet().apply({"params": parameters}, planes, inside), 1, shape)  # type: ignore[arg-type]


def edge_planes(scales: Sequence[tuple[Any, Any]], half: tuple[int, int]) -> Float[Array, "h2 w2 6"]:
    """What `GuideNet` sees, on the half-size copy: of each scale, how much is edge, and how much depth edge.

    Args:
      scales: edges and probability of a depth edge there, finest scale first; those that lack are without edges.
      half: height and width of the half-size copy.
    """
    planes = []
    for scale, (edges, depth) in enumerate(scales):
        for plane in (edges.astype(depth.dtype), jnp.where(edges, depth, 0)):
            planes.append(halve(plane) if scale == 0 else cover(plane, scale - 1, half))
    planes += [jnp.zeros(half, planes[0].dtype)] * (_INPUTS - len(planes))
    return jnp.stack(planes, axis=-1)
