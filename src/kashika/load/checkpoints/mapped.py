"""A file as memory: read where it is looked at, and nowhere else."""

from __future__ import annotations

import mmap
from pathlib import Path

from kashika.errors import LoadError


def mapped(path: Path) -> memoryview:
    """Map a file into memory; what is written to that memory does not reach the file.

    Raises
    ------
    LoadError
        If it is empty, or the system does not let it be read.
    """
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                raise LoadError("errors.weights.empty", path=path)
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    except (OSError, ValueError) as error:
        found = getattr(error, "strerror", None) or error
        raise LoadError("errors.system", path=path, error=found) from error


_LINE = 1 << 20  # bytes: the lines in a pickle are names and numbers


class Window:
    """A stretch of memory, read like a file: `read()` and `read(n)`, `seek(n)` and `seek(n, 2)`."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._place = 0

    def read(self, *size: int) -> bytes:
        """Return so many bytes, all that is left if nothing is said."""
        end = min(self._place + size[0], len(self._view)) if size else len(self._view)
        found = bytes(self._view[self._place : end])
        self._place = max(end, self._place)
        return found

    def readline(self) -> bytes:
        """Return what is left of the line."""
        start, step = self._place, 256
        while b"\n" not in (found := bytes(self._view[start : start + step])):
            if start + step >= len(self._view) or step > _LINE:
                break
            step *= 4
        found = found[: found.find(b"\n") + 1] or found
        self._place += len(found)
        return found

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def seek(self, offset: int, *whence: int) -> int:
        """Go to a place, counted from the start (0), from here (1) or from the end (2)."""
        place = (0, self._place, len(self._view))[whence[0] if whence else 0] + offset
        if place < 0:
            raise OSError("a place before the start")
        self._place = place
        return place

    def seekable(self) -> bool:
        """Tell that any place can be gone to."""
        return True
