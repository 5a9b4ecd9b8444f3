"""Image formation on the device: kernels, uniform and layered blur, slanted scenes, sensor, coding, and exact labels.

All is pure and works under jit and vmap, with traced parameters per sample; random functions take keys.
"""

from jaxblur.synthesis.formation import Border, blur, convolve, linear_to_srgb, srgb_to_linear, valid_part
from jaxblur.synthesis.jpeg import jpeg
from jaxblur.synthesis.kernels import cat_eye_kernel, disk_kernel, gaussian_kernel, polygon_kernel
from jaxblur.synthesis.labels import DEPTH, IGNORE, PATTERN, edge_labels
from jaxblur.synthesis.layers import composite_layers, layer_radius
from jaxblur.synthesis.scenes import plane_radius, render_scene
from jaxblur.synthesis.sensor import add_noise, quantise, sharpen, soften
from jaxblur.synthesis.softness import soft_kernel

__all__ = [
    "Border",
    "DEPTH",
    "IGNORE",
    "PATTERN",
    "add_noise",
    "blur",
    "cat_eye_kernel",
    "composite_layers",
    "convolve",
    "disk_kernel",
    "edge_labels",
    "gaussian_kernel",
    "jpeg",
    "layer_radius",
    "linear_to_srgb",
    "plane_radius",
    "polygon_kernel",
    "quantise",
    "render_scene",
    "sharpen",
    "soft_kernel",
    "soften",
    "srgb_to_linear",
    "valid_part",
]
