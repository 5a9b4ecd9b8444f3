"""Bits of HTML that several parts of the page share."""

from collections.abc import Sequence

from eval.report import figures


def swatch(method: str, methods: Sequence[str]) -> str:
    """The mark of a method, in its colour in all charts."""
    return f'<i class="swatch" style="background:{figures.legend_colour(method, methods)}"></i>'


def plural(count: int, noun: str) -> str:
    """For instance 1 image, 2 images."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
