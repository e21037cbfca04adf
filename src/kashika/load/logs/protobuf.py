"""The fields of many protobuf messages at once, each with its number and its place.

What a message means stands in its schema, which is not needed to walk over it. All messages are
walked side by side: first the first field of each, then the second of those that have one, …
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kashika.distribution import Array, IntArray

BROKEN = 0
"""The number of what is no field: the message is damaged from there on."""

VARINT = 0
FIXED32 = 5
_FIXED64, _LENGTH = 1, 2
_MOST = 2_000  # fields of one message; each takes a round, and whoever has more is broken


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """The fields of some messages, message by message.

    Attributes
    ----------
    message : (fields,) int, which message each is of
    number : (fields,) int, as its schema calls it; `BROKEN` for damage
    wire : (fields,) int, how it is written; `VARINT` for a whole number
    start, stop : (fields,) int, where its content lies
    """

    message: IntArray
    number: IntArray
    wire: IntArray
    start: IntArray
    stop: IntArray

    def __getitem__(self, which: Array) -> Fields:
        """Return some of them, by place or by a mask."""
        parts = (self.message, self.number, self.wire, self.start, self.stop)
        return Fields(*(part[which] for part in parts))

    def numbered(self, number: int) -> Fields:
        """Return the fields of this number."""
        return self[np.flatnonzero(self.number == number)]


def fields(data: Array, start: IntArray, stop: IntArray) -> Fields:
    """Return the fields of the messages at `start` to `stop`.

    Parameters
    ----------
    data : (bytes,) uint8
    start, stop : (messages,) int, within the data
    """
    rounds: list[Fields] = []
    message: IntArray = np.flatnonzero(start < stop)
    at, end = start[message], stop[message]
    while message.size and len(rounds) < _MOST:
        key, after = varints(data, at)
        number, wire = (key >> np.uint64(3)).astype(np.int64), (key & np.uint64(7)).astype(np.int64)
        value, behind = varints(data, after)
        start = np.where(wire == _LENGTH, behind, after)
        stop = after + 8 * (wire == _FIXED64) + 4 * (wire == FIXED32)
        stop = np.where(wire == VARINT, behind, stop)
        # A length beyond the message is damage; as int64 it might come out as less than nothing.
        length = np.minimum(value, np.uint64(data.size + 1)).astype(np.int64)
        stop = np.where(wire == _LENGTH, behind + length, stop)
        known = (wire == VARINT) | (wire == _FIXED64) | (wire == _LENGTH) | (wire == FIXED32)
        sound = known & (number > 0) & (stop <= end)
        rounds.append(Fields(message, np.where(sound, number, BROKEN), wire, start, stop))
        on = np.flatnonzero(sound & (stop < end))
        message, at, end = message[on], stop[on], end[on]
    rounds.append(Fields(message, np.full(message.size, BROKEN), message, at, end))
    return _together(rounds)


def varints(data: Array, place: IntArray) -> tuple[Array, IntArray]:
    """Read a whole number of up to 10 bytes at each place: the values, and where they end."""
    byte = data.take(place, mode="clip").astype(np.uint64)
    value, after = byte & np.uint64(0x7F), place + 1
    on = np.flatnonzero(byte > 0x7F)
    for shift in range(7, 70, 7):
        if not on.size:
            break
        byte = data.take(after[on], mode="clip").astype(np.uint64)
        value[on] |= (byte & np.uint64(0x7F)) << np.uint64(shift)
        after[on] += 1
        on = on[byte > 0x7F]
    return value, after


def bytes_at(data: Array, place: IntArray, *, dtype: str) -> Array:
    """Read one value of a type of NumPy at each place."""
    width = np.dtype(dtype).itemsize
    block: Array = data.take(place[:, None] + np.arange(width), mode="clip")
    return block.view(dtype)[:, 0]


def _together(rounds: list[Fields]) -> Fields:
    parts = [[one.message, one.number, one.wire, one.start, one.stop] for one in rounds]
    joined = Fields(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    return joined[np.argsort(joined.message, kind="stable")]
