"""Objects of photos: boxes of a COCO file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxblur.files.names import shown


class Box(NamedTuple):
    """An object of a photo.

    Attributes:
      number: its id in the file.
      category: its name, or its id where it has none.
      box: (left, top, width, height), px of the photo.
    """

    number: int
    category: str
    box: tuple[float, float, float, float]


class Boxes(NamedTuple):
    """The objects of one photo, and the size for which they were made, if the file says it."""

    size: tuple[int, int] | None  # width, height
    boxes: tuple[Box, ...]


NO_BOXES = Boxes(None, ())


def read_boxes(path: Path) -> dict[str, Boxes]:
    """The objects of every photo of a COCO file, by file name without folders.

    Args:
      path: JSON with the lists `images` (id, file_name, and perhaps width and height), `annotations` (image_id, bbox as
        left, top, width, height in px, and perhaps id and category_id) and perhaps `categories` (id, name).

    Raises:
      OSError: it cannot be read.
      ValueError: it is no such file.
    """
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{shown(path)}: this is not a JSON file ({error})") from error
    if not isinstance(content, dict) or not {"images", "annotations"} <= set(content):
        raise ValueError(
            f"{shown(path)}: a file of boxes in the format of COCO has the lists images and annotations; a bare list "
            "of detections does not say which photos they belong to"
        )
    try:
        return _read(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{shown(path)}: this is not in the format of COCO ({reason})") from error


def _read(content: Mapping[str, Any]) -> dict[str, Boxes]:
    names = {entry["id"]: str(entry["name"]) for entry in content.get("categories", ())}
    found: dict[Any, list[Box]] = {image["id"]: [] for image in content["images"]}
    for place, entry in enumerate(content["annotations"]):
        if entry["image_id"] not in found:
            raise ValueError(f"annotation {place} has image_id {entry['image_id']}, which no image has")
        left, top, width, height = (float(value) for value in entry["bbox"])
        kind = entry.get("category_id", "")
        box = Box(int(entry.get("id", place)), names.get(kind, str(kind)), (left, top, width, height))
        found[entry["image_id"]].append(box)
    photos = dict[str, Boxes]()
    for image in content["images"]:
        name = Path(str(image["file_name"])).name
        if name in photos:
            raise ValueError(f"two images have the file name {name}")
        size = (int(image["width"]), int(image["height"])) if {"width", "height"} <= set(image) else None
        photos[name] = Boxes(size, tuple(found[image["id"]]))
    return photos
