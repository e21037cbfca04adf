"""Plain text with one value on each line, as `numpy.savetxt` writes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kashika.errors import LoadError
from kashika.history import Series


def recognises(path: Path) -> bool:
    """Tell whether the file may be one of this format."""
    return path.suffix.lower() == ".txt" and path.is_file()


def read(path: Path) -> Series:
    """Read one value a line, the first one for epoch 1; blank lines and # comments are passed over.

    Raises
    ------
    LoadError
        If a line is not a number, or there is none.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError("errors.unreadable", path=path, error=error) from None
    values = [
        _number(word, path=path, row=row)
        for row, line in enumerate(lines, start=1)
        if (word := line.partition("#")[0].strip())
    ]
    if not values:
        raise LoadError("errors.empty_log", path=path)
    return Series(np.arange(1, len(values) + 1), np.array(values))


def _number(word: str, *, path: Path, row: int) -> float:
    try:
        return float(word)
    except ValueError:
        raise LoadError("errors.not_a_number", path=path, row=row, found=word) from None
