"""Pictures for the eye: the blur map beside its photo, and the edges drawn on the photo.

Colours mean the same radius in every picture (0 to 48 px, the range of the estimator), so that two previews
can be compared. The colour map is viridis, which is perceptually uniform, over the logarithm of radius + 1:
small radii differ visibly, and large ones fit.
"""

import cv2
import numpy as np

from jaxblur.files.text import draw_text

MAX_RADIUS = 48.0  # px, the end of the colour map
_TICKS = (0, 0.5, 1, 2, 4, 8, 16, 32, 48)
LOW_CONFIDENCE = 0.1  # below it the map is hatched

_MAX_WIDTH = 1600  # of a whole picture, px
_MAX_HEIGHT = 1200  # of a panel, px
_MIN_SIDE = 320  # a photo is enlarged until its longer side has this
_COLUMN, _ROW = 320, 200  # least room for a panel, so that texts and colour bar fit
_MARGIN, _GAP, _CAPTION = 24, 16, 36
_SMALL = 12  # of notes and labels, px
_BAR_WIDTH = 18
SCALE_WIDTH = 84  # of the colour bar with its labels

_PAPER = (250, 250, 250)
_INK = 45
_DEPTH_EDGE = np.array((255, 70, 85), np.uint8)  # viridis has no red
_VIRIDIS = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_VIRIDIS)[:, 0, ::-1]


def colour_map(radius: np.ndarray | np.generic) -> np.ndarray:
    """Colours of blur radii: (...) in px to (..., 3) uint8 RGB, clipped to 0 .. `MAX_RADIUS`."""
    return _VIRIDIS[(255 * _scale(radius)).round().astype(np.uint8)]


def _scale(radius: np.ndarray | np.generic) -> np.ndarray:
    """Place on the colour map of a radius, 0 to 1."""
    return np.asarray(np.log1p(np.clip(radius, 0, MAX_RADIUS)) / np.log1p(MAX_RADIUS))


