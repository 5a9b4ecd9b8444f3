"""What a picture file declares before it is decoded, and whether its bytes can hold that.

Each `read_*` takes the open file and returns its `Header`; each `check_*` takes the whole content and returns what to
decode. They raise `Damaged` with what is wrong. Decoders believe lengths that a damaged file declares, and take
gigabytes for ten kilobytes; here nothing is allocated.
"""

import re
import struct
import zlib
from typing import IO, NamedTuple


class Damaged(Exception):
    """A file that is damaged or cut off; the text completes "this PNG ..."."""


class Header(NamedTuple):
    """Width and height in px that a file declares."""

    width: int
    height: int


_DEFLATE_RATIO = 1032  # zlib makes no more of a byte
_PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"IEND")
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}

_JPEG_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_JPEG_GARBAGE = 1 << 16  # bytes between segments that are passed over before a file is given up
# In a JPEG's entropy-coded data, 0xff precedes 0 (a data byte), 0xd0..0xd7 (a restart) or the next marker.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def read_png(file: IO[bytes]) -> Header:
    """Header of a PNG."""
    data = _take(file, 8, 25)
    if data[4:8] != b"IHDR":
        raise Damaged("does not begin with its header")
    return Header(*struct.unpack(">II", data[8:16]))


def check_png(data: bytes, header: Header) -> bytes:
    """The PNG's default image without what is not needed to decode it, such as text, profiles and animation."""
    kept, packed, position, ended = [data[:8]], 0, 8, False
    while not ended:
        if position + 12 > len(data):
            raise Damaged("is cut off: the file ends before the picture does")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise Damaged("is damaged or cut off: it declares more bytes than the file has")
        if kind in _PNG_KEPT:
            if zlib.crc32(data[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
                raise Damaged(f"is damaged: a checksum is wrong ({kind.decode()})")
            kept.append(data[position:end])
            packed += length if kind == b"IDAT" else 0
        position, ended = end, kind == b"IEND"
    depth, colour = data[24], data[25]
    row = 1 + (header.width * depth * _PNG_CHANNELS.get(colour, 0) + 7) // 8
    if row * header.height > _DEFLATE_RATIO * packed + 1024:
        raise Damaged("is damaged or cut off: its bytes cannot hold the picture that it declares")
    return b"".join(kept)


def read_jpeg(file: IO[bytes]) -> Header:
    """Header of a JPEG: its first frame."""
    file.seek(2)
    garbage = 0
    while garbage < _JPEG_GARBAGE:
        if _take(file, None, 1) != b"\xff":
            garbage += 1
            continue
        while (code := _take(file, None, 1)[0]) == 0xFF:
            garbage += 1
        if code in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", _take(file, None, 7)[3:])
            return Header(width, height)
        if code in (0xD9, 0xDA):
            raise Damaged("is damaged: it has no picture")
        if code not in (0x00, 0x01, *range(0xD0, 0xD9)):  # those have no content
            file.seek(max(int.from_bytes(_take(file, None, 2), "big") - 2, 0), 1)
    raise Damaged("is damaged: its header is lost in other bytes")


def check_jpeg(data: bytes, header: Header) -> bytes:
    """The JPEG, once its marker segments lead to its end, and its bytes to one bit for every 8 x 8 block."""
    if not _jpeg_is_complete(data):
        raise Damaged("is cut off: the file ends before the picture does")
    if header.width * header.height > 512 * len(data):
        raise Damaged("is damaged: its bytes cannot hold the picture that it declares")
    return data


def _jpeg_is_complete(data: bytes) -> bool:
    """Whether the marker segments of a JPEG lead to its end-of-image marker.

    Decoders fill the missing part of a JPEG that was cut off with grey. To look for the marker anywhere is not enough,
    as the thumbnail in the EXIF segment has one too.
    """
    position = 2
    while True:
        marker = _NEXT_MARKER.search(data, position)
        if marker is None:
            return False
        code = data[marker.start() + 1]
        if code == 0xD9:  # end of image
            return True
        position = marker.end()
        if code not in (0x01, 0xD8):  # those two have no content; all others start with its length
            position += int.from_bytes(data[position : position + 2], "big")


def read_webp(file: IO[bytes]) -> Header:
    """Header of a WebP: lossy, lossless or extended."""
    data = _take(file, 12, 18)
    kind, body = data[:4], data[8:]
    if kind == b"VP8X":
        return Header(int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1)
    if kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return Header((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", body[6:10])
        return Header(width & 0x3FFF, height & 0x3FFF)
    raise Damaged("is damaged: its first chunk is no picture")


def check_webp(data: bytes, header: Header) -> bytes:
    """The WebP, once the file is as long as it declares."""
    if int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise Damaged("is cut off: the file ends before the picture does")
    return data


def read_bmp(file: IO[bytes]) -> Header:
    """Header of a BMP."""
    data = _take(file, 14, 12)
    if data[0] == 12:
        return Header(*struct.unpack("<HH", data[4:8]))
    width, height = struct.unpack("<ii", data[4:12])
    return Header(width, abs(height))


def check_bmp(data: bytes, header: Header) -> bytes:
    """The BMP, once it has room for its rows; run-length encoded ones have no fixed length."""
    offset, old = int.from_bytes(data[10:14], "little"), data[14] == 12
    bits = int.from_bytes(data[24:26] if old else data[28:30], "little")
    packed = not old and int.from_bytes(data[30:34], "little") in (1, 2)
    stride = (header.width * bits + 31) // 32 * 4
    if offset + (0 if packed else stride * header.height) > len(data):
        raise Damaged("is cut off: the file ends before the picture does")
    return data


def _take(file: IO[bytes], offset: int | None, count: int) -> bytes:
    """Exactly `count` bytes from `offset` on (None: from here)."""
    if offset is not None:
        file.seek(offset)
    data = file.read(count)
    if len(data) < count:
        raise Damaged("is cut off: the file ends before the picture does")
    return data
