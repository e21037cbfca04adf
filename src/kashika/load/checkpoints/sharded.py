"""Folders of Hugging Face: one file with weights, or several of them with an index."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from kashika.errors import LoadError, one_line
from kashika.load.checkpoints.content import Content
from kashika.texts import Sentence

_INDEX = (".safetensors.index.json", ".bin.index.json")
_WHOLE = (
    "model.safetensors", "pytorch_model.bin", "adapter_model.safetensors", "adapter_model.bin",
    "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin",
)  # fmt: skip
_SHARD = re.compile(r"(.+)-(\d{3,})-of-(\d{3,})\.(safetensors|bin)")
_LONGEST = 1 << 25  # bytes of an index

Reader = Callable[[Path], Content]


def recognises(directory: Path) -> bool:
    """Tell whether a directory is a model as Hugging Face saves it."""
    return _within(directory) is not None


def is_index(path: Path) -> bool:
    """Tell whether a file says which weights lie in which of the others."""
    return path.name.endswith(_INDEX)


def index_of_shard(path: Path) -> Path | None:
    """Return the index of the set that a file is a part of; None if it is none."""
    match = _SHARD.fullmatch(path.name)
    index = path.with_name(f"{match[1]}.{match[4]}.index.json") if match else path
    return index if match and index.is_file() else None


def opened(directory: Path, *, one_file: Reader) -> Content:
    """Describe the weights in a directory.

    Raises
    ------
    LoadError
        If there are none, or a part of them is missing.
    """
    found = _within(directory)
    if found is None:
        raise LoadError("errors.weights.directory", path=directory)
    if is_index(found):
        return of_index(found, one_file=one_file)
    match = _SHARD.fullmatch(found.name)
    if match:
        return _without_index(found, match, one_file=one_file)
    content = one_file(found)
    said = Sentence("notes.weights.file", name=found.name)
    notes = (said, *content.notes)
    return Content(found, content.format, content.value, notes, content.broken, content.program)


def of_index(index: Path, *, one_file: Reader) -> Content:
    """Describe the weights of all files that an index names.

    Raises
    ------
    LoadError
        If the index is damaged, or weights that it names are nowhere.
    """
    places = _places(index)
    names = sorted(set(places.values()))
    missing = [name for name in names if not (index.parent / name).is_file()]
    contents = [one_file(index.parent / name) for name in names if name not in missing]
    tensors: dict[str, object] = {}
    by_file = dict(zip((n for n in names if n not in missing), contents, strict=True))
    for name, content in by_file.items():
        held = content.value if isinstance(content.value, dict) else {}
        # Where two files hold one tensor, the index says which is meant.
        tensors |= {
            t: one for t, one in held.items() if places.get(t, name) == name or t not in tensors
        }
    for name in missing:
        needed = [tensor for tensor, file in places.items() if file == name]
        lacking = [tensor for tensor in needed if tensor not in tensors]
        if lacking:
            raise LoadError(
                "errors.weights.shard", path=index, name=name, count=len(lacking), first=lacking[0]
            )
    notes = _said(index, names, missing, absent=[t for t in places if t not in tensors])
    notes += [note for content in contents for note in content.notes]
    kind = contents[0].format if contents else "safetensors"
    ordered = {name: tensors[name] for name in places if name in tensors}
    notes = list(dict.fromkeys(notes))
    return Content(index, kind, ordered | tensors, tuple(notes), partial(_broken, contents))


def _said(
    index: Path, names: list[str], missing: list[str], *, absent: list[str]
) -> list[Sentence]:
    """Say how many files were read, and where the folder and its index differ."""
    said = [Sentence("notes.weights.shards", index=index.name, count=len(names) - len(missing))]
    if missing:
        said.append(Sentence("notes.weights.stale", count=len(missing), names=_listed(missing)))
    if absent:
        said.append(Sentence("notes.weights.absent", count=len(absent), names=_listed(absent)))
    ending = f".{index.name.split('.')[-3]}"
    others = sorted(p.name for p in index.parent.glob(f"*{ending}") if p.name not in names)
    if others:
        said.append(Sentence("notes.weights.stray", count=len(others), names=_listed(others)))
    return said


def _places(index: Path) -> Mapping[str, str]:
    """Read {name of a tensor: name of its file}."""
    try:
        if index.stat().st_size > _LONGEST:
            raise ValueError("it is too long")
        places = json.loads(index.read_bytes())["weight_map"]
        pairs = {str(tensor): str(file) for tensor, file in places.items()}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise LoadError("errors.weights.index", path=index, error=one_line(error)) from error
    except OSError as error:
        raise LoadError("errors.system", path=index, error=error.strerror) from error
    # An index names files beside it, and none elsewhere on the machine.
    foreign = next((name for name in pairs.values() if Path(name).name != name), None)
    if not pairs or foreign is not None:
        raise LoadError("errors.weights.index", path=index, error=foreign or "{}")
    return pairs


def _without_index(first: Path, match: re.Match[str], *, one_file: Reader) -> Content:
    """Describe the weights of files that are numbered, where their index is gone."""
    stem, _, count, ending = match.groups()
    width, last = len(count), int(count)
    names = [f"{stem}-{k:0{width}}-of-{count}.{ending}" for k in range(1, min(last, 9_999) + 1)]
    missing = [name for name in names if not (first.parent / name).is_file()]
    if missing:
        raise LoadError(
            "errors.weights.numbered", path=first.parent, count=last, names=_listed(missing)
        )
    contents = [one_file(first.parent / name) for name in names]
    tensors = {k: v for c in contents if isinstance(c.value, dict) for k, v in c.value.items()}
    said = (Sentence("notes.weights.no_index", count=last),)
    return Content(first.parent, contents[0].format, tensors, said, partial(_broken, contents))


def _broken(contents: Sequence[Content]) -> list[str]:
    return [f"{one.path.name}: {name}" for one in contents for name in one.broken()]


def _within(directory: Path) -> Path | None:
    """Return the index in a directory, else its file with weights, else its first shard."""
    try:
        names = sorted(path.name for path in directory.iterdir())
    except OSError:
        return None
    for wanted in (_INDEX[0], _WHOLE[0], *_INDEX[1:], *_WHOLE[1:]):
        found = [
            name for name in names if name == wanted or (wanted[0] == "." and name.endswith(wanted))
        ]
        if found:
            return directory / found[0]
    shards = [name for name in names if _SHARD.fullmatch(name)]
    return directory / shards[0] if shards else None


def _listed(names: list[str], *, most: int = 12) -> str:
    return ", ".join(names if len(names) <= most else [*names[:most], f"… ({len(names)})"])
