"""What a file is that is no checkpoint: so that the error can name it."""

from __future__ import annotations

import tarfile
from collections.abc import Collection
from pathlib import Path

from kashika.errors import LoadError
from kashika.texts import Sentence

_MAGIC = {
    b"\x89HDF\r\n\x1a\n": "words.foreign.hdf5",
    b"GGUF": "words.foreign.gguf",
    b"\x93NUMPY": "words.foreign.array",
    b"\x89PNG": "words.foreign.picture",
    b"\xff\xd8\xff": "words.foreign.picture",
    b"GIF8": "words.foreign.picture",
    b"%PDF": "words.foreign.pdf",
    b"PAR1": "words.foreign.parquet",
    b"\x00\x05\x16\x07": "words.foreign.appledouble",
}
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!")
_SUFFIXES = {
    ".onnx": "words.foreign.onnx",
    ".pb": "words.foreign.tensorflow",
    ".h5": "words.foreign.hdf5",
    ".hdf5": "words.foreign.hdf5",
    ".tflite": "words.foreign.tensorflow",
    ".msgpack": "words.foreign.flax",
    ".mlmodel": "words.foreign.coreml",
    ".pdparams": "words.foreign.paddle",
}


def refusal(path: Path, view: memoryview) -> LoadError:
    """Return the error that says what a file is, as far as that can be seen."""
    head = bytes(view[:512])
    if head.startswith(b"version https://git-lfs"):
        return LoadError("errors.weights.lfs", path=path)
    if head.startswith(_PACKED):
        return LoadError(
            "errors.weights.compressed", path=path, what=Sentence("words.foreign.compressed")
        )
    what = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)
    what = "words.foreign.tensorflow" if head[4:8] == b"TFL3" else what
    what = what or _SUFFIXES.get(path.suffix.lower())
    if what is not None:
        return LoadError("errors.weights.foreign", path=path, what=Sentence(what))
    if head[257:262] == b"ustar" or path.suffix.lower() == ".tar":
        found = _of_tar(path)
        if found is not None:
            return found
    if not any(head):
        return LoadError("errors.weights.zeros", path=path, size=len(view))
    words = _words(head)
    if words is not None:
        key = "errors.weights.page" if words.lstrip().startswith("<") else "errors.weights.text"
        return LoadError(key, path=path, words=" ".join(words.split())[:40])
    return LoadError("errors.weights.unknown", path=path, found=head[:16].hex(" "))


def refusal_of_zip(path: Path, names: Collection[str]) -> LoadError:
    """Return the error that says what a zip archive is that torch did not write."""
    if "model.weights.h5" in names:
        return LoadError("errors.weights.foreign", path=path, what=Sentence("words.foreign.keras"))
    return LoadError("errors.weights.compressed", path=path, what=Sentence("words.foreign.zip"))


def _of_tar(path: Path) -> LoadError | None:
    try:
        with tarfile.open(path) as archive:
            names = [archive.next() for _ in range(16)]
    except (tarfile.TarError, OSError, ValueError, EOFError):
        return None
    found = {one.name for one in names if one is not None}
    if {"sys_info", "pickle", "storages"} <= {name.rpartition("/")[2] for name in found}:
        return LoadError("errors.weights.old", path=path)
    return LoadError("errors.weights.compressed", path=path, what=Sentence("words.foreign.tar"))


def _words(head: bytes) -> str | None:
    """Return the text that a file starts with; None if that is no text."""
    for encoding in ("utf-8", "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "shift_jis"):
        try:
            words = head[: len(head) - 3 if len(head) == 512 else None].decode(encoding)
        except UnicodeDecodeError:
            continue
        if all(one.isprintable() or one in "\r\n\t\f" for one in words):
            return words
    return None
