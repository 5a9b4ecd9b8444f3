"""The options of every command, and their help."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from jaxblur import config, result, verdict
from jaxblur.files.images import MAX_PIXELS
from jaxblur.files.levels import Levels

DESCRIPTION = """How much is every pixel of a photo out of focus, in pixels?

Examples:
  jaxblur estimate photo.jpg --output results
  jaxblur estimate holiday/ cat.png --output results --overlay
  jaxblur estimate photo.jpg --output results --weights my_weights.safetensors
  jaxblur rank holiday/ --output ranked
  jaxblur import-weights published_model/ published.safetensors
  jaxblur export estimator.stablehlo --size 1024 768
  jaxblur estimate --help
  jaxblur --version"""

SHORT = "Estimate how much every pixel of each photo is out of focus."
LONG = f"""{SHORT}

The answer, blur radius:
  the radius, in pixels of the photo, of the disk into which the lens spread
  each point: below 0.5 is sharp, 48 the most that can be told.

Written to the output folder for a photo NAME.jpg:
  NAME_preview.png  the photo beside its blur map in colour, to look at
  NAME_radius.tiff  the blur map, float32, px
  NAME.npz          NumPy arrays radius, confidence, edges, depth_edges,
                    sparse_radius
  Other endings stay in the name: cat.png gives cat.png.npz.

Written for all photos of the folder, also of earlier runs, summary.csv:
  photo and its size; percentiles of the radius and the fraction in focus
  (radius at most {result.IN_FOCUS_RADIUS:g} px), both over the pixels with a
  confidence above {result.SURE_CONFIDENCE:g}; edge counts, mean confidence,
  seconds; a warning where the map should not be trusted, and what was wrong
  with a photo that failed.

Examples:
  jaxblur estimate photo.jpg --output results
  jaxblur estimate holiday/ cat.png --output results --overlay

Exit status:
  0 if all went well; 2 if any photo failed (the others are still done);
  130 after Ctrl-C, 143 after SIGTERM (what was done is kept; a second one
  ends the command at once)."""


RANK_SHORT = "Put photos in order of sharpness, in seconds each, and find the best of alike ones."
RANK_LONG = f"""{RANK_SHORT}

The answer is that of the sharpest part of a photo: a sharp subject before a
soft background is sharp.
  sharp    its sharpest part has at most {verdict.SHARP_RADIUS:g} px of blur at the size of view
  soft     no part has
  unknown  there is too little texture to tell

Written to the output folder:
  rank.csv          the photos in order, sharpest first: verdict; radius of
                    the sharpest part, median and spread in px of the photo;
                    fraction in focus; how many places have texture; group of
                    alike photos, and whether it is the best of them; errors
  rank_objects.csv  with --boxes: the same of every object
  rank.jsonl        all of it, a line for each photo, written as they are done

Photos are alike if they look alike, or nearly and were taken within 3 s.

Examples:
  jaxblur rank holiday/
  jaxblur rank holiday/ --output ranked --boxes detections.json

