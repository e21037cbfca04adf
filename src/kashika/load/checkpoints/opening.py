"""Open a checkpoint of any format; torch is imported only where a tensor is read."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np

from kashika.errors import LoadError, one_line
from kashika.load.checkpoints import (
    distributed,
    exported,
    foreign,
    safetensors_files,
    scripted,
    sharded,
    torch_files,
)
from kashika.load.checkpoints.choosing import weight_sets
from kashika.load.checkpoints.content import Content
from kashika.load.checkpoints.mapped import Window, mapped
from kashika.load.checkpoints.torch_files import Archive
from kashika.load.pickles import Unpickled, unpickle
from kashika.texts import Sentence

_PICKLES = (".pkl", ".pickle", ".p", ".pth", ".pt", ".bin", ".ckpt")
_ANYTHING = (".pkl", ".pickle", ".p")
_LOOKED_INTO = 100_000_000  # bytes of such a file, up to which it is looked into
_WEIGHT = re.compile(r"(^|[._/])(weight|bias|kernel|gamma|beta)(_\w+)?$")
_ZIP = b"PK\x03\x04"


def is_checkpoint(path: Path) -> bool:
    """Tell whether a path is a checkpoint, by its name and its first bytes."""
    if path.is_dir():
        return distributed.recognises(path) or sharded.recognises(path)
    if sharded.is_index(path) or path.suffix == ".distcp":
        return True
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError:
        return False
    suffix = path.suffix.lower()
    if head.startswith(_ZIP) and suffix != ".npz":
        return suffix in (*_PICKLES, ".pt2", ".jit", ".ts", ".tar")
    if safetensors_files.recognises(head):
        return suffix == ".safetensors"
    if head[:1] == b"\x80" and suffix in _PICKLES and suffix not in _ANYTHING:
        return True
    return _is_old(head) or (suffix in (*_ANYTHING, ".npz") and _is_called_weights(path))


def _is_called_weights(path: Path) -> bool:
    """Tell whether what may hold anything holds arrays that are called as weights are."""
    try:
        sets = weight_sets(one_file(path).value) if path.stat().st_size < _LOOKED_INTO else []
    except LoadError:
        return False
    return any(_WEIGHT.search(name) for one in sets for name in one.tensors)


def opened(path: Path) -> Content:
    """Describe what stands in a checkpoint.

    Raises
    ------
    LoadError
        If it is none, or damaged.
    """
    if not path.exists():
        raise LoadError("errors.weights.missing", path=path)
    if path.is_dir() or path.suffix == ".distcp" or path.name == ".metadata":
        directory = path if path.is_dir() else path.parent
        if distributed.recognises(directory) or not path.is_dir():
            return distributed.opened(directory)
        return sharded.opened(directory, one_file=one_file)
    if sharded.is_index(path):
        return sharded.of_index(path, one_file=one_file)
    index = sharded.index_of_shard(path)
    if index is not None:
        return sharded.of_index(index, one_file=one_file)
    return one_file(path)


def one_file(path: Path) -> Content:
    """Describe what stands in a single file.

    Raises
    ------
    LoadError
        If it is no checkpoint, or damaged.
    """
    view = mapped(path)
    head = bytes(view[:64])
    if head.startswith(_ZIP):
        return _of_archive(torch_files.archive(path, view))
    if safetensors_files.recognises(head):
        found, said = safetensors_files.tensors(path)
        return Content(path, "safetensors", {**found, "__metadata__": said} if said else found)
    if _is_old(head):
        read = torch_files.legacy(path, view)
        return Content(path, "PyTorch legacy", read.value, _about(read))
    if head[:1] == b"\x80" or (path.suffix.lower() in _PICKLES and _is_pickle(view)):
        read = torch_files.plain(path, view)
        return Content(path, "pickle", read.value, _about(read))
    raise foreign.refusal(path, view)


def _of_archive(found: Archive) -> Content:
    names = found.records
    if len(names) and all(name.endswith(".npy") for name in names):
        return Content(found.path, "NumPy", _arrays(found.path))
    if exported.recognises(found):
        return exported.opened(found)
    roots = sorted((name for name in names if re.fullmatch(r"([^/]+/)?data\.pkl", name)), key=len)
    if not roots:
        raise foreign.refusal_of_zip(found.path, names)
    root = roots[0].removesuffix("data.pkl")
    read = torch_files.zipped(found, root=root)
    if f"{root}constants.pkl" in names:
        return scripted.opened(found, read.value)
    return Content(found.path, "PyTorch zip", read.value, _about(read), lambda: found.broken)


def _about(read: Unpickled) -> tuple[Sentence, ...]:
    return (Sentence("notes.weights.latin1"),) if read.latin1 else ()


def _is_old(head: bytes) -> bool:
    """Tell whether a file starts with the number that the old format of torch starts with."""
    return torch_files.MAGIC.to_bytes(10, "little") in head[:16]


def _is_pickle(view: memoryview) -> bool:
    try:
        unpickle(Window(view))
    except pickle.UnpicklingError:
        return False
    return True


def _arrays(path: Path) -> dict[str, object]:
    """Read the arrays of an .npz file; what would need code is left out."""
    found: dict[str, object] = {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            for name in archive.files:
                found[name] = archive[name]
    # NumPy raises many types for a damaged file, and ValueError for objects.
    except Exception as error:
        raise LoadError("errors.weights.damaged", path=path, error=one_line(error)) from error
    return found
