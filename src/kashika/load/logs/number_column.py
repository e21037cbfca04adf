"""A long file of one number a line, read in one go."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np

from kashika.distribution import FloatArray
from kashika.errors import LoadError

_FAST = re.compile(rb"[\d\s.,;eE+\-a-z]*", re.IGNORECASE)


def column(path: Path) -> FloatArray | None:
    """Return the values of a long file of one number a line; None where it may be anything else.

    It gives what reading line by line gives.
    """
    try:
        if path.stat().st_size < 100_000:
            return None
        data = path.read_bytes()
    except OSError as error:
        raise LoadError("errors.system", path=path, error=error.strerror) from error
    if not data.endswith(b"\n") or _FAST.fullmatch(data[:4096]) is None:
        return None
    lines = data.count(b"\n")
    try:
        with warnings.catch_warnings(action="error"):
            values = np.fromstring(data.decode("ascii"), sep="\n")
    except (DeprecationWarning, ValueError):
        return None
    # As many values as lines, none of them empty: then there is one on each.
    single = values.size == lines and b"\n\n" not in data and not _inner_blanks(data)
    return values if single else None


def _inner_blanks(data: bytes) -> bool:
    """Tell whether anything but ends of lines lies between values."""
    stripped = data.replace(b"\r\n", b"\n")
    return any(one in stripped for one in (b" ", b"\t", b"\r", b",", b";"))
