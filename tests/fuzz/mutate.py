"""Damage done to picture files, the same for the same seed."""

import struct
import zlib
from collections.abc import Mapping

import numpy as np

_NUMBERS = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
)
_HEAD = 200  # bytes in which headers lie, and half of the damage is done


def mutated(seeds: Mapping[str, bytes], seed: int) -> tuple[str, bytes]:
    """A name and the content of one of `seeds` with one to eight bouts of damage."""
    rng = np.random.default_rng(seed)
    names = list(seeds)
    name = names[rng.integers(len(names))]
    data = bytearray(seeds[name])
    for _ in range(min(rng.geometric(0.6), 8)):
        _KINDS[rng.integers(len(_KINDS))](data, rng)
    if rng.random() < 0.05:
        other = seeds[names[rng.integers(len(names))]]
        cut = rng.integers(len(other) + 1)
        data[len(data) // 2 :] = other[cut:]
    if name.endswith(".png") and rng.random() < 0.7:
        _mend_checksums(data)
    return name, bytes(data)


def _place(data: bytearray, rng: np.random.Generator) -> int:
    end = min(len(data), _HEAD) if rng.random() < 0.5 else len(data)
    return int(rng.integers(max(end, 1)))


def _flip_bits(data: bytearray, rng: np.random.Generator) -> None:
    for _ in range(rng.integers(1, 9)):
        if data:
            data[_place(data, rng)] ^= 1 << int(rng.integers(8))


def _set_bytes(data: bytearray, rng: np.random.Generator) -> None:
    start, count = _place(data, rng), int(rng.integers(1, 17))
    data[start : start + count] = rng.integers(0, 256, count, dtype=np.uint8).tobytes()


def _set_number(data: bytearray, rng: np.random.Generator) -> None:
    """A length, size or offset that is far from what it was."""
    number = int(rng.choice(_NUMBERS)) if rng.random() < 0.5 else int(rng.integers(1 << 16))
    order, (layout, size) = rng.choice(["<", ">"]), [("B", 1), ("H", 2), ("I", 4)][rng.integers(3)]
    start = _place(data, rng)
    data[start : start + size] = struct.pack(f"{order}{layout}", number & (256**size - 1))


def _cut(data: bytearray, rng: np.random.Generator) -> None:
    del data[_place(data, rng) if rng.random() < 0.3 else len(data) - len(data) // int(rng.integers(2, 50)) :]


def _remove(data: bytearray, rng: np.random.Generator) -> None:
    start = _place(data, rng)
    del data[start : start + int(rng.integers(1, 65))]


def _insert(data: bytearray, rng: np.random.Generator) -> None:
    start, count = _place(data, rng), int(rng.integers(1, 65))
    data[start:start] = bytes(count) if rng.random() < 0.3 else rng.bytes(count)


def _repeat(data: bytearray, rng: np.random.Generator) -> None:
    start, count, times = _place(data, rng), int(rng.integers(1, 257)), int(rng.integers(1, 50))
    data[start:start] = bytes(data[start : start + count]) * times


def _swap(data: bytearray, rng: np.random.Generator) -> None:
    first, second, count = _place(data, rng), _place(data, rng), int(rng.integers(1, 65))
    one, two = bytes(data[first : first + count]), bytes(data[second : second + count])
    data[first : first + len(two)] = two
    data[second : second + len(one)] = one


_KINDS = (_flip_bits, _set_bytes, _set_number, _set_number, _cut, _remove, _insert, _repeat, _swap)


def _mend_checksums(data: bytearray) -> None:
    """Make the checksums of a PNG's chunks right again, so that damage gets further."""
    position = 8
    while position + 12 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        if end + 4 > len(data):
            return
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[position + 4 : end]))
        position = end + 4
