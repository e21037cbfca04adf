"""A checkpoint whose code the user lets run: the one place where that happens."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from kashika.errors import LoadError, one_line
from kashika.load.checkpoints.content import Content
from kashika.load.checkpoints.entry import Entry
from kashika.load.pickles import Thing
from kashika.texts import Sentence


def trusted(path: Path, *, format: str) -> Content:  # noqa: A002  as of Content
    """Let torch read a file, with all the code that it asks for.

    Raises
    ------
    LoadError
        If that fails.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            value = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # the code in the file may raise anything
        raise LoadError("errors.weights.trusted", path=path, error=one_line(error)) from error
    program = (lambda: value) if isinstance(value, nn.Module) else None
    said = (Sentence("notes.weights.trusted"),)
    return Content(path, format, _tree(value), said, program=program)


def _tree(value: object) -> object:
    """Return a tree of values as it is described where no code may run."""
    match value:
        case Tensor():
            dtype = str(value.dtype).removeprefix("torch.")
            return Entry(tuple(value.shape), dtype, value.detach, (str(value.device),))
        case nn.Module():
            parts = ("_parameters", "_buffers", "_modules")
            state: dict[str, object] = {name: _tree(getattr(value, name)) for name in parts}
            state["_non_persistent_buffers_set"] = value._non_persistent_buffers_set
            return Thing(f"{type(value).__module__}.{type(value).__qualname__}", state=state)
        case dict():
            return {key: _tree(one) for key, one in value.items()}
        case list() | tuple():
            return [_tree(one) for one in value]
        case _:
            return value