Exit status: as for estimate."""


def _whole_numbers(words: list[str]) -> tuple[int, ...]:
    parts = words[0].lower().split("x") if len(words) == 1 else words
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise ValueError("it needs a width and a height, such as 1024 768")
    return tuple(int(part) for part in parts)


def _levels(words: list[str]) -> Levels:
    try:
        return "auto" if words == ["auto"] else (float(words[0]), float(words[1]))
    except (ValueError, IndexError):
        raise ValueError("it needs two numbers, black and white, or auto") from None


def _shown(value: Any) -> list[str]:
    return ["none"] if value is None else [str(part) for part in value]


def _is_pair(value: Any) -> bool:
    return value is None or isinstance(value, Sequence)


_SIZE = tyro.constructors.PrimitiveConstructorSpec(
    nargs=(1, 2),
    metavar="WIDTH HEIGHT",
    instance_from_str=_whole_numbers,
    is_instance=_is_pair,
    str_from_instance=_shown,
)
_LEVELS = tyro.constructors.PrimitiveConstructorSpec(
    nargs=(1, 2),
    metavar="BLACK WHITE",
    instance_from_str=_levels,
    is_instance=_is_pair,
    str_from_instance=_shown,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Estimate:
    """Options of `jaxblur estimate`."""

    photos: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(metavar="PHOTO_OR_FOLDER...", help_behavior_hint="(required)"),
    ]
    """Photos (JPEG, PNG, TIFF, WebP, BMP, AVIF, HEIC) and folders of photos; subfolders are not searched."""
    output: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]
    """Where the results go; made if it does not exist."""
    weights: Annotated[
        Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="(default: those shipped)")
    ] = None
    """Network weights: a .safetensors file, or the model folder of the published release."""
    edges: Annotated[Path | None, tyro.conf.arg(metavar="PNG", help_behavior_hint="(default: found)")] = None
    """Your own edge map, for one photo of the same size: 0 off edges, one other value on them."""
    levels: Annotated[
        Levels | None,
        _LEVELS,
        tyro.conf.arg(metavar="BLACK WHITE", help_behavior_hint="(default: as they are)"),
    ] = None
    """Values of the file that become black and white, for a picture that uses little of its range; auto: found."""
    preset: Literal["default", "two-stage", "published"] = "default"
    """Settings: this project's own; the same without the multiscale stage; those of the published system."""
    precision: config.Precision = "float32"
    """Of the factors in the networks' products: less is faster where the processor multiplies it."""
    max_memory: Annotated[
        str | None, tyro.conf.arg(metavar="SIZE", help_behavior_hint="(default: half of the machine's)")
    ] = None
    """Memory the program may take, such as 4GB or 800MB; larger photos are done in parts, with the same result."""
    max_pixels: Annotated[int, tyro.conf.arg(metavar="COUNT")] = MAX_PIXELS
    """Pixels that a photo may have: a file that declares more is refused."""
    overlay: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Also write NAME_overlay.png: the edges on the photo, coloured by blur; depth edges in red."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rank:
    """Options of `jaxblur rank`."""

    photos: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(metavar="PHOTO_OR_FOLDER...", help_behavior_hint="(required)"),
    ]
    """Photos and folders of photos, as for estimate."""
    output: Annotated[
        Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(default: only shown)")
    ] = None
    """Where the tables go. A run that was interrupted goes on from them."""
    boxes: Annotated[Path | None, tyro.conf.arg(metavar="JSON", help_behavior_hint="(default: none)")] = None
    """Objects of the photos, in the format of COCO, in px of the upright photo: each gets an answer of its own."""
    view: Annotated[int, tyro.conf.arg(metavar="PX")] = verdict.VIEW
    """Longer side at which the photos are looked at: larger ones are judged as if reduced to it."""
    points: Annotated[int, tyro.conf.arg(metavar="COUNT")] = 192
    """Edge points to read in a photo: fewer are faster and say less."""
    weights: Annotated[
        Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="(default: those shipped)")
    ] = None
    """Network weights, as for estimate."""
    precision: config.Precision = "float32"
    """Of the factors in the networks' products, as for estimate."""
    max_pixels: Annotated[int, tyro.conf.arg(metavar="COUNT")] = MAX_PIXELS
    """Pixels that a photo may have: a file that declares more is refused."""


@dataclasses.dataclass(frozen=True)
class ImportWeights:
    """Turn weights, such as your copy of the published release's model folder, into one .safetensors file."""

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SRC")]
    """Model folder of the published release (with blur/ and edge/), or a .safetensors file."""
    target: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DST")]
    """The .safetensors file to write."""


@dataclasses.dataclass(frozen=True)
class Export:
    """Write the estimator, or the networks, as a program that runs without jaxblur.

    NAME.stablehlo: the whole estimate for photos of a size, for jax.export. NAME.onnx: both networks, on patches
    around edge points (needs the extra onnx).
    """

    target: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DST")]
    """The .stablehlo or .onnx file to write."""
    size: Annotated[
        tuple[int, int] | None,
        _SIZE,
        tyro.conf.arg(metavar="WIDTH HEIGHT", help_behavior_hint="(for .stablehlo)"),
    ] = None
    """Size of the photos, px; the program takes all photos of the same size bucket."""
    weights: Annotated[
        Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="(default: those shipped)")
    ] = None
    """Network weights, as for estimate."""
    preset: Literal["default", "two-stage", "published"] = "default"
    """Settings, as for estimate."""
    platforms: Annotated[
        tuple[Literal["cpu", "cuda", "rocm", "tpu"], ...],
        tyro.conf.arg(
            metavar="KIND ...", help_behavior_hint="(default: that of this machine; for .stablehlo)"
        ),
    ] = ()
    """Kinds of devices that the one program is made for; they need not be here."""
