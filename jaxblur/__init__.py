"""jaxblur: how much is every pixel of one photo out of focus, in pixels.

    import jaxblur

    weights = jaxblur.load_weights()
    result = jaxblur.estimate(image, weights)
    result.radius, result.confidence

Blur is the radius of a disk in pixels of the image that was passed in. Images are (H, W, 3), sRGB-encoded; points
(row, col).

The public names and their homes are listed in `__init__.pyi`. Each is loaded on its first use, so that `jaxblur --help`
does not wait for JAX.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