def draw_preview(
    image: np.ndarray, radius: np.ndarray, confidence: np.ndarray, *, title: str = ""
) -> np.ndarray:
    """Draw a photo, the colour map of its blur radius and a colour bar in px, side by side.

    Where confidence is below `LOW_CONFIDENCE`, the map is hatched.

    Args:
      image: the photo, (H, W, 3) or (H, W); uint8, uint16 or float in [0, 1].
      radius: (H, W) disk radius in px.
      confidence: (H, W) in [0, 1].
      title: text above the photo, its name for instance.

    Returns:
      uint8 RGB picture, at most 1600 px wide; large photos are reduced, tiny ones enlarged.
    """
    size = _panel_size(image.shape[:2], (_MAX_WIDTH - 2 * _MARGIN - 2 * _GAP - SCALE_WIDTH) // 2)
    blur = colour_map(_resize(radius, size))
    uncertain = _resize(confidence, size) < LOW_CONFIDENCE
    hatch = _stripes(size) & uncertain
    blur[hatch] = blur[hatch] // 3 + 170  # two thirds white
    note = f"hatched: confidence below {LOW_CONFIDENCE:g}" if uncertain.any() else ""
    canvas, (_, right) = _page([_resize(_to_uint8(image), size), blur], [title, "blur radius"])
    draw_text(canvas, note, (right, canvas.shape[0] - 14), size=_SMALL)
    return canvas


def draw_overlay(
    image: np.ndarray,
    edges: np.ndarray,
    depth_edges: np.ndarray,
    sparse_radius: np.ndarray,
    *,
    title: str = "",
) -> np.ndarray:
    """Draw edges on the faded photo: pattern edges in the colour of their blur radius, depth edges in red.

    Args:
      image: the photo, (H, W, 3) or (H, W); uint8, uint16 or float in [0, 1].
      edges: (H, W) bool, all edges.
      depth_edges: (H, W) bool, those at a step in depth.
      sparse_radius: (H, W) disk radius in px at pattern edges, NaN elsewhere.
      title: text above the photo.

    Returns:
      uint8 RGB picture, at most 1600 px wide; large photos are reduced, tiny ones enlarged.
    """
    size = _panel_size(image.shape[:2], _MAX_WIDTH - 2 * _MARGIN - _GAP - SCALE_WIDTH)
    panel = _resize(_to_uint8(image), size)
    grey = cv2.cvtColor(panel, cv2.COLOR_RGB2GRAY)
    panel = cv2.cvtColor(grey // 3 + 110, cv2.COLOR_GRAY2RGB)  # on this, both ends of viridis stand out
    pattern_edges = edges & ~np.isnan(sparse_radius)
    _draw_points(panel, pattern_edges, colour_map(sparse_radius[pattern_edges]))
    _draw_points(panel, depth_edges, _DEPTH_EDGE)
    canvas, (left,) = _page([panel], [title])
    baseline = canvas.shape[0] - 14
    end = draw_text(canvas, "pattern edges: coloured by blur radius", (left, baseline), size=_SMALL)
    canvas[baseline - 6 : baseline - 3, end + 24 : end + 44] = _DEPTH_EDGE
    draw_text(canvas, "depth edges", (end + 52, baseline), size=_SMALL)
    return canvas


def _to_uint8(image: np.ndarray) -> np.ndarray:
    """A photo of any accepted kind as (H, W, 3) uint8."""
    if image.dtype == np.uint16:
        image = (image // 257).astype(np.uint8)
    elif image.dtype != np.uint8:
        image = np.clip(image * 255, 0, 255).round().astype(np.uint8)
    return np.dstack([image] * 3) if image.ndim == 2 else image


def _panel_size(size: tuple[int, int], max_width: int) -> tuple[int, int]:
    """(H, W) at which a photo of `size` is shown."""
    h, w = size
    scale = min(max_width / w, _MAX_HEIGHT / h, max(1.0, _MIN_SIDE / max(h, w)))
    return max(1, round(h * scale)), max(1, round(w * scale))


def _resize(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Reduce by area averaging, or enlarge by repeating pixels."""
    reduce = size[0] < array.shape[0] or size[1] < array.shape[1]
    return cv2.resize(array, size[::-1], interpolation=cv2.INTER_AREA if reduce else cv2.INTER_NEAREST)


def _stripes(size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool, True on thin diagonal lines."""
    return np.add.outer(np.arange(size[0]), np.arange(size[1])) % 9 < 2


def _draw_points(panel: np.ndarray, mask: np.ndarray, colours: np.ndarray) -> None:
    """Colour the places of `panel` that show the True pixels of `mask`, which may be larger or smaller."""
    (h, w), (mask_h, mask_w) = panel.shape[:2], mask.shape
    if h > mask_h or w > mask_w:
        filled = np.zeros((mask_h, mask_w, 3), np.uint8)
        filled[mask] = colours
        drawn = _resize(mask.astype(np.uint8), (h, w)) > 0
        panel[drawn] = _resize(filled, (h, w))[drawn]
    else:
        rows, cols = np.nonzero(mask)
        panel[rows * h // mask_h, cols * w // mask_w] = colours


def _page(panels: list[np.ndarray], captions: list[str]) -> tuple[np.ndarray, list[int]]:
    """A page with captioned panels in a row and the colour bar; also the left end of every panel's column."""
    h, w = panels[0].shape[:2]
    column, row = max(w, _COLUMN), max(h, _ROW)
    lefts = [_MARGIN + i * (column + _GAP) for i in range(len(panels))]
    width = lefts[-1] + column + _GAP + SCALE_WIDTH + _MARGIN
    canvas = np.full((row + 2 * _CAPTION, width, 3), _PAPER, np.uint8)
    for panel, caption, left in zip(panels, captions, lefts, strict=True):
        canvas[_CAPTION : _CAPTION + h, left : left + w] = panel
        draw_text(canvas, caption, (left, _CAPTION - 11), max_width=column)
    draw_scale(canvas, left=lefts[-1] + column + _GAP, top=_CAPTION, height=row)
    return canvas, lefts


def draw_scale(canvas: np.ndarray, *, left: int, top: int, height: int) -> None:
    """Draw the bar of `colour_map` with its labels, px, into an RGB uint8 picture.

    It takes `SCALE_WIDTH` px to the right of `left`; its labels need 16 px above and below the bar.
    """
    radius = np.expm1(np.linspace(np.log1p(MAX_RADIUS), 0, height, dtype=np.float32))[:, None]
    canvas[top : top + height, left : left + _BAR_WIDTH] = colour_map(radius)
    for tick in _TICKS:
        y = top + round((height - 1) * (1 - float(_scale(np.asarray(tick)))))
        canvas[y, left + _BAR_WIDTH : left + _BAR_WIDTH + 5] = _INK
        draw_text(
            canvas,
            f"{tick:g} px" if tick == MAX_RADIUS else f"{tick:g}",
            (left + _BAR_WIDTH + 10, y + 5),
            size=_SMALL,
        )
