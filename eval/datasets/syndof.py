"""SYNDOF and sets made like it: rendered defocus with its map."""

from eval.datasets import folder


class Syndof(folder.Folder):
    """Photos with defocus rendered from depth, and the blur map as an image; state its unit.

    Its authors' generator stores ten times the sigma in px (their README): `--unit sigma --map-scale 0.1`.
    Other releases differ: `--map-scale S` for S px per stored value.
    """

    SOURCE = "https://github.com/codeslake/SYNDOF"
    CITATION = (
        "J. Lee, S. Lee, S. Cho, S. Lee, Deep Defocus Map Estimation Using Domain Adaptation, CVPR 2019"
    )
    LICENCE = "Rendered from sets with licences of their own; its authors offer it for research."
    PHOTOS = "image"
    MAPS = "blur_map"
    LAYOUT = "image/NAME.png and blur_map/NAME.png, and state --unit and --map-scale (px per stored value)"
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"{SOURCE}: {LAYOUT}"
