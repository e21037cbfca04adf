"""What a pickle names and nobody looks up: classes, functions, and the objects they would make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Global:
    """A class or function that a pickle names; it is not looked up."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(slots=True, eq=False)
class Thing:
    """An object of which only the description is known.

    Attributes
    ----------
    name : of its class, or of the function that would have made it: "__main__.Net"
    arguments : that it would have been made with
    state : what its attributes would have been filled with
    items : what would have been appended to it
    entries : what would have been set in it
    """

    name: str
    arguments: tuple[object, ...] = ()
    state: object = None
    items: list[object] = field(default_factory=list)
    entries: dict[object, object] = field(default_factory=dict)

    @property
    def attributes(self) -> Mapping[object, object]:
        """Its attributes by name, those in `__slots__` included; none where they are not known."""
        parts = self.state if isinstance(self.state, tuple) else (self.state,)
        return {key: one for part in parts if isinstance(part, dict) for key, one in part.items()}

    def __str__(self) -> str:
        return f"<{self.name}>"

    __repr__ = __str__


_MOST = 100_000  # values looked through; a file can name one list in itself a million times


def asked_for(value: object) -> list[str]:
    """Return the names of what a tree of values would have been made of, each once."""
    names: dict[str, None] = {}
    waiting, seen = [value], set[int]()
    while waiting and len(seen) < _MOST:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        match one:
            case Thing() | Global():
                names[one.name] = None
                if isinstance(one, Thing):
                    waiting += [*one.arguments, one.state, *one.items, *one.entries.values()]
            case dict():
                waiting += [*one.values()]
            case list() | tuple() | set() | frozenset():
                waiting += [*one]
    return sorted(names)
