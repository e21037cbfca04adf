"""One JSON document: Keras's history, Hugging Face's trainer_state.json, the lists of a loop."""

from __future__ import annotations

import json
import re
from pathlib import Path

from kashika.errors import LoadError
from kashika.load.logs.decoding import decoded, text_of
from kashika.load.logs.literals import literal
from kashika.load.logs.logged import Logged
from kashika.load.logs.nested import logged_in, looks_logged
from kashika.texts import Sentence

_SUFFIXES = (".json", ".txt", ".log", ".out", "")
_DEPTH = 100
_MARKS = re.compile(r'"(?:[^"\\]|\\.)*(?:"|$)|[\[\]{},]', re.DOTALL)


def recognises(path: Path, head: bytes) -> bool:
    """Tell whether a file is a JSON document with series that are called as in training.

    A list without names is a log only in a .json that is called so, as train_loss.json.
    """
    text = decoded(head)[0]
    start, suffix = text.lstrip()[:1], path.suffix.lower()
    if suffix not in _SUFFIXES or start not in ("{", "[") or (start == "[" and suffix != ".json"):
        return False
    try:
        content, _ = _parsed(text, path)
    except LoadError:
        return False
    return looks_logged(content, name=path.stem)


def read(path: Path) -> Logged:
    """Read the series in a JSON document, or in one that Python's `print` wrote.

    Raises
    ------
    LoadError
        If it is none, with the place of the error, or holds no series.
    """
    text, notes = text_of(path)
    content, said = _parsed(text, path)
    series, more = logged_in(content, path=path)
    if not series and looks_logged([content], name=""):  # one row, as of a summary
        series, more = logged_in([content], path=path)
    if not series:
        raise LoadError("errors.log.json.no_series", path=path)
    return Logged("JSON", series, (*notes, *said, *more))


def _parsed(text: str, path: Path) -> tuple[object, list[Sentence]]:
    """Return the content of a document; of one that breaks off, all that is complete.

    Raises
    ------
    LoadError
        If it is damaged elsewhere.
    """
    try:
        return json.loads(text), []
    except (ValueError, RecursionError) as error:
        failed = error
    for other in (literal, _complete):
        try:
            content = other(text)
        except ValueError:
            continue
        if other is literal:
            return content, []
        return content, [
            Sentence("notes.log.json.cut", path=path, line=text.rstrip().count("\n") + 1)
        ]
    if isinstance(failed, json.JSONDecodeError):
        line, column, found = failed.lineno, failed.colno, text[failed.pos : failed.pos + 20]
        raise LoadError("errors.log.json.damaged", path=path, line=line, column=column, found=found)
    raise LoadError("errors.log.json.other", path=path, error=str(failed)) from failed


def _complete(text: str) -> object:
    """Return what is complete in a document that breaks off.

    Raises
    ------
    ValueError
        If it does not break off, or is damaged before that.
    """
    kept, open_ = 0, ""
    stack: list[str] = []
    for mark in _MARKS.finditer(text):
        match mark[0]:
            case "[" | "{":
                stack.append("]" if mark[0] == "[" else "}")
            case "]" | "}" if stack:
                stack.pop()
                kept, open_ = mark.end(), "".join(reversed(stack))
            case ",":  # the number before it is whole, which that at the end need not be
                kept, open_ = mark.start(), "".join(reversed(stack))
        if len(stack) > _DEPTH:
            raise ValueError("nested too deeply")
    if not stack or not kept:
        raise ValueError("it does not break off")
    return json.loads(text[:kept] + open_)
