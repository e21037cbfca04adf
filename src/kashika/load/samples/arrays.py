"""Samples in `.npz`, in pairs of `.npy`, and in the files of MNIST and its relatives."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kashika.distribution import Array
from kashika.errors import LoadError, listed
from kashika.load.samples import files
from kashika.load.samples.content import Content, samples_of_content
from kashika.load.samples.roles import paired, role_of, split_called
from kashika.naming import Split
from kashika.run import Arrays, Samples
from kashika.texts import Sentence

_IMAGES = re.compile(r"(.*?)[-_.]?images[-_.]idx\d[-_.]ubyte(\.gz)?")


def samples_of_npz(path: Path) -> Content:
    """Read the arrays in an `.npz`: by their names, else in the order they were saved.

    Raises
    ------
    LoadError
        If it is damaged, or has no inputs with targets.
    """
    found, objects = files.npz(path)
    if needed := [name for name in objects if role_of(name) is not None]:
        raise LoadError("errors.dataset.objects", path=path, names=listed(needed))
    if len(found) > 1 and all(re.fullmatch(r"arr_\d+", name) for name in found):
        in_order = [found[f"arr_{index}"] for index in range(len(found)) if f"arr_{index}" in found]
        return samples_of_content(in_order, name=str(path))
    return _of_pairs(found, where=path, split=split_called(path.stem))


def samples_of_npy(paths: Sequence[Path], *, where: Path) -> Content:
    """Read `.npy` files: inputs and targets by the names of the files.

    Raises
    ------
    LoadError
        If one is damaged, or inputs have no targets.
    """
    names = {_name(path, where): path for path in paths}
    if len(paths) == 2 and not all(role_of(name) for name in names):
        return samples_of_content([files.npy(path) for path in paths], name=str(where))
    wanted = {name: path for name, path in names.items() if role_of(name) is not None}
    return _of_pairs({name: files.npy(path) for name, path in wanted.items()}, where=where)


def partners(path: Path) -> list[Path]:
    """Return an `.npy` of inputs or targets and the one beside it that belongs to it.

    Raises
    ------
    LoadError
        If there is none.
    """
    own = role_of(path.stem)
    others = [one for one in sorted(path.parent.glob("*.npy")) if one != path]
    wanted = None if own is None else ("targets" if own[0] == "inputs" else "inputs", own[1])
    found = [one for one in others if wanted is not None and role_of(one.stem) == wanted]
    if len(found) != 1:
        names = listed(one.name for one in found or others) or "-"
        raise LoadError("errors.dataset.partner", path=path, names=names)
    return [path, found[0]]


def _name(path: Path, where: Path) -> str:
    """Return the name of a file, with the folder of a split before it."""
    inside = path.parent != where and split_called(path.parent.name) is not None
    return f"{path.parent.name} {path.stem}" if inside else path.stem


def _of_pairs(found: Mapping[str, Array], *, where: Path, split: Split | None = None) -> Content:
    pairs, notes = paired(found, where=where, split=split)
    samples: dict[Split, Samples] = {
        split: Arrays.of(x, y, split=split) for split, (x, y) in pairs.items()
    }
    for split, (x, _) in pairs.items():
        if x.dtype == np.uint8:
            notes.append(Sentence("notes.dataset.bytes", split=split, shape=x.shape))
    return samples, notes


# --- MNIST ---------------------------------------------------------------------------------------


def is_idx(path: Path) -> bool:
    """Tell the files of MNIST by their names: `t10k-images-idx3-ubyte.gz`, or the labels to it."""
    return _IMAGES.fullmatch(path.name.replace("labels", "images")) is not None


def samples_of_idx(paths: Sequence[Path]) -> Content:
    """Read images of MNIST and its relatives, scaled to 0 … 1, with their labels.

    Raises
    ------
    LoadError
        If one is damaged, or images have no labels.
    """
    samples: dict[Split, Samples] = {}
    notes = []
    for path in dict.fromkeys(map(_images_of, paths)):
        labels = _labels_of(path)
        words = re.split(r"[\W_]+", path.name.partition("images")[0])
        named = [split for word in words if (split := split_called(word)) is not None]
        split = named[-1] if named else "test"
        if split in samples:
            raise LoadError("errors.dataset.twice", path=path.parent, first=split, second=path.name)
        if not named:
            notes.append(
                Sentence("notes.dataset.no_split", path=path, inputs=path.name, targets=labels.name)
            )
        x, y = files.idx(path), files.idx(labels)
        if x.dtype == np.uint8 and x.ndim > 2:
            x = (x.astype(np.float32) / np.float32(255))[:, None]
            notes.append(Sentence("notes.dataset.scaled", path=path, shape=x.shape))
        samples[split] = Arrays.of(x, y.astype(np.int64), split=split)
    return samples, notes


def _images_of(path: Path) -> Path:
    return _other(path, "labels", "images") if "labels" in path.name else path


def _labels_of(path: Path) -> Path:
    return _other(path, "images", "labels")


def _other(path: Path, old: str, new: str) -> Path:
    """Return the file of the labels beside that of the images, or the reverse."""
    plain = path.name.removesuffix(".gz")
    name = re.sub(r"idx\d", "idx?", plain.replace(old, new))
    pattern = re.compile(re.escape(name).replace(r"\?", r"\d") + r"(\.gz)?")
    found = [one for one in sorted(path.parent.iterdir()) if pattern.fullmatch(one.name)]
    if not found:
        raise LoadError("errors.dataset.partner", path=path, names="-")
    return found[0]
