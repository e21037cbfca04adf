"""Safetensors files: a header in JSON, then the numbers of every tensor."""

from __future__ import annotations

import json
from itertools import accumulate
from math import prod
from pathlib import Path

from kashika.errors import LoadError, one_line
from kashika.load.checkpoints.entry import ITEM_SIZE, Entry, Storage, dense, whole
from kashika.load.checkpoints.mapped import mapped

_HEADER = 1 << 25  # bytes; the format allows three times as much, and nobody writes that
_TYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz", "C64": "complex64",
}  # fmt: skip


def recognises(head: bytes) -> bool:
    """Tell whether a file starts as a safetensors file does."""
    return (
        len(head) > 8 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= _HEADER
    )


def tensors(path: Path) -> tuple[dict[str, Entry], dict[str, str]]:
    """Describe the tensors in a file; of the numbers none is read.

    Returns
    -------
    {name: tensor}, and what the file says about itself

    Raises
    ------
    LoadError
        If it is cut short or damaged.
    """
    view = mapped(path)
    start = 8 + int.from_bytes(view[:8], "little")
    if start > len(view):
        raise LoadError("errors.weights.ends_early", path=path, size=len(view), expected=start)
    try:
        header = json.loads(bytes(view[8:start]))
        said = header.pop("__metadata__", None) or {}
        found = {name: _tensor(view[start:], name, one) for name, one in header.items()}
    except LoadError:
        raise
    # A damaged header is no JSON, or has other values than it should in any place.
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise LoadError("errors.weights.damaged", path=path, error=one_line(error)) from error
    except RecursionError as error:
        raise LoadError("errors.weights.damaged", path=path, error="RecursionError") from error
    ends = [one["data_offsets"][1] for one in header.values()]
    if ends and start + max(ends) > len(view):
        expected = start + max(ends)
        raise LoadError("errors.weights.ends_early", path=path, size=len(view), expected=expected)
    return found, {str(key): str(value) for key, value in said.items()}


def _tensor(data: memoryview, name: str, one: dict[str, object]) -> Entry:
    dtype, shape = _TYPES[str(one["dtype"])], whole(one["shape"])
    first, last = whole(one["data_offsets"])
    if last - first != prod(shape) * ITEM_SIZE[dtype]:
        raise ValueError(f"{name} of shape {shape} lies in bytes {first} to {last}")
    steps = [*accumulate(reversed([*shape[1:], 1]), lambda a, b: a * b)][::-1] if shape else []
    storage = Storage(name, dtype, prod(shape), "cpu", lambda: data[first:last])
    return dense(storage, 0, shape, steps)
