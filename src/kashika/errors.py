"""What can go wrong, as one tree.

    KashikaError
    ├── LoadError      a file or an option cannot be read as what it should be
    ├── MismatchError  two parts do not fit: network and checkpoint, network and data
    └── Missing        the run lacks what a view needs, which is normal
        └── Interrupted    the user stopped before it was looked at

A message is one line: where, what was expected, what was found, what to do. It is put into words
when it is read, in the language of that moment.
"""

from collections.abc import Iterable
from typing import TypeVar

from kashika.texts import Sentence

T = TypeVar("T")

_LONGEST = 500  # some of torch's messages list every backend there is


class KashikaError(Exception):
    """Any error of kashika's own; everything else that is raised is a defect or the user's code."""

    def __init__(self, key: str, /, **values: object) -> None:
        self.sentence = Sentence(key, **values)
        super().__init__(self.sentence)


class LoadError(KashikaError):
    """A file or an option cannot be read as what it should be."""


class MismatchError(KashikaError):
    """Two parts do not fit each other."""


class Missing(KashikaError):
    """The run lacks what a view needs; the message says what, and how to give it."""


class Interrupted(Missing):
    """The user stopped before a split was looked at."""


def need(value: T | None, key: str) -> T:
    """Return `value`, or raise `Missing` with the sentence `missing.<key>`."""
    if value is None:
        raise Missing(f"missing.{key}")
    return value


def one_line(error: BaseException) -> str:
    """Return the type and the message of a foreign exception on one line, not too long a one."""
    message = " ".join(str(error).split())
    message = message if len(message) <= _LONGEST else f"{message[:_LONGEST]} …"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def listed(names: Iterable[object], *, most: int = 12) -> str:
    """Return names with commas between them; of very many the first, and how many there are."""
    said = list(map(str, names))
    return ", ".join(said if len(said) <= most else [*said[:most], f"… ({len(said)})"])
