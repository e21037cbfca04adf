"""What `--data` names -> samples by split: one file here for each kind of data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kashika.errors import LoadError, listed
from kashika.load.code.named import parse
from kashika.load.samples import arrays, bundled, images, tables
from kashika.load.samples.content import Content, samples_of, samples_of_content
from kashika.load.samples.labels import relabelled
from kashika.texts import Sentence

__all__ = ["Content", "samples_from", "samples_of", "samples_of_content"]


def samples_from(word: str, *, target: str | None) -> Content:
    """Read the samples that `--data` names, and say how they were understood.

    Parameters
    ----------
    word : a file or a folder of data; two or more `.npy` with commas between them; a bundled set of
        scikit-learn such as "iris"; or `FILE.py:NAME`, `NOTEBOOK.ipynb:NAME`, `package.module:NAME`
    target : column of a table that holds the targets

    Returns
    -------
    {split: samples}, where words have become class numbers; and notes.

    Raises
    ------
    LoadError
        If there is nothing of the name, or it cannot be read as data.
    MismatchError
        If inputs and targets do not fit each other.
    """
    samples, notes = _read(word, target)
    samples, said = relabelled(samples, outputs=None)
    return samples, [*notes, *said]


def _read(word: str, target: str | None) -> Content:
    paths = [Path(part.strip()) for part in word.split(",")]
    path = Path(word)
    if _exists(path):
        return _of_directory(path, target) if path.is_dir() else _of_file(path, target)
    if len(paths) > 1 and all(one.suffix.lower() == ".npy" for one in paths):
        for one in paths:
            if not _exists(one):
                raise LoadError("errors.no_such_file", option="--data", path=one)
        return _without_target(arrays.samples_of_npy(paths, where=path), target)
    if name := bundled.bundled_name(word):
        return _without_target(bundled.samples_of_bundled(name), target)
    if ":" in word:
        named = parse(word, option="--data")
        found = named.load()
        content = named.call(found) if callable(found) else found
        if tables.is_frame(content):
            samples, notes = tables.samples_of_frame(content, target=target, where=word)
        else:
            samples, notes = samples_of_content(content, name=named.name)
            samples, notes = _without_target((samples, notes), target)
        return samples, [*named.notes(), *notes]
    raise LoadError("errors.dataset.word", found=word, names=", ".join(bundled.NAMES))


def _of_file(path: Path, target: str | None) -> Content:
    if not path.stat().st_size:
        raise LoadError("errors.dataset.empty", path=path)
    if tables.is_table(path):
        return tables.samples_of_tables([path], target=target, where=path)
    return _without_target(_of_arrays(path), target)


def _of_arrays(path: Path) -> Content:
    match path.suffix.lower():
        case ".npz":
            return arrays.samples_of_npz(path)
        case ".npy":
            return arrays.samples_of_npy(arrays.partners(path), where=path.parent)
        case ".pt" | ".pth":
            from kashika.load.samples.tensors import samples_of_tensors

            return samples_of_tensors(path)
        case _ if arrays.is_idx(path):
            return arrays.samples_of_idx([path])
        case suffix:
            raise LoadError("errors.dataset.kind", path=path, found=suffix or path.name)


def _of_directory(directory: Path, target: str | None) -> Content:
    """Read a folder by what lies in it, or in the folders of splits below it."""
    here = sorted(one for one in directory.iterdir() if not one.name.startswith((".", "__")))
    below = sorted(
        file
        for one in here
        if one.is_dir()
        for file in one.iterdir()
        if not file.name.startswith((".", "__"))
    )
    for files in (here, below):
        if found := [one for one in files if arrays.is_idx(one)]:
            return _without_target(arrays.samples_of_idx(found), target)
        if found := [one for one in files if one.suffix.lower() == ".npy"]:
            return _without_target(arrays.samples_of_npy(found, where=directory), target)
        if found := [one for one in files if one.suffix.lower() == ".npz"]:
            return _without_target(_only(found, directory), target)
    # Beside folders of images there often lies a table of the images.
    tabular = [one for one in here if tables.is_table(one)] or [
        one for one in below if tables.is_table(one)
    ]
    if tabular and (target is not None or not images.classes_in(directory)):
        return tables.samples_of_tables(tabular, target=target, where=directory)
    return _without_target(images.samples_of_images(directory), target)


def _only(files: Sequence[Path], directory: Path) -> Content:
    if len(files) > 1:
        names = listed(one.name for one in files)
        raise LoadError("errors.dataset.several", path=directory, names=names)
    return arrays.samples_of_npz(files[0])


def _without_target(content: Content, target: str | None) -> Content:
    samples, notes = content
    said = [] if target is None else [Sentence("notes.dataset.target", target=target)]
    return samples, [*notes, *said]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a word that can be no path: too long, or with a NUL in it
        return False
