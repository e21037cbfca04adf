"""Every sentence that a person reads, in English and Japanese: the files beside this one."""

import locale
import os
import tomllib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any

LANGUAGES = ("en", "ja")

_spoken: ContextVar[str | None] = ContextVar("kashika_language", default=None)


def language() -> str:
    """Return the language of every text: `speaking`, else `KASHIKA_LANG`, else the locale."""
    chosen = _spoken.get() or os.environ.get("KASHIKA_LANG")
    if chosen in LANGUAGES:
        return chosen
    # The environment comes before getlocale(), which stays "C" until a program sets its locale.
    words = [os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    word = next(filter(None, words), None) or locale.getlocale()[0] or ""
    return "ja" if word.lower().startswith("ja") else "en"


@contextmanager
def speaking(language: str) -> Generator[None]:
    """Read and draw in `language` ("en" or "ja") inside the block.

    Raises
    ------
    ValueError
        If there are no texts in that language.
    """
    if language not in LANGUAGES:
        raise ValueError(f"language: expected one of {LANGUAGES}, found {language!r}")
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def text(key: str, /, **values: object) -> str:
    """Return the sentence `key` in the present language, with `values` filled in.

    In "{count} {count:sample|samples}" the number settles which of the two words is said.

    Raises
    ------
    KeyError
        If no such sentence exists, or it asks for a value that was not given.
    """
    return _FILLING.vformat(_sentences(language())[key], (), values)


def blank(key: str) -> str:
    """Return the sentence `key` with "…" in the place of every value."""
    return _FILLING.vformat(_sentences(language())[key], (), _Blanks())


def has(key: str) -> bool:
    """Tell whether the sentence `key` exists; a view from outside brings rules without texts."""
    return key in _sentences(language())


class Sentence:
    """A sentence that is put into words only when it is read, in the reader's language.

    A view from outside has no texts here; what it gives as the key is its own sentence.
    """

    __slots__ = ("key", "values")

    def __init__(self, key: str, /, **values: object) -> None:
        self.key = key
        self.values = values

    def __str__(self) -> str:
        return text(self.key, **self.values) if has(self.key) else self.key

    def __repr__(self) -> str:
        return f"Sentence({self.key!r}, {self.values!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sentence) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(self.key)


class _Filling(Formatter):
    """Fills in values as `str.format` does, and of two words the one that goes with the number."""

    def format_field(self, value: Any, format_spec: str) -> str:
        one, bar, more = format_spec.partition("|")
        if not bar:
            return str(super().format_field(value, format_spec))
        try:
            return one if float(format(value, "g")) == 1 else more
        except ValueError:  # a word in the place of a number
            return more


_FILLING = _Filling()


class _Blank:
    """A value that is not known, whatever is asked of it."""

    def __getattr__(self, name: str) -> "_Blank":
        return self

    def __format__(self, spec: str) -> str:
        return "…"


class _Blanks(dict[str, _Blank]):
    def __missing__(self, name: str) -> _Blank:
        return _Blank()


@cache
def _sentences(language: str) -> dict[str, str]:
    content = files(__name__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return dict(_flat(tomllib.loads(content)))


def _flat(table: Mapping[str, object], prefix: str = "") -> Generator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)
