"""TFRecord: where the records of a file lie, and which of them are damaged or cut.

A record is its length (8 bytes), a checksum of the length (4), its content, and a checksum of the
content (4). The checksum is CRC-32C, turned and shifted ("masked").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

import numpy as np

from kashika.distribution import Array, IntArray

_BEFORE, _AFTER = 12, 4  # bytes of a record before and after its content
_AT_ONCE = 16_384  # records; their arrays stay in the processor's cache
_CHECKED = 4_096  # bytes; longer contents are images and the like, of which nothing is read
_SEARCHED = 16 << 20  # bytes behind a damaged length in which the next record is looked for
_RESUMED = 1_000  # times that the next record is looked for; then the rest is lost
_LENGTH = Struct("<Q")


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some records that follow each other.

    Attributes
    ----------
    start, stop : (records,) int, where the content of each lies
    sound : (records,) bool, whether the content has its checksum
    lost : number of bytes behind them that belong to no record
    cut : whether these are the beginning of a record that goes on beyond the end of the file
    """

    start: IntArray
    stop: IntArray
    sound: Array
    lost: int
    cut: bool


def blocks(data: Array) -> Iterator[Block]:
    """Find all records. Behind a damaged length the next one with its checksum is looked for.

    Parameters
    ----------
    data : (bytes,) uint8, the whole file
    """
    position, losses = 0, 0
    while position < data.size:
        start, stop = _framed(data, position)
        damaged = np.flatnonzero(~_length_is_sound(data, start - _BEFORE))
        count = int(damaged[0]) if damaged.size else start.size
        start, stop = start[:count], stop[:count]
        end = int(stop[-1]) + _AFTER if count else position
        cut, resumed = False, end
        if count < _AT_ONCE and end < data.size:
            cut = end + _BEFORE > data.size or bool(_length_is_sound(data, np.array([end]))[0])
            losses += 1
            resumed = data.size if cut or losses > _RESUMED else _next(data, end + 1)
        yield Block(start, stop, _content_is_sound(data, start, stop), resumed - end, cut)
        position = resumed


def starts_with_record(head: bytes) -> bool:
    """Tell whether the first bytes of a file are the head of a record."""
    data = np.frombuffer(head[:_BEFORE], np.uint8)
    return data.size == _BEFORE and bool(_length_is_sound(data, np.array([0]))[0])


def _framed(data: Array, position: int) -> tuple[IntArray, IntArray]:
    """Follow the lengths, unchecked, as far as the records lie within the file."""
    raw, size, length_at = data.data, data.size, _LENGTH.unpack_from
    start: list[int] = []
    stop: list[int] = []
    while position + _BEFORE <= size and len(start) < _AT_ONCE:
        end = position + _BEFORE + length_at(raw, position)[0]
        if end + _AFTER > size:
            break
        start.append(position + _BEFORE)
        stop.append(end)
        position = end + _AFTER
    return np.array(start, np.int64), np.array(stop, np.int64)


def _next(data: Array, position: int) -> int:
    """Return where the next record begins whose length has its checksum; the end if none does."""
    last, step = min(data.size - _BEFORE, position + _SEARCHED), 4_096
    while position <= last:
        places = np.arange(position, min(position + step, last + 1))
        found = places[_length_is_sound(data, places)]
        if found.size:
            return int(found[0])
        position, step = position + step, min(4 * step, 1 << 20)
    return data.size


def _length_is_sound(data: Array, place: IntArray) -> Array:
    crc = np.full(place.size, 0xFFFFFFFF, np.uint32)
    for i in range(8):
        crc = _TABLE[(crc ^ data[place + i]) & 0xFF] ^ (crc >> 8)
    sound: Array = _masked(~crc) == _uint32(data, place + 8)
    return sound


def _content_is_sound(data: Array, start: IntArray, stop: IntArray) -> Array:
    """Compare the checksums of the contents; long ones count as sound.

    The first bytes of all of them are taken at once, then the second ones, and so on: the longest
    come first, so those that go on are always the first ones.
    """
    length = stop - start
    order = np.argsort(-length, kind="stable")
    order = order[length[order] <= _CHECKED]
    places, length = start[order], length[order]
    crc = np.full(order.size, 0xFFFFFFFF, np.uint32)
    for i in range(int(length.max(initial=0))):
        on = np.searchsorted(-length, -i)  # so many are longer than i
        now = crc[:on]
        crc[:on] = _TABLE[(now ^ data[places[:on] + i]) & 0xFF] ^ (now >> 8)
    sound = np.ones(start.size, np.bool_)
    sound[order] = _masked(~crc) == _uint32(data, stop[order])
    return sound


def _masked(crc: Array) -> Array:
    return ((crc >> 15) | (crc << 17)) + np.uint32(0xA282EAD8)


def _uint32(data: Array, place: IntArray) -> Array:
    four: Array = data[place[:, None] + np.arange(4)]
    return four.view("<u4")[:, 0]


def _table() -> Array:
    """Return the CRC of each single byte, for the polynomial of CRC-32C."""
    crc = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        crc = np.where(crc & 1, (crc >> 1) ^ np.uint32(0x82F63B78), crc >> 1)
    return crc


_TABLE = _table()
