"""Series that `numpy.save` and `numpy.savez` wrote: one array, or several by name."""

from __future__ import annotations

import warnings
import zipfile
from io import BytesIO
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from kashika.distribution import Array
from kashika.errors import LoadError, one_line
from kashika.load import pickles
from kashika.load.logs.logged import Logged
from kashika.load.logs.nested import logged_in, looks_logged

_MAGIC = b"\x93NUMPY"
_MOST_BYTES = 64_000_000  # of one array: a log of eight million values


def recognises(path: Path, head: bytes) -> bool:
    """Tell whether a file is one of arrays that are called as in training: X_train.npy is none."""
    suffix = path.suffix.lower()
    if suffix not in (".npy", ".npz") or not head.startswith((_MAGIC, b"PK\x03\x04")):
        return False
    try:
        return looks_logged(_content(path), name=path.stem)
    except LoadError:
        return False


def read(path: Path) -> Logged:
    """Read an array as one series, its columns as several; or the arrays of a .npz by name.

    A dictionary that was saved as an array is unpickled without running any code.

    Raises
    ------
    LoadError
        If it is damaged, or holds no series.
    """
    series, notes = logged_in(_content(path), path=path)
    if not series:
        raise LoadError("errors.log.arrays.no_series", path=path)
    return Logged("NumPy", series, tuple(notes))


def _content(path: Path) -> object:
    try:
        with path.open("rb") as file, warnings.catch_warnings(action="ignore"):
            if file.read(6) == _MAGIC:
                file.seek(0)
                return _array(file, size=path.stat().st_size)
            with zipfile.ZipFile(file) as archive:
                return _arrays(archive)
    except OSError as error:
        raise LoadError("errors.system", path=path, error=error.strerror or error) from error
    except Exception as error:  # what NumPy and zipfile make of damaged files is of many types
        raise LoadError("errors.log.arrays.damaged", path=path, error=one_line(error)) from error


def _arrays(archive: zipfile.ZipFile) -> dict[str, object]:
    """Read the arrays of a .npz; of those that are too large to be a log only the name."""
    arrays: dict[str, object] = {}
    room = _MOST_BYTES
    for one in archive.infolist():
        name = one.filename.removesuffix(".npy")
        room -= one.file_size
        arrays[name] = _array(BytesIO(archive.read(one)), size=one.file_size) if room >= 0 else None
    return arrays


def _array(file: BinaryIO, *, size: int) -> object:
    """Read one array; of an array of Python objects what was pickled."""
    version = np.lib.format.read_magic(file)
    reader = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    shape, fortran, dtype = reader[version](file)
    if dtype.hasobject:
        value = pickles.load(file)
        return value.item() if isinstance(value, np.ndarray) and not value.ndim else value
    if size > _MOST_BYTES or prod(shape) * dtype.itemsize > size:
        raise ValueError(f"an array of shape {shape} in {size} bytes")
    array: Array = np.frombuffer(file.read(), dtype, count=prod(shape))
    return array.reshape(shape, order="F" if fortran else "C")
