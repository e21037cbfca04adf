"""The plain values that pickles name: what they are made of, checked before it is believed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod
from pathlib import PurePosixPath, PureWindowsPath
from typing import Literal

import numpy as np

from kashika.distribution import Array


@dataclass(slots=True, eq=False)
class NumberType:
    """A `numpy.dtype` that is being read: its byte order comes after its name."""

    name: str
    order: Literal["<", ">", "|", "="] = "="

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Return it as NumPy knows it."""
        return np.dtype(self.name).newbyteorder("=" if self.order == "|" else self.order)

    def __str__(self) -> str:
        return str(self.dtype)


def fill(target: object, state: object) -> None:
    """Give a NumPy array or type the contents that a pickle holds for it.

    Raises
    ------
    ValueError
        If they do not fit.
    """
    match target, state:
        case NumberType(), (_, "<" | ">" | "|" | "=" as order, *_):
            target.order = order
        case np.ndarray(), (_, tuple(shape), NumberType(dtype=dtype), fortran, data):
            content = data.encode("latin-1") if isinstance(data, str) else data
            _check(shape, dtype, content)
            target.__setstate__((1, shape, dtype, bool(fortran), content))  # type: ignore[arg-type]
        case np.ndarray(), _:
            raise ValueError("an array has no contents")
        case _:  # dictionaries and tensors have attributes too, which nobody asks for
            pass


def _check(shape: tuple[object, ...], dtype: np.dtype[np.generic], content: object) -> None:
    """See to it that an array's contents are as long as its shape says."""
    sizes = [one for one in shape if isinstance(one, int) and one >= 0]
    if isinstance(content, list) and dtype.kind == "O":
        length = len(content)
    elif isinstance(content, bytes | bytearray) and dtype.itemsize and not dtype.hasobject:
        length, rest = divmod(len(content), dtype.itemsize)
        length += bool(rest)
    else:
        raise ValueError(f"an array of {dtype} holds {type(content).__name__}")
    if len(sizes) != len(shape) or prod(sizes) != length:
        found = " × ".join(map(str, sizes)) if len(sizes) < 64 else len(sizes)
        raise ValueError(f"an array of shape {found} holds {length} numbers")


def _empty_array(*_: object) -> Array:
    return np.empty(0)


def _number_type(name: object, *_: object) -> NumberType:
    if not isinstance(name, str) or len(name) > 16:
        raise TypeError("it is no name of a type of numbers")
    return NumberType(np.dtype(name).str)


def _scalar(kind: NumberType, data: bytes | str) -> object:
    content = data.encode("latin-1") if isinstance(data, str) else data
    _check((1,), kind.dtype, content)
    value = np.frombuffer(content, kind.dtype)[0]
    return value.item() if kind.dtype.kind in "biuf" else value


def _from_buffer(data: bytes, kind: NumberType, shape: tuple[int, ...], order: str) -> Array:
    _check(shape, kind.dtype, data)
    array: Array = np.frombuffer(data, kind.dtype).reshape(
        shape, order="F" if order == "F" else "C"
    )
    return array


def _dictionary(entries: object = ()) -> dict[object, object]:
    pairs = entries.items() if isinstance(entries, dict) else entries
    assert isinstance(pairs, Iterable)
    return {key: value for key, value in pairs if not isinstance(key, tuple | frozenset)}


def _list(items: object = (), *_: object) -> list[object]:
    return list(items) if isinstance(items, list | tuple) else []


def _set(items: object = ()) -> set[object]:
    # Tuples could be nested so deeply that to hash them takes for ever.
    assert isinstance(items, list | tuple)
    return {one for one in items if not isinstance(one, tuple | frozenset)}


def _bytes(content: object = b"", *_: object) -> bytes:
    if isinstance(content, str):
        return content.encode("latin-1")
    assert isinstance(content, bytes | bytearray)  # a number would ask for so much memory
    return bytes(content)


def _complex(real: float, imaginary: float) -> complex:
    return complex(real, imaginary)


def _default_dictionary(*_: object) -> object:
    return {}


_NUMPY: dict[str, Callable[..., object]] = {
    "multiarray._reconstruct": _empty_array,
    "multiarray.scalar": _scalar,
    "numeric._frombuffer": _from_buffer,
}
_PATHLIB = ("pathlib", "pathlib._local")
_PATHS: dict[str, Callable[..., object]] = {
    **dict.fromkeys(("Path", "PurePath", "PosixPath", "PurePosixPath"), PurePosixPath),
    **dict.fromkeys(("WindowsPath", "PureWindowsPath"), PureWindowsPath),
}
PLAIN: dict[str, Callable[..., object]] = {
    **{f"{core}.{n}": f for core in ("numpy.core", "numpy._core") for n, f in _NUMPY.items()},
    "numpy.dtype": _number_type,
    "collections.OrderedDict": _dictionary,
    "collections.Counter": _dictionary,
    "collections.defaultdict": _default_dictionary,
    "collections.deque": _list,
    "builtins.dict": _dictionary,
    "builtins.list": _list,
    "builtins.set": _set,
    "builtins.frozenset": _set,
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytes,
    "builtins.complex": _complex,
    "_codecs.encode": _bytes,
    **{f"{module}.{name}": kind for module in _PATHLIB for name, kind in _PATHS.items()},
    "datetime.datetime": dt.datetime,
    "datetime.date": dt.date,
    "datetime.time": dt.time,
    "datetime.timedelta": dt.timedelta,
    "datetime.timezone": dt.timezone,
}
"""{name: what makes the value}; each is harmless, whatever it is handed."""
