"""Arrays in files of NumPy and of MNIST, without running code, and no larger than they say."""

from __future__ import annotations

import gzip
import io
import math
import warnings
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from kashika.distribution import Array
from kashika.errors import LoadError, one_line

_FREE = 2**28
_RATIO = 200
"""A compressed file may unpack to `_FREE` bytes, and to so many times its own size."""

_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def npy(path: Path) -> Array:
    """Read the array in an `.npy` file; a large one is mapped into memory.

    Raises
    ------
    LoadError
        If it is damaged, or holds Python objects.
    """
    try:
        with path.open("rb") as file:
            if _of_objects(file, size=path.stat().st_size, path=path):
                raise LoadError("errors.dataset.objects", path=path, names=path.stem)
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except LoadError:
        raise
    except Exception as error:  # NumPy, zipfile and gzip raise many types for damaged files
        raise LoadError("errors.dataset.damaged", path=path, error=one_line(error)) from error


def npz(path: Path) -> tuple[dict[str, Array], list[str]]:
    """Read every array of numbers or words in an `.npz` file, and name those of Python objects.

    Raises
    ------
    LoadError
        If it is damaged.
    """
    found: dict[str, Array] = {}
    objects = []
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if one.filename.endswith(".npy")]
            unpacked = sum(one.file_size for one in members)
            bounded(unpacked, stored=path.stat().st_size, path=path)
            for one in members:
                content = archive.read(one)
                name = one.filename.removesuffix(".npy")
                if _of_objects(io.BytesIO(content), size=len(content), path=path):
                    objects.append(name)
                else:
                    found[name] = np.load(io.BytesIO(content), allow_pickle=False)
    except LoadError:
        raise
    except Exception as error:  # NumPy, zipfile and gzip raise many types for damaged files
        raise LoadError("errors.dataset.damaged", path=path, error=one_line(error)) from error
    return found, objects


def idx(path: Path) -> Array:
    """Read an array in the format of MNIST, `…-idx3-ubyte`, gzipped or not.

    Raises
    ------
    LoadError
        If it is damaged or cut, or something else.
    """
    try:
        with unpacked(path) as file:
            magic = file.read(4)
            kind = _IDX_TYPES.get(magic[2]) if len(magic) == 4 and magic[:2] == b"\0\0" else None
            if kind is None or not 0 < magic[3] <= 8:
                raise LoadError("errors.dataset.idx", path=path, found=magic)
            shape = tuple(int(one) for one in np.frombuffer(file.read(4 * magic[3]), ">u4"))
            size = math.prod(shape) * np.dtype(kind).itemsize
            bounded(size, stored=path.stat().st_size, path=path)
            content = file.read(size)
        if len(shape) != magic[3] or len(content) < size:
            raise LoadError("errors.dataset.cut", path=path, size=size, found=len(content))
        return np.frombuffer(content, kind).reshape(shape)
    except LoadError:
        raise
    except Exception as error:  # NumPy, zipfile and gzip raise many types for damaged files
        raise LoadError("errors.dataset.damaged", path=path, error=one_line(error)) from error


def text(path: Path) -> bytes:
    """Return the bytes of a text file, gzipped or not.

    Raises
    ------
    LoadError
        If it is damaged, or unpacks to far more than its own size.
    """
    most = max(_FREE, _RATIO * path.stat().st_size)
    try:
        with unpacked(path) as file:
            content = file.read(most + 1)
    except LoadError:
        raise
    except Exception as error:  # NumPy, zipfile and gzip raise many types for damaged files
        raise LoadError("errors.dataset.damaged", path=path, error=one_line(error)) from error
    bounded(len(content), stored=path.stat().st_size, path=path)
    return content


def unpacked(path: Path) -> IO[bytes]:
    """Open a file, through gzip if it is one."""
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


def bounded(size: int, *, stored: int, path: Path) -> None:
    """Refuse a file that unpacks to far more than data do.

    Raises
    ------
    LoadError
        If it does.
    """
    if size > max(_FREE, _RATIO * stored):
        raise LoadError("errors.dataset.bomb", path=path, size=size, stored=stored)


def _of_objects(file: IO[bytes], *, size: int, path: Path) -> bool:
    """Tell an array of Python objects, and refuse one whose header says more than is there."""
    version = np.lib.format.read_magic(file)
    first = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings(action="ignore"):  # of headers that Python 2 has written
        shape, _, dtype = read(file)
    if dtype.hasobject:
        return True
    needed = math.prod(shape) * dtype.itemsize
    found = size - file.tell()
    if needed > found or any(side < 0 for side in shape):
        raise LoadError("errors.dataset.cut", path=path, size=needed, found=found)
    return False
