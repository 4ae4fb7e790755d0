"""Pictures of pages made small: a palette in place of true colours, without an image library."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {2: 3, 6: 4}  # by colour type: RGB, RGBA

_Colour = tuple[int, int, int]


def with_palette(png: bytes) -> bytes:
    """The same picture in 256 of its colours; of the others each becomes the nearest of these.

    Takes what Chromium writes: 8 bits a channel, not interlaced, opaque.
    """
    chunks = list(_chunks(png))
    width, height, depth, kind, *_, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    assert (depth, interlaced) == (8, 0)
    channels = _CHANNELS[kind]
    raw = zlib.decompress(b"".join(data for name, data in chunks if name == b"IDAT"))
    rows = [
        list(zip(*(line[channel::channels] for channel in range(3)), strict=True))
        for line in _lines(raw, width * channels, height, channels)
    ]
    counts: Counter[_Colour] = Counter()
    for row in rows:
        counts.update(row)
    palette = _palette([colour for colour, _ in counts.most_common()])
    index = {colour: number for number, colour in enumerate(palette)}
    for colour in counts.keys() - index.keys():
        index[colour] = min(range(len(palette)), key=lambda number: _distance(colour, palette[number]))
    pixels = b"".join(b"\0" + bytes(map(index.__getitem__, row)) for row in rows)
    return (
        _SIGNATURE
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
        + _chunk(b"PLTE", bytes(value for colour in palette for value in colour))
        + _chunk(b"IDAT", zlib.compress(pixels, 9))
        + _chunk(b"IEND", b"")
    )


def _palette(colours: list[_Colour]) -> list[_Colour]:
    """Of colours by frequency: first one of each hue and shade, so that small icons keep theirs, then the others."""
    firsts: dict[_Colour, _Colour] = {}
    for red, green, blue in colours:
        firsts.setdefault((red >> 4, green >> 4, blue >> 4), (red, green, blue))
    return list(dict.fromkeys([*firsts.values(), *colours]))[:256]


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _lines(raw: bytes, size: int, height: int, step: int) -> Iterator[bytearray]:
    """Lines with their filters undone (https://www.w3.org/TR/png-3/#9Filters)."""
    above = bytearray(size)
    for number in range(height):
        start = number * (size + 1)
        line = bytearray(raw[start + 1 : start + 1 + size])
        match raw[start]:
            case 1:
                for at in range(step, size):
                    line[at] = line[at] + line[at - step] & 255
            case 2:
                line = bytearray(one + up & 255 for one, up in zip(line, above, strict=True))
            case 3:
                for at in range(size):
                    line[at] = line[at] + ((line[at - step] if at >= step else 0) + above[at] >> 1) & 255
            case 4:
                for at in range(size):
                    left, corner = (line[at - step], above[at - step]) if at >= step else (0, 0)
                    line[at] = line[at] + _paeth(left, above[at], corner) & 255
            case _:
                pass
        yield line
        above = line


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda one: abs(guess - one))


def _distance(one: _Colour, other: _Colour) -> int:
    return sum((left - right) ** 2 for left, right in zip(one, other, strict=True))
