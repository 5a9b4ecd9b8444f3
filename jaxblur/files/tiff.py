"""What the first picture of a TIFF is: its size, how its samples are kept, and whether the file has them all."""

import struct
from typing import IO, NamedTuple

import numpy as np

from jaxblur.files.header import Damaged

_TYPES = {1: "u1", 3: "u2", 4: "u4", 16: "u8"}  # of the values that are looked at here
_TAGS = {
    "subfile": 254,
    "width": 256,
    "height": 257,
    "bits": 258,
    "compression": 259,
    "photometric": 262,
    "strip_offsets": 273,
    "samples": 277,
    "strip_bytes": 279,
    "planar": 284,
    "tile_width": 322,
    "tile_height": 323,
    "tile_offsets": 324,
    "tile_bytes": 325,
    "format": 339,
    "dng_version": 50706,
}
_NAMES = {number: name for name, number in _TAGS.items()}
_MAX_TAGS = 4096
# Most bytes that a byte of a compression can become; none is known of those that are not listed.
_RATIOS = {1: 1, 5: 4096, 8: 1032, 32946: 1032, 32773: 128}
_CFA, _LINEAR_RAW = 32803, 34892
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
_INTEGER, _FLOAT = 1, 3


class Tiff(NamedTuple):
    """The first picture of a TIFF.

    Attributes:
      width: px.
      height: px.
      bits: of a sample.
      samples: of a pixel.
      is_float: whether samples are floating-point numbers.
      photometric: what the samples mean: `WHITE_IS_ZERO`, `BLACK_IS_ZERO`, `RGB`, or another number of the standard.
      in_planes: whether each channel is kept by itself.
      is_raw: whether this is a camera raw file, or begins with a thumbnail as those do.
      refusal: why it is not read; empty if it is.
    """

    width: int
    height: int
    bits: int
    samples: int
    is_float: bool
    photometric: int
    in_planes: bool
    is_raw: bool
    refusal: str


def read_tiff(file: IO[bytes]) -> Tiff:
    """Read the tags of the first picture from the open file.

    Raises:
      Damaged: they lead out of the file, or do not describe a picture.
    """
    end = file.seek(0, 2)
    values = _first_tags(file, end)

    def one(name: str, default: int) -> int:
        found = values.get(name)
        return default if found is None or not found.size else int(found[0])

    width, height, samples, bits = one("width", 0), one("height", 0), one("samples", 1), one("bits", 1)
    planar, photometric = one("planar", 1), one("photometric", BLACK_IS_ZERO)
    is_raw = "dng_version" in values or one("subfile", 0) & 1 == 1 or photometric in (_CFA, _LINEAR_RAW)
    kind = one("format", _INTEGER)
    tiff = Tiff(width, height, bits, samples, kind == _FLOAT, photometric, planar == 2, is_raw, "")
    if not is_raw:
        _check_data(values, tiff, one("compression", 1), end)
        _check_tiles(one("tile_width", 0), one("tile_height", 0), tiff)
    return tiff._replace(refusal=_why_not(tiff, kind, values))


def _why_not(tiff: Tiff, kind: int, values: dict[str, np.ndarray]) -> str:
    if len(set(values.get("bits", np.zeros(1, int)).tolist())) > 1:
        return "its channels differ in bits"
    if kind not in (_INTEGER, _FLOAT) or (kind == _FLOAT) != (tiff.bits > 16):
        name = {_INTEGER: "integers", _FLOAT: "floats", 2: "signed integers"}.get(kind, "complex numbers")
        return f"it holds {tiff.bits}-bit {name}; 8 or 16 bits, or float32 or float64 in [0, 1] are needed"
    if tiff.bits <= 8:
        return ""
    if tiff.bits not in (16, 32, 64):
        return f"it has {tiff.bits} bits; 8, 16, or float32 or float64 in [0, 1] are needed"
    expected = {BLACK_IS_ZERO: (1,), WHITE_IS_ZERO: (1,), RGB: (3, 4)}.get(tiff.photometric, ())
    if tiff.samples not in expected or (tiff.photometric == WHITE_IS_ZERO and tiff.is_float):
        return "with more than 8 bits, only grey and RGB, with or without alpha, are read"
    if tiff.in_planes and tiff.samples > 1:
        return "its channels are kept one after the other; save it with interleaved channels"
    return ""


def _first_tags(file: IO[bytes], end: int) -> dict[str, np.ndarray]:
    """Values of the tags of `_TAGS` in the first directory of a TIFF or BigTIFF."""
    head = _at(file, 0, 16, end)
    order = "<" if head[:2] == b"II" else ">"
    big = struct.unpack(f"{order}H", head[2:4])[0] == 43
    (start,) = struct.unpack(f"{order}{'Q' if big else 'I'}", head[8:16] if big else head[4:8])
    head_size, size, layout = (8, 20, "HHQ8s") if big else (2, 12, "HHI4s")
    (count,) = struct.unpack(f"{order}{'Q' if big else 'H'}", _at(file, start, head_size, end))
    if not 0 < count <= _MAX_TAGS:
        raise Damaged("is damaged: it has no picture")
    found = {}
    for entry in struct.iter_unpack(f"{order}{layout}", _at(file, start + head_size, count * size, end)):
        tag, kind, length, inline = entry
        if tag not in _NAMES or kind not in _TYPES or length == 0:
            continue
        dtype = np.dtype(order + _TYPES[kind])
        needed = length * dtype.itemsize
        if needed <= len(inline):
            data = inline[:needed]
        else:
            (offset,) = struct.unpack(f"{order}{'Q' if big else 'I'}", inline)
            data = _at(file, offset, needed, end)
        found.setdefault(_NAMES[tag], np.frombuffer(data, dtype))
    return found


def _at(file: IO[bytes], offset: int, count: int, end: int) -> bytes:
    if offset + count > end:
        raise Damaged("is damaged or cut off: it points beyond the end of the file")
    file.seek(offset)
    return file.read(count)


def _check_data(values: dict[str, np.ndarray], tiff: Tiff, compression: int, end: int) -> None:
    """Raise unless strips or tiles lie within the file and can hold the picture."""
    kind = "tile" if "tile_offsets" in values else "strip"
    offsets, counts = values.get(f"{kind}_offsets"), values.get(f"{kind}_bytes")
    if offsets is None or counts is None or offsets.size != counts.size:
        raise Damaged("is damaged: it does not say where the picture is")
    # uint64 may wrap around, float64 may not; no file is so long that the lost bits count.
    if (offsets.astype(np.float64) + counts.astype(np.float64) > end).any():
        raise Damaged("is damaged or cut off: it points beyond the end of the file")
    ratio = _RATIOS.get(compression)
    needed = (tiff.width * tiff.samples * tiff.bits + 7) // 8 * tiff.height
    halved = 2 if tiff.photometric == 6 else 1  # YCbCr may keep half of the samples
    if ratio is not None and needed > halved * (ratio * float(counts.sum(dtype=np.float64)) + 1024):
        raise Damaged("is damaged or cut off: its bytes cannot hold the picture that it declares")


def _check_tiles(width: int, height: int, tiff: Tiff) -> None:
    """Raise where tiles are far larger than the picture: decoders take the memory of a whole one."""
    if width * height > 4 * tiff.width * tiff.height + 2**20:
        raise Damaged("is damaged: its tiles are larger than the picture")
