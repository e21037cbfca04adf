"""Histories that were pickled or put down by `torch.save`: read, and none of their code run."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

from kashika.errors import LoadError, one_line
from kashika.load.logs.logged import Logged
from kashika.load.logs.nested import logged_in, looks_logged
from kashika.load.pickles import Thing
from kashika.load.pickles.things import asked_for
from kashika.texts import Sentence

_PICKLES = (".pkl", ".pickle", ".p", ".pck", ".joblib", ".history", ".hist")
_TORCH = (".pt", ".pth", ".tar", ".bin")
_ZIP = b"PK\x03\x04"
_MOST_BYTES = 20_000_000  # of a file that is only looked at, to see whether it is a log
_DEPTH = 6


def recognises(path: Path, head: bytes) -> bool:
    """Tell whether a file is a pickle of series that are called as in training, and no weights."""
    if path.suffix.lower() not in (*_PICKLES, *_TORCH) or not _is_pickle(head):
        return False
    try:
        if path.stat().st_size > _MOST_BYTES:
            return False
        content = _content(path)
    except (LoadError, OSError):
        return False
    return not _holds_weights(content) and looks_logged(_opened(content), name=path.stem)


def read(path: Path) -> Logged:
    """Read the series in a pickle or in what `torch.save` wrote.

    Raises
    ------
    LoadError
        If it is damaged, or holds no series.
    """
    content = _content(path)
    if isinstance(content, Thing) and content.name.startswith("pandas."):
        raise LoadError("errors.log.pickled.pandas", path=path, found=content.name)
    series, notes = logged_in(_opened(content), path=path)
    if not series:
        found = content.name if isinstance(content, Thing) else type(content).__name__
        raise LoadError("errors.log.pickled.no_series", path=path, found=found)
    if asked := asked_for(content):
        notes.append(Sentence("notes.weights.asked_for", names=", ".join(asked[:12])))
    return Logged("pickle", series, tuple(notes))


def _is_pickle(head: bytes) -> bool:
    """Tell a pickle of protocol 2 and later, or of a list or dictionary in protocol 0 and 1."""
    return head.startswith((_ZIP, b"\x80", b"(dp", b"(lp", b"}q", b"]q", b"ccollections"))


def _content(path: Path) -> object:
    from kashika.load.checkpoints import torch_files
    from kashika.load.checkpoints.mapped import Window, mapped
    from kashika.load.pickles import unpickle

    if path.is_file() and not path.stat().st_size:
        raise LoadError("errors.log.pickled.damaged", path=path, error="0 bytes")
    view = mapped(path)
    if view[:4] == _ZIP:
        found = torch_files.archive(path, view)
        root = next((name for name in found.records if name.endswith("data.pkl")), None)
        if root is None:
            raise LoadError("errors.log.pickled.no_series", path=path, found="zip")
        return torch_files.zipped(found, root=root.removesuffix("data.pkl")).value
    try:
        first = unpickle(Window(view), makers=torch_files.MAKERS).value
    except pickle.UnpicklingError as error:
        raise LoadError("errors.log.pickled.damaged", path=path, error=one_line(error)) from error
    return torch_files.legacy(path, view).value if first == torch_files.MAGIC else first


def _opened(value: object, depth: int = 0) -> object:
    """Turn objects into what they hold, and tensors of at most one dimension into numbers."""
    from kashika.load.checkpoints.entry import Entry

    if depth > _DEPTH:
        return None
    match value:
        case Thing():
            inside = value.entries or value.items or dict(value.attributes)
            return _opened(inside, depth + 1)
        case Entry() if value.is_real and len(value.shape) <= 1:
            return value.read().tolist()
        case Entry():
            return None
        case Mapping():
            return {key: _opened(one, depth + 1) for key, one in value.items()}
        case list() | tuple() if any(isinstance(one, Thing | Entry | Mapping) for one in value):
            return [_opened(one, depth + 1) for one in value]
        case _:
            return value


def _holds_weights(content: object, depth: int = 0) -> bool:
    """Tell whether there are tensors of two and more dimensions."""
    from kashika.load.checkpoints.entry import Entry

    match content:
        case _ if depth > _DEPTH:
            return False
        case Entry():
            return len(content.shape) > 1
        case Thing():
            inside = [content.entries, content.items, dict(content.attributes)]
            return any(_holds_weights(one, depth + 1) for one in inside)
        case Mapping():
            return any(_holds_weights(one, depth + 1) for one in content.values())
        case list() | tuple():
            return any(_holds_weights(one, depth + 1) for one in content)
        case _:
            return False
