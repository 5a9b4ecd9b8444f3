"""Text in pictures, drawn with Pillow in a font that comes with this package."""

import functools
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_FONT = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
_INK = 45
_ABOVE, _BELOW = 20, 8  # room around the baseline, px


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FONT, size)


def draw_text(
    canvas: np.ndarray, text: str, at: tuple[int, int], *, size: int = 14, max_width: int | None = None
) -> int:
    """Write one line into an RGB uint8 picture.

    Latin, Greek and Cyrillic letters are drawn; others as a box.

    Args:
      canvas: (H, W, 3), changed in place.
      text: without line breaks.
      at: (x, y) of the left end of its baseline.
      size: of the font, px.
      max_width: px; a longer text loses its beginning.

    Returns:
      The x at which it ends.
    """
    font = _font(size)

    def extent(line: str) -> int:
        return round(font.getlength(line))

    if max_width is not None and extent(text) > max_width:
        start = next((i for i in range(len(text)) if extent("…" + text[i:]) <= max_width), len(text))
        text = "…" + text[start:]
    x, y = at
    mask = Image.new("L", (extent(text) + 4, _ABOVE + _BELOW))
    ImageDraw.Draw(mask).text((0, _ABOVE), text, fill=255, font=font, anchor="ls")
    target = canvas[y - _ABOVE : y + _BELOW, x : x + mask.width]
    alpha = np.asarray(mask, np.float32)[: target.shape[0], : target.shape[1], None] / 255
    target[:] = (target * (1 - alpha) + _INK * alpha).round().astype(np.uint8)
    return x + extent(text)
