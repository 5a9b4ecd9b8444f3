"""The `jaxblur` command: photos in; blur maps, previews and tables out.

JAX is imported only once there is a photo to work on, so that help and mistyped commands answer at once.
"""

from jaxblur.cli.main import main
from jaxblur.cli.options import Estimate, Export, ImportWeights, Rank

__all__ = ["Estimate", "Export", "ImportWeights", "Rank", "main"]
