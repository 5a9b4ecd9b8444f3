"""The figure of docs/architecture.md: the way of a photo through the rooms, and the floors of the import rule.

python docs/draw_architecture.py

It is SVG, written by hand: the same bytes on every machine, so that a test can tell whether the figure is up to date.
"""

from pathlib import Path

TARGET = Path(__file__).parent / "images" / "architecture.svg"

FLOORS = (
    ("cli",),
    ("batch", "export", "rank"),
    ("estimator",),
    ("inputs",),
    ("weights",),
    ("multiscale",),
    ("propagation",),
    ("edges", "network"),
    ("image", "synthesis"),
    ("runtime", "files", "verdict"),
    ("config", "result", "units", "_checks"),
)
"""Rooms and modules of jaxblur, top floor first: each imports from floors below it, as tests/test_imports.py checks."""

# Fill and line of the rooms that a photo passes; all others are grey.
COLOURS = {
    "image": ("#dbeafe", "#3b82f6"),
    "edges": ("#fef3c7", "#d97706"),
    "network": ("#ffe4e6", "#e11d48"),
    "propagation": ("#dcfce7", "#16a34a"),
    "multiscale": ("#ede9fe", "#7c3aed"),
}
GREY = ("#f3f4f6", "#9ca3af")
INK, FAINT_INK = "#1f2937", "#4b5563"

WIDTH, HEIGHT = 800, 716
_LINE = 16  # px from one line of text to the next


class Canvas:
    """Shapes and text, in the order in which they are drawn."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = 12.5,
        bold: bool = False,
        ink: str = INK,
        anchor: str = "middle",
    ) -> None:
        """One line whose baseline is at y."""
        weight = ' font-weight="bold"' if bold else ""
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{ink}" text-anchor="{anchor}"{weight}>{words}</text>'
        )

    def box(
        self, x: float, y: float, width: float, height: float, room: str, *lines: str, dashed: bool = False
    ) -> None:
        """A box in the colour of its room: its first line in full ink, the others fainter and smaller."""
        fill, line = COLOURS.get(room, GREY)
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" '
            f'fill="{"none" if dashed else fill}" stroke="{line}" stroke-width="1.5"{dash}/>'
        )
        top = y + height / 2 - _LINE * (len(lines) - 1) / 2 + 4.5
        for i, words in enumerate(lines):
            style = {"size": 12.5, "bold": True} if i == 0 else {"size": 11.5, "ink": FAINT_INK}
            self.text(x + width / 2, top + i * _LINE, words, **style)

    def band(self, x: float, y: float, width: float, height: float) -> None:
        """A pale ground behind boxes."""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" fill="#f9fafb" stroke="#e5e7eb"/>'
        )

    def turned_text(self, x: float, y: float, words: str) -> None:
        """One line that runs upwards, centred at y."""
        self.parts.append(
            f'<text transform="translate({x:g} {y:g}) rotate(-90)" font-size="11.5" fill="{FAINT_INK}" '
            f'text-anchor="middle">{words}</text>'
        )

    def arrow(self, *points: tuple[float, float], head: bool = True) -> None:
        """A line through points, with a head at its end."""
        path = " L ".join(f"{x:g} {y:g}" for x, y in points)
        marker = ' marker-end="url(#head)"' if head else ""
        self.parts.append(f'<path d="M {path}" fill="none" stroke="{INK}" stroke-width="1.3"{marker}/>')

    def svg(self) -> str:
        """The whole file."""
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
                f'height="{HEIGHT}" font-family="Helvetica, Arial, DejaVu Sans, sans-serif">',
                '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
                f'orient="auto"><path d="M 0 0 L 8 4 L 0 8 z" fill="{INK}"/></marker></defs>',
                f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
                *self.parts,
                "</svg>",
                "",
            ]
        )


# Left and width of the column of the photo itself, and of those of its smaller copies.
_PHOTO = (50, 190)
_COPIES = ((268, 74), (353, 74), (438, 74))
# Top of every row; all boxes of the columns have one height.
_ROWS = {"photo": 152, "edges": 212, "features": 272, "networks": 332, "reading": 392}
_TALL = 40
_MAP, _MAP_HEIGHT = 482, 112  # top and height of the boxes that make the map
_RUN = (16, 92, 510, 536)  # left, top, width and height of the frame of run.py
_GAP = 24  # below it


def draw_scales(canvas: Canvas) -> None:
    """The photo and its smaller copies, each from its pixels to its readings."""
    x, width = _PHOTO
    middle = x + width / 2
    canvas.box(x, _ROWS["photo"], width, _TALL, "image", "photo", "image/values.py")
    canvas.box(x, _ROWS["edges"], width, _TALL, "edges", "Canny edges", "edges/canny.py")
    canvas.box(x, _ROWS["features"], width, _TALL, "network", "features at edges", "network/pointwise.py")
    half = (width - 8) / 2
    canvas.box(x, _ROWS["networks"], half, _TALL, "network", "B-Net", "blur levels")
    canvas.box(x + half + 8, _ROWS["networks"], half, _TALL, "network", "E-Net", "depth edges")
    canvas.box(x, _ROWS["reading"], width, _TALL, "network", "reading r, δ, q, p", "network/readout.py")
    names = list(_ROWS)
    for above, below in zip(names, names[1:], strict=False):
        ways = (x + half / 2, x + width - half / 2) if "networks" in (above, below) else (middle,)
        for way in ways:
            canvas.arrow((way, _ROWS[above] + _TALL), (way, _ROWS[below]))
    left = x + width
    for (x, width), name in zip(_COPIES, ("1/2", "1/4", "1/8"), strict=True):
        middle = x + width / 2
        canvas.arrow((left, _ROWS["photo"] + _TALL / 2), (x, _ROWS["photo"] + _TALL / 2))
        canvas.box(x, _ROWS["photo"], width, _TALL, "image", name)
        canvas.box(x, _ROWS["edges"], width, _TALL, "edges", "edges")
        canvas.box(x, _ROWS["features"], width, _TALL, "network", "features")
        canvas.box(x, _ROWS["networks"], width, _TALL, "network", "B-, E-Net")
        canvas.box(x, _ROWS["reading"], width, _TALL, "network", "reading")
        for above, below in zip(names, names[1:], strict=False):
            canvas.arrow((middle, _ROWS[above] + _TALL), (middle, _ROWS[below]))
        left = x + width
    canvas.text(390, _ROWS["photo"] - 9, "smaller copies: image/pyramid.py", size=11.5, ink=FAINT_INK)


def draw_propagation(canvas: Canvas) -> None:
    """The two ways from readings to a map: the photo's own readings, or those of all scales."""
    x, width = _PHOTO
    bottom, end = _ROWS["reading"] + _TALL, _RUN[1] + _RUN[3] + _GAP
    single, (left, right) = 134, (206, 512)
    canvas.arrow((x + single / 2, bottom), (x + single / 2, _MAP))
    for start in (left + 17, *(copy + copy_width / 2 for copy, copy_width in _COPIES)):
        canvas.arrow((start, bottom), (start, _MAP))
    canvas.text((x + single / 2 + left + 17) / 2, _MAP - 20, "or", bold=True)
    canvas.box(x, _MAP, single, 80, "propagation", "single scale", "propagation/", "single_scale.py")
    canvas.box(left, _MAP, right - left, _MAP_HEIGHT, "multiscale")
    canvas.text((left + right) / 2, _MAP + 22, "multiscale fusion: multiscale/fuse.py", bold=True)
    steps = (
        ("multiscale", "evidence E", "all scales"),
        ("multiscale", "barriers B", "guide_net.py"),
        ("propagation", "filter RF", "3 extents"),
    )
    step, gap, y = 84, 18, _MAP + 36
    starts = [left + 9 + i * (step + gap) for i in range(3)]
    for place, (room, *lines) in zip(starts, steps, strict=True):
        canvas.box(place, y, step, 42, room, *lines)
    canvas.text(starts[1] - gap / 2, y + 26, "+", size=14, bold=True)
    canvas.arrow((starts[2] - gap, y + 21), (starts[2], y + 21))
    guide, level, barriers = 36, _MAP + _MAP_HEIGHT - 16, starts[1] + step / 2
    canvas.arrow((x, _ROWS["photo"] + 20), (guide, _ROWS["photo"] + 20), (guide, _MAP + 40), (x, _MAP + 40))
    canvas.arrow((guide, _MAP + 40), (guide, level), (barriers, level), (barriers, y + 42))
    canvas.turned_text(guide - 5, 330, "gradients of the photo")
    canvas.arrow((x + single / 2, _MAP + 80), (x + single / 2, end))
    canvas.arrow(((left + right) / 2, _MAP + _MAP_HEIGHT), ((left + right) / 2, end))


