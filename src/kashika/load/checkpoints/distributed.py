"""Directories of torch.distributed.checkpoint: what lies where stands in `.metadata`."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from kashika.errors import LoadError, one_line
from kashika.load.checkpoints import torch_files
from kashika.load.checkpoints.content import Content
from kashika.load.checkpoints.entry import ITEM_SIZE, Entry, Shape, whole
from kashika.load.checkpoints.mapped import Window, mapped
from kashika.load.checkpoints.torch_names import TORCH, dtype_name
from kashika.load.pickles import Thing, unpickle

if TYPE_CHECKING:
    from torch import Tensor

_TABLE = ".metadata"
_WHOLE = 1 << 36  # bytes that a tensor may have: what is larger does not fit on this machine


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A stretch of a file, and where in the tensor it belongs."""

    start: Shape
    view: memoryview
    path: Path
    name: str


def recognises(directory: Path) -> bool:
    """Tell whether a directory is a distributed checkpoint."""
    return (directory / _TABLE).is_file()


def opened(directory: Path) -> Content:
    """Describe what stands in a distributed checkpoint.

    Raises
    ------
    LoadError
        If it has no `.metadata`, or that or a file which it names is missing or damaged.
    """
    table = directory / _TABLE
    if not table.is_file():
        raise LoadError("errors.weights.no_metadata", path=directory)
    try:
        found = unpickle(Window(mapped(table)), makers=TORCH).value
        said = _attributes(found)
        kinds = _dictionary(said["state_dict_metadata"])
        pieces = _pieces(directory, _dictionary(said["storage_data"]))
        flat = {str(name): _value(str(name), kind, pieces) for name, kind in kinds.items()}
        paths = said.get("planner_data")
        value = _nested(flat, paths if isinstance(paths, dict) else {})
    except LoadError:
        raise
    # A damaged table lacks anything, or has it in another form.
    except (pickle.UnpicklingError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise LoadError("errors.weights.damaged", path=table, error=one_line(error)) from error
    return Content(directory, "DCP", value)


def _pieces(directory: Path, places: Mapping[object, object]) -> dict[str, list[_Piece]]:
    """Return {name: the stretches of files that hold it}."""
    views: dict[str, memoryview] = {}
    found: dict[str, list[_Piece]] = {}
    for index, place in places.items():
        where, at = _attributes(index), _attributes(place)
        file, name = str(at["relative_path"]), str(where["fqn"])
        path = directory / file
        if Path(file).is_absolute() or ".." in Path(file).parts:
            raise ValueError(f"{file} lies outside")
        if file not in views:
            if not path.is_file():
                raise LoadError(
                    "errors.weights.shard", path=directory, name=file, first=name, count=1
                )
            views[file] = mapped(path)
        first, length = at["offset"], at["length"]
        if not isinstance(first, int) or not isinstance(length, int):
            raise TypeError(f"{name} lies nowhere")
        if first < 0 or length < 0 or first + length > len(views[file]):
            size = len(views[file])
            raise LoadError(
                "errors.weights.ends_early", path=path, size=size, expected=first + length
            )
        start = where.get("offset")
        view = views[file][first : first + length]
        piece = _Piece(start if isinstance(start, tuple) else (), view, path, name)
        found.setdefault(name, []).append(piece)
    return found


def _value(name: str, kind: object, pieces: Mapping[str, Sequence[_Piece]]) -> object:
    if not isinstance(kind, Thing):
        raise TypeError(f"{name} is of no kind")
    own = pieces.get(name, ())
    if kind.name.endswith("BytesStorageMetadata"):
        return _described(own[0]) if own else None
    said = _attributes(kind)
    properties, size = said["properties"], said["size"]
    state = properties.state if isinstance(properties, Thing) else None
    first = state[0] if isinstance(state, tuple) else _attributes(properties)["dtype"]
    dtype = dtype_name(first)
    shape = whole(size)
    if prod(shape) * ITEM_SIZE[dtype] > _WHOLE:
        raise ValueError(f"{name} has the size {shape}")
    return Entry(shape, dtype, lambda: _assembled(shape, dtype, own))


def _assembled(size: Shape, dtype: str, pieces: Sequence[_Piece]) -> Tensor:
    """Put a tensor together; one that lies in one piece stays where it is."""
    import torch

    parts = [(piece, _described(piece)) for piece in pieces]
    held = sum(prod(one.shape) for _, one in parts if isinstance(one, Entry))
    if held < prod(size):
        raise ValueError(f"{held} of its {prod(size)} numbers are there")
    for _, one in parts:
        if isinstance(one, Entry) and one.shape == size:
            return one.read()
    tensor = torch.empty(size, dtype=getattr(torch, dtype))
    for piece, one in parts:
        if isinstance(one, Entry):
            place = tuple(slice(a, a + n) for a, n in zip(piece.start, one.shape, strict=True))
            tensor[place] = one.read()
    return tensor


def _described(piece: _Piece) -> object:
    """Describe what `torch.save` wrote into a stretch of a file."""
    path = piece.path
    if bytes(piece.view[:4]) != b"PK\x03\x04":
        return torch_files.legacy(path, piece.view).value
    found = torch_files.archive(path, piece.view)
    names = [name for name in found.records if name.endswith("data.pkl")]
    if not names:
        raise LoadError("errors.weights.damaged", path=path, error=piece.name)
    return torch_files.zipped(found, root=names[0].removesuffix("data.pkl")).value


def _nested(flat: Mapping[str, object], paths: Mapping[object, object]) -> dict[object, object]:
    """Put {"model.0.weight": …} back into {"model": {"0.weight": …}}."""
    value: dict[object, object] = {}
    for name, one in flat.items():
        path = paths.get(name)
        *outer, last = path if isinstance(path, tuple) and path else (name,)
        inner = value
        for key in outer:
            inner = _dictionary(inner.setdefault(key, {}))
        inner[last] = one
    return value


def _attributes(thing: object) -> dict[str, object]:
    if not isinstance(thing, Thing):
        raise TypeError(f"{type(thing).__name__} has no attributes")
    return {str(key): one for key, one in thing.attributes.items()}


def _dictionary(value: object) -> dict[object, object]:
    if not isinstance(value, dict):
        raise TypeError(f"{type(value).__name__} is no dictionary")
    return value
