"""Photos in, results out."""

from jaxblur.files.images import read_image

__all__ = ["read_image"]