def draw_way(canvas: Canvas) -> None:
    """The left half: from the caller to the result."""
    x, y, width, height = _RUN
    centre = x + width / 2
    canvas.text(x, 26, "The way of a photo", size=15, bold=True, anchor="start")
    canvas.box(x, 40, width, 36, "estimator", "inputs.py, estimator.py: photo, weights and settings")
    canvas.arrow((centre, 76), (centre, y))
    canvas.box(x, y, width, height, "multiscale", dashed=True)
    canvas.text(centre, y + 20, "multiscale/run.py: the order of stages, written once", bold=True)
    words = "run in one compiled program, or in tiles and strips of a large photo"
    canvas.text(centre, y + 36, words, size=11.5, ink=FAINT_INK)
    draw_scales(canvas)
    draw_propagation(canvas)
    fields = "radius, confidence, edges, depth_edges, sparse_radius"
    canvas.box(x, y + height + _GAP, width, 48, "result", "result.py: BlurEstimate", fields)


def draw_floors(canvas: Canvas) -> None:
    """The right half: rooms and modules by floor, under the two programs that use them."""
    x, width = 568, 216
    canvas.text(x, 26, "Who may import whom", size=15, bold=True, anchor="start")
    half = (width - 4) / 2
    canvas.box(x, 40, half, 30, "train", "train")
    canvas.box(x + half + 4, 40, half, 30, "eval", "eval")
    canvas.text(x + width / 2, 86, "use jaxblur, never each other", size=11.5, ink=FAINT_INK)
    top, tall, gap = 98, 46, 9.6
    y = top
    for floor in FLOORS:
        canvas.band(x - 10, y, width + 20, tall)
        # Boxes of one floor are equally wide, unless names of many would not fit.
        letters = [len(name) if len(floor) > 2 else 1 for name in floor]
        per_letter, left = (width - 4 * (len(floor) - 1)) / sum(letters), x
        for name, count in zip(floor, letters, strict=True):
            canvas.box(left, y + 8, count * per_letter, tall - 16, name, name)
            left += count * per_letter + 4
        y += tall + gap
    canvas.arrow((546, top), (546, y - gap))
    canvas.turned_text(541, (top + y - gap) / 2, "imports go down only")


def draw() -> str:
    """The figure as SVG."""
    canvas = Canvas()
    draw_way(canvas)
    draw_floors(canvas)
    return canvas.svg()


if __name__ == "__main__":
    TARGET.write_text(draw(), encoding="utf-8")
