"""Folders of images, one for each class, read batch by batch."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kashika.distribution import Array, IntArray
from kashika.errors import LoadError, listed, one_line
from kashika.load.samples.content import Content
from kashika.load.samples.roles import split_called, splits_called
from kashika.naming import SPLITS, Split
from kashika.run import Samples
from kashika.texts import Sentence

_ENDINGS = {
    ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm"
}  # fmt: skip
_GREY = {"1": "L", "L": "L", "I;16": "I;16", "I;16B": "I;16", "LA": "L"}


@dataclass(frozen=True, slots=True, eq=False)
class ImageFiles:
    """One split as files of images of one size, never held in memory whole.

    Attributes
    ----------
    paths : (n,) in the order of the classes
    targets : (n,) int, the class of each
    class_names : of the classes 0, 1, …
    mode : of Pillow, to which every image is converted
    """

    paths: tuple[Path, ...]
    targets: IntArray
    class_names: tuple[str, ...]
    mode: str

    def __len__(self) -> int:
        return len(self.paths)

    def batches(self, size: int) -> Iterator[tuple[Array, Array]]:
        """Give (n, channels, height, width) float32 images from 0 to 1, and their classes."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            images = [_pixels(path, mode=self.mode) for path in self.paths[part]]
            yield np.stack(images), self.targets[part]


def classes_in(directory: Path) -> dict[str, list[Path]]:
    """Return the images in each folder below a directory, as {class: paths}, in order of name."""
    folders = sorted(one for one in _seen(directory) if one.is_dir())
    found = {
        one.name: sorted(path for path in one.rglob("*") if path.suffix.lower() in _ENDINGS)
        for one in folders
    }
    return {
        name: visible
        for name, paths in found.items()
        if (visible := [path for path in paths if not path.name.startswith(".")])
    }


def samples_of_images(directory: Path) -> Content:
    """Read folders of images: `cat/*.png`, or `train/cat/*.png` where there are splits.

    Classes are numbered in the order of their names, as torchvision's `ImageFolder` does.

    Raises
    ------
    LoadError
        If there are no images, they differ in size, or a folder among splits is none.
    """
    by_split, notes = _by_split(directory)
    names = tuple(sorted({name for classes in by_split.values() for name in classes}))
    if not names:
        raise LoadError("errors.dataset.directory", path=directory)
    if all(map(split_called, names)):
        raise LoadError("errors.dataset.classless", path=directory, found=listed(names))
    looked = _looked_at(
        path for one in by_split.values() for paths in one.values() for path in paths
    )
    _one_size([size for size, _ in looked.sizes.values()], directory=directory)
    mode = _mode({mode for _, mode in looked.sizes.values()})
    samples: dict[Split, Samples] = {}
    for split in SPLITS:
        pairs = [
            (path, names.index(name))
            for name, paths in by_split.get(split, {}).items()
            for path in paths
            if path in looked.sizes
        ]
        if pairs:
            paths, targets = zip(*pairs, strict=True)
            samples[split] = ImageFiles(paths, np.array(targets, dtype=np.int64), names, mode)
    return samples, [*notes, *_said(looked, names, mode, directory=directory)]


def _by_split(
    directory: Path,
) -> tuple[dict[Split, dict[str, list[Path]]], list[Sentence]]:
    """Return the images by split and class."""
    folders = [one for one in sorted(_seen(directory)) if one.is_dir()]
    inside = {one.name: classes for one in folders if (classes := classes_in(one))}
    if any(map(split_called, inside)):
        called = splits_called(inside, where=directory)
        return {called[name]: classes for name, classes in inside.items()}, []
    if (split := split_called(directory.resolve().name)) is not None:
        return {split: classes_in(directory)}, []
    note = Sentence("notes.dataset.folder", path=directory)
    return {"test": classes_in(directory)}, [note]


def _said(
    looked: _Looked, names: Sequence[str], mode: str, *, directory: Path
) -> Iterator[Sentence]:
    """Say what the images are, and what was done to them."""
    (width, height), _ = next(iter(looked.sizes.values()))
    shape = (3 if mode == "RGB" else 1, height, width)
    shown = listed((f"{index} = {name}" for index, name in enumerate(names)), most=20)
    yield Sentence(
        "notes.dataset.images", path=directory, count=len(looked.sizes), shape=shape, names=shown
    )
    modes = Counter(mode for _, mode in looked.sizes.values())
    if set(modes) != {mode}:
        kinds = listed(f"{name}: {count}" for name, count in modes.items())
        yield Sentence("notes.dataset.modes", path=directory, modes=kinds, mode=mode)
    if looked.damaged:
        first = looked.damaged[0].relative_to(directory)
        count = len(looked.damaged)
        yield Sentence("notes.dataset.damaged", path=directory, count=count, first=first)


def _seen(directory: Path) -> Iterator[Path]:
    return (one for one in directory.iterdir() if not one.name.startswith((".", "__")))


@dataclass(frozen=True, slots=True)
class _Looked:
    """What the headers say: {path: ((width, height), mode)}, and the files that are no images."""

    sizes: dict[Path, tuple[tuple[int, int], str]]
    damaged: list[Path]


def _looked_at(paths: Iterable[Path]) -> _Looked:
    from PIL import Image

    looked = _Looked({}, [])
    for path in paths:
        try:
            with warnings.catch_warnings(action="error"), Image.open(path) as image:
                looked.sizes[path] = image.size, image.mode
        except Exception:  # noqa: BLE001  Pillow raises many types, one for far too many pixels
            looked.damaged.append(path)
    return looked


def _one_size(sizes: Sequence[tuple[int, int]], *, directory: Path) -> None:
    counts = Counter(sizes)
    if len(counts) != 1:
        common = counts.most_common(5)
        found = listed(f"{width}x{height} ({count})" for (width, height), count in common)
        raise LoadError(
            "errors.dataset.sizes", path=directory, count=len(counts), found=found or "-"
        )


def _mode(modes: set[str]) -> str:
    """Return what all images are converted to: grey stays grey, everything else becomes RGB."""
    grey = {_GREY.get(mode, "RGB") for mode in modes}
    return grey.pop() if len(grey) == 1 else "RGB"


def _pixels(path: Path, *, mode: str) -> Array:
    """Return one image as (channels, height, width) float32 from 0 to 1."""
    from PIL import Image

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            values = np.asarray(image if mode == "I;16" else image.convert(mode))
    except Exception as error:  # Pillow raises many types for damaged files
        raise LoadError("errors.dataset.damaged", path=path, error=one_line(error)) from error
    scaled = values.astype(np.float32) / np.float32(65_535 if mode == "I;16" else 255)
    return scaled[None] if scaled.ndim == 2 else np.moveaxis(scaled, -1, 0)
