"""Tensors in a file that are described and not yet read; torch is imported when one is."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from kashika.distribution import Array

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, ...]

_DIMENSIONS = 64

ITEM_SIZE = {
    **dict.fromkeys(("float64", "int64", "uint64", "complex64"), 8),
    **dict.fromkeys(("float32", "int32", "uint32", "complex32", "qint32"), 4),
    **dict.fromkeys(("float16", "bfloat16", "int16", "uint16"), 2),
    **dict.fromkeys(("uint8", "int8", "bool", "quint8", "qint8"), 1),
    **{f"float8_{kind}": 1 for kind in ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e8m0fnu")},
    "complex128": 16,
}
"""Bytes in one number of each type, by torch's name of it."""


@dataclass(slots=True, eq=False)
class Storage:
    """A stretch of numbers in a file, which one tensor or several look into.

    Attributes
    ----------
    key : what the file calls it
    dtype : of its numbers; "uint8" where it is only bytes
    numbers : how many
    location : the device that it was saved on
    read : gives its bytes
    """

    key: str
    dtype: str
    numbers: int
    location: str
    read: Callable[[], memoryview]
    _memory: Tensor | None = None

    def memory(self) -> Tensor:
        """Return its bytes, (size,) uint8; the same memory every time, so ties are kept."""
        import torch

        if self._memory is None:
            view = self.read()
            # Numbers at an odd address cannot be computed with on every machine. Bytes may turn out
            # to be numbers of any size.
            width = 8 if self.dtype == "uint8" else ITEM_SIZE[self.dtype]
            odd = len(view) > 0 and np.frombuffer(view, np.uint8).ctypes.data % width
            view = memoryview(bytearray(view)) if odd or view.readonly else view
            self._memory = (
                torch.frombuffer(view, dtype=torch.uint8) if len(view) else torch.empty(0).byte()
            )
        return self._memory


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A tensor in a file.

    Attributes
    ----------
    shape : of the tensor
    dtype : torch's name of its type, "float32"
    read : gives the tensor, on the CPU, in the file's own memory where that is possible
    locations : the devices that it was saved on; "meta" where it has no data
    """

    shape: Shape
    dtype: str
    read: Callable[[], Tensor]
    locations: tuple[str, ...] = field(default=())

    @property
    def is_real(self) -> bool:
        """Whether it holds real numbers, and holds them here."""
        return self.dtype.lstrip("bq").startswith(("float", "int", "uint")) and (
            self.dtype.startswith(("float", "bfloat", "q")) and "meta" not in self.locations
        )


def of_array(array: Array) -> Entry:
    """Take a NumPy array of numbers as a tensor."""

    def read() -> Tensor:
        import torch

        native = array.astype(
            array.dtype.newbyteorder("="), order="C", copy=not array.flags.writeable
        )
        return torch.from_numpy(native)

    return Entry(array.shape, array.dtype.name, read)


def dense(
    storage: object, offset: object, size: object, stride: object, *, dtype: str = ""
) -> Entry:
    """Describe a tensor that looks into a storage.

    Raises
    ------
    pickle.UnpicklingError
        If it would look outside.
    """
    if not isinstance(storage, Storage):
        raise TypeError(f"a tensor without a storage: {type(storage).__name__}")
    shape, steps, dtype = whole(size), whole(stride), dtype or storage.dtype
    (start,) = whole((offset,))
    if len(shape) != len(steps) or dtype not in ITEM_SIZE:
        raise TypeError(f"a tensor of type {dtype} with {len(shape)} and {len(steps)} dimensions")
    end = start + 1 + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))
    size_in_bytes = storage.numbers * ITEM_SIZE[storage.dtype]
    # Steps of zero would let one stored number stand for as many as the file likes.
    if prod(shape) and (end * ITEM_SIZE[dtype] > size_in_bytes or prod(shape) > end + (1 << 26)):
        raise pickle.UnpicklingError(f"a tensor of shape {shape} reaches outside its storage")

    def read() -> Tensor:
        import torch

        plain = {"qint8": "int8", "quint8": "uint8", "qint32": "int32"}.get(dtype, dtype)
        data = storage.memory()
        width = ITEM_SIZE[dtype]
        typed = data[: len(data) // width * width].view(getattr(torch, plain))
        return typed.as_strided(shape, steps, start)

    return Entry(shape, dtype, read, (storage.location,))


def whole(sizes: object) -> Shape:
    """Return a shape that stands in a file.

    Raises
    ------
    TypeError
        If it is none.
    """
    found = tuple(sizes) if isinstance(sizes, tuple | list) and len(sizes) <= _DIMENSIONS else None
    if found is None or not all(isinstance(one, int) and 0 <= one < 1 << 62 for one in found):
        raise TypeError("a tensor has no shape")
    return found
