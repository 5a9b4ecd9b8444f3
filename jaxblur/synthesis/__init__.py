"""Image formation on the device: blur kernels, uniform and layered blur, sensor noise and coding, exact
labels.

Everything is pure and works under jit and vmap, with a traced parameter per sample; random functions take a
key.
"""

from jaxblur.synthesis.formation import Border, blur, convolve, linear_to_srgb, srgb_to_linear, valid_part
from jaxblur.synthesis.kernels import disk_kernel, gaussian_kernel, polygon_kernel
from jaxblur.synthesis.labels import DEPTH, IGNORE, PATTERN, edge_labels
from jaxblur.synthesis.layers import composite_layers, layer_radius
from jaxblur.synthesis.sensor import add_noise, jpeg, quantise

__all__ = [
    "Border",
    "DEPTH",
    "IGNORE",
    "PATTERN",
    "add_noise",
    "blur",
    "composite_layers",
    "convolve",
    "disk_kernel",
    "edge_labels",
    "gaussian_kernel",
    "jpeg",
    "layer_radius",
    "linear_to_srgb",
    "polygon_kernel",
    "quantise",
    "srgb_to_linear",
    "valid_part",
]
