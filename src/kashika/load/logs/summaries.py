"""TensorFlow's Event messages: the step and the values of each.

Of the schemas event.proto, summary.proto and tensor.proto only what a scalar needs is known here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kashika.distribution import Array, FloatArray, IntArray
from kashika.load.logs.protobuf import BROKEN, FIXED32, Fields, bytes_at, fields, varints

_STEP, _SUMMARY = 2, 5
_VALUE = 1
_TAG, _SIMPLE, _TENSOR, _METADATA = 1, 2, 8, 9
_KINDS = {3: "histograms", 4: "images", 5: "histograms", 6: "audio"}
_PLUGIN = _PLUGIN_NAME = 1
_PLUGINS = {b"histograms", b"images", b"audio", b"text"}
_TENSOR_TYPE, _TENSOR_CONTENT = 1, 4
_TYPES = {
    1: ("<f4", 5), 2: ("<f8", 6), 3: ("<i4", 7), 4: ("<u1", 7), 5: ("<i2", 7), 6: ("<i1", 7),
    9: ("<i8", 10), 10: ("<u1", 11), 17: ("<u2", 7), 19: ("<f2", 13), 22: ("<u4", 16),
    23: ("<u8", 17),
}  # fmt: skip
"""{type of a tensor: (what NumPy calls it, the field in which its values stand one by one)}."""


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """The values in some events, in the order of the file.

    Attributes
    ----------
    event : (values,) int, which event each stands in
    step : (values,) int, of that event
    tag : (values,) bytes
    kind : (values,) str, "scalars", "histograms", …
    y : (values,) float, NaN for what is no scalar
    broken : (…,) int, the events that are damaged; what is given of them means nothing
    """

    event: IntArray
    step: IntArray
    tag: list[bytes]
    kind: Array
    y: FloatArray
    broken: IntArray


def values_in(data: Array, start: IntArray, stop: IntArray) -> Values:
    """Return what stands in the summaries of the events at `start` to `stop`."""
    events = fields(data, start, stop)
    summaries = events.numbered(_SUMMARY)
    inner = fields(data, summaries.start, summaries.stop)
    values = inner.numbered(_VALUE)
    event = summaries.message[values.message]
    parts = fields(data, values.start, values.stop)
    kind, y = _content(data, parts, count=event.size)
    broken = (
        events.numbered(BROKEN).message,
        summaries.message[inner.numbered(BROKEN).message],
        event[parts.numbered(BROKEN).message],
    )
    step = _steps(data, events, count=start.size)[event]
    tag = _tags(data, parts, count=event.size)
    return Values(event, step, tag, kind, y, np.concatenate(broken))


def _steps(data: Array, events: Fields, *, count: int) -> IntArray:
    """Return the step of each event; one that is 0 is not written."""
    step, written = np.zeros(count, np.int64), events.numbered(_STEP)
    step[written.message] = varints(data, written.start)[0].astype(np.int64)
    return step


def _tags(data: Array, parts: Fields, *, count: int) -> list[bytes]:
    start, stop = np.zeros(count, np.int64), np.zeros(count, np.int64)
    named = parts.numbered(_TAG)
    start[named.message], stop[named.message] = named.start, named.stop
    raw = data.data
    return [raw[a:b].tobytes() for a, b in zip(start.tolist(), stop.tolist(), strict=True)]


def _content(data: Array, parts: Fields, *, count: int) -> tuple[Array, FloatArray]:
    """Return of each value what kind it is and, if a scalar, its number."""
    kind, y = np.full(count, "others", "U10"), np.full(count, np.nan)
    for number, name in _KINDS.items():
        kind[parts.numbered(number).message] = name
    simple = parts.numbered(_SIMPLE)
    simple = simple[simple.wire == FIXED32]
    kind[simple.message] = "scalars"
    y[simple.message] = bytes_at(data, simple.start, dtype="<f4")
    tensors = parts.numbered(_TENSOR)
    if tensors.number.size:
        which, numbers = _numbers(data, tensors)
        kind[which], y[which] = "scalars", numbers
        _ask_plugins(data, parts, kind)
    return kind, y


def _ask_plugins(data: Array, parts: Fields, kind: Array) -> None:
    """Correct the kind of those tensors whose metadata say what shows them."""
    metadata = parts.numbered(_METADATA)
    plugin = fields(data, metadata.start, metadata.stop).numbered(_PLUGIN)
    name = fields(data, plugin.start, plugin.stop).numbered(_PLUGIN_NAME)
    of = metadata.message[plugin.message[name.message]]
    for value, start, stop in zip(of, name.start, name.stop, strict=True):
        said = data[start:stop].tobytes()
        if said != b"scalars":
            kind[value] = said.decode() if said in _PLUGINS else "others"


def _numbers(data: Array, tensors: Fields) -> tuple[IntArray, FloatArray]:
    """Return which values are tensors of one number, and these numbers."""
    inner = fields(data, tensors.start, tensors.stop)
    types = np.zeros(tensors.number.size, np.int64)
    typed = inner.numbered(_TENSOR_TYPE)
    types[typed.message] = varints(data, typed.start)[0].astype(np.int64)
    found: list[tuple[IntArray, FloatArray]] = [(np.empty(0, np.int64), np.empty(0))]
    for code in set(types.tolist()) & set(_TYPES):
        dtype, listed = _TYPES[code]
        of_type = inner[types[inner.message] == code]
        found.append(_raw(data, of_type.numbered(_TENSOR_CONTENT), dtype=dtype))
        if dtype in ("<f4", "<f8"):
            found.append(_raw(data, of_type.numbered(listed), dtype=dtype))
        else:
            found.append(_counted(data, of_type.numbered(listed), dtype=dtype))
    message, y = (np.concatenate(part) for part in zip(*found, strict=True))
    return tensors.message[message], y


def _raw(data: Array, content: Fields, *, dtype: str) -> tuple[IntArray, FloatArray]:
    """Return the numbers of those tensors that hold one, as it lies in memory."""
    one = content[content.stop - content.start == np.dtype(dtype).itemsize]
    return one.message, bytes_at(data, one.start, dtype=dtype).astype(np.float64)


def _counted(data: Array, content: Fields, *, dtype: str) -> tuple[IntArray, FloatArray]:
    """Return the numbers of those tensors that hold one, the bits of which are a whole number."""
    bits, after = varints(data, content.start)
    single = np.flatnonzero(after == content.stop)
    unsigned = bits[single].astype(f"<u{np.dtype(dtype).itemsize}")
    return content.message[single], unsigned.view(dtype).astype(np.float64)
