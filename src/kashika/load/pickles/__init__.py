"""What a pickle describes, without importing or calling anything that it names.

Python's own unpickler imports what a pickle names and calls it. The one here knows a short list of
names that stand for plain values; everything else becomes a `Thing`, which only remembers what the
pickle said about it. So a file from anywhere can be read, and no code out of it can run.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import BinaryIO, Protocol

from kashika.load.pickles.machine import Machine, Makers
from kashika.load.pickles.plain import PLAIN
from kashika.load.pickles.things import Global, Thing

__all__ = ["Global", "Thing", "Unpickled", "load", "unpickle"]


class Stream(Protocol):
    """What is needed of a file: a `mmap` has it as well."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes."""

    def readline(self) -> bytes:
        """Return what is left of the line."""

    def tell(self) -> int:
        """Return the place."""


@dataclass(frozen=True, slots=True)
class Unpickled:
    """What was read.

    Attributes
    ----------
    value : numbers, text, lists, tuples, sets, dictionaries, arrays, and for the rest `Thing`
    latin1 : whether there was text of Python 2 that is not ASCII; it was read as latin-1
    """

    value: object
    latin1: bool


def load(file: BinaryIO | bytes) -> object:
    """Read a pickle of any protocol.

    Returns
    -------
    Numbers, text, lists, dictionaries (of any kind as `dict`), NumPy arrays and scalars, paths,
    dates; what has no such form is a `Thing`

    Raises
    ------
    pickle.UnpicklingError
        If it is damaged, or no pickle; no other error.
    """
    return unpickle(io.BytesIO(file) if isinstance(file, bytes) else file).value


def unpickle(
    stream: Stream,
    *,
    makers: Makers = MappingProxyType({}),
    persistent: Callable[[object], object] | None = None,
) -> Unpickled:
    """Read one pickle; the stream then stands behind it.

    Parameters
    ----------
    makers : {name: function} that make values besides the plain ones; they are handed whatever
        stands in the file, and what they raise but `UnpicklingError` makes the value a `Thing`
    persistent : turns a persistent id into the value that it stands for

    Raises
    ------
    pickle.UnpicklingError
        If it is damaged, or no pickle; no other error.
    """
    machine = Machine({**PLAIN, **makers}, persistent or _no_persistent)
    try:
        with warnings.catch_warnings(action="ignore"):  # such as of "\\d" in damaged text
            value = machine.run(pickletools.genops(stream))  # type: ignore[arg-type]
    except pickle.UnpicklingError:
        raise
    # A damaged pickle takes what is not there, from the wrong kind of value, and much more.
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise pickle.UnpicklingError(f"{type(error).__name__}: {error}") from error
    except (MemoryError, OSError, RecursionError) as error:
        raise pickle.UnpicklingError(type(error).__name__) from error
    return Unpickled(value, machine.latin1)


def _no_persistent(_: object) -> object:
    raise pickle.UnpicklingError("it refers to something outside the file")
