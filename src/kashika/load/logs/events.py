"""TensorBoard event files, without TensorBoard: every scalar; of other things their number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kashika.distribution import Array, FloatArray, IntArray
from kashika.errors import LoadError
from kashika.history import Series
from kashika.load.logs.logged import Logged
from kashika.load.logs.summaries import Values, values_in
from kashika.load.logs.tfrecords import Block, blocks, starts_with_record
from kashika.texts import Sentence

FORMAT = "TensorBoard events"

_NO_EVENTS = (".profile-empty", ".csv", ".json", ".png", ".tsv", ".txt", ".gz", ".zip")
_POINTER = b"version https://git-lfs"
_VERSION = b"brain.Event:"  # stands in the first record of each file

_COUNTED = {
    "histograms": "notes.log.events.histograms",
    "images": "notes.log.events.images",
    "audio": "notes.log.events.audio",
    "text": "notes.log.events.text",
    "others": "notes.log.events.others",
}
"""{kind of what is no scalar: how its number is said}."""

_Pieces = dict[str, list[tuple[IntArray, FloatArray]]]


def recognises(path: Path, head: bytes) -> bool:
    """Tell whether a file is an event file: by its name, since it may be empty, or its start."""
    named = ".tfevents" in path.name and not path.name.endswith(_NO_EVENTS)
    return named or _VERSION in head[:64]


def read(path: Path) -> Logged:
    """Read every scalar of an event file, under its tag; x is the step.

    Histograms, images and the like are counted. What is damaged is passed over, and that is said.

    Raises
    ------
    LoadError
        If it is no event file.
    """
    data, found = _content(path), _Found()
    for block in blocks(data):
        _add(found, data, block)
    series, notes = _series(found.scalars, path)
    return Logged(FORMAT, series, (*_damage(found, path), *notes, *_others(found.others, path)))


@dataclass(slots=True)
class _Found:
    """What was found so far.

    Attributes
    ----------
    records : number of records, without the one that says the version; None before the first
    scalars : {tag: [(steps, values), …]}
    others : {kind: {tag: how many}}
    damaged : [(number of the record, bytes)]
    cut : number of the record that the file ends in; None if it ends behind one
    """

    records: int | None = None
    scalars: _Pieces = field(default_factory=dict)
    others: dict[str, dict[str, int]] = field(default_factory=dict)
    damaged: list[tuple[int, int]] = field(default_factory=list)
    cut: int | None = None


def _content(path: Path) -> Array:
    try:
        with path.open("rb") as file:
            head = file.read(64)
        if head.startswith(_POINTER):
            raise LoadError("errors.log.pointer", path=path)
        if len(head) >= 12 and not starts_with_record(head) and _VERSION not in head:
            raise LoadError("errors.log.events.other", path=path, found=head[:20])
        return np.asarray(np.memmap(path, np.uint8, mode="r")) if head else np.empty(0, np.uint8)
    except OSError as error:
        raise LoadError("errors.system", path=path, error=error.strerror) from error


def _add(found: _Found, data: Array, block: Block) -> None:
    """Take over what stands in a block of records."""
    values = values_in(data, block.start, block.stop)
    sound = block.sound.copy()
    sound[values.broken] = False
    before = found.records
    if before is None:  # the record that says the version is number 0
        begins = sound.size and _VERSION in data[block.start[0] : block.stop[0]][:64].tobytes()
        before = -1 if begins else 0
    sizes = block.stop - block.start
    found.damaged += [(before + 1 + int(i), int(sizes[i])) for i in np.flatnonzero(~sound)]
    found.records = before + sound.size
    if block.cut:
        found.cut = found.records + 1
    elif block.lost:
        found.records += 1
        found.damaged.append((found.records, block.lost))
    _sort_in(found, values, np.flatnonzero(sound[values.event]))


def _sort_in(found: _Found, values: Values, places: IntArray) -> None:
    """Add the values at some places to those of the same tag."""
    scalar = values.kind[places] == "scalars"
    for tag, group in _groups(values.tag, places[scalar]):
        found.scalars.setdefault(tag, []).append((values.step[group], values.y[group]))
    for tag, group in _groups(values.tag, places[~scalar]):
        counts = found.others.setdefault(str(values.kind[group[0]]), {})
        counts[tag] = counts.get(tag, 0) + group.size


def _groups(tags: list[bytes], places: IntArray) -> Iterator[tuple[str, IntArray]]:
    """Give the places of each tag, in order."""
    numbers: dict[bytes, int] = {}
    which = np.array([numbers.setdefault(tags[i], len(numbers)) for i in places.tolist()], np.int64)
    order = np.argsort(which, kind="stable")
    ends = np.cumsum(np.bincount(which, minlength=len(numbers)))
    for tag, group in zip(numbers, np.split(places[order], ends[:-1]), strict=False):
        yield tag.decode(errors="replace"), group


def _series(scalars: _Pieces, path: Path) -> tuple[dict[str, Series], list[Sentence]]:
    """Put the pieces of each tag together, and leave out what is no curve."""
    series: dict[str, Series] = {}
    notes, stepless = [], []
    for tag, pieces in scalars.items():
        x, y = (np.concatenate(part) for part in zip(*pieces, strict=True))
        if tag == "hp_metric" and np.all(y == -1):
            notes.append(Sentence("notes.log.events.hp_metric", path=path, count=y.size))
        elif tag == "epoch":
            notes.append(Sentence("notes.log.events.epoch_tag", path=path, count=y.size))
        elif y.size > 1 and not x.any():
            series[tag] = Series(np.arange(1, y.size + 1), y, "row")
            stepless.append(f"{tag} ({y.size})")
        else:  # Keras's own callback counts epochs, and says so in the tag
            series[tag] = Series(x, y, "epoch" if tag.startswith("epoch_") else "step")
    if stepless:
        notes.append(Sentence("notes.log.events.no_steps", path=path, names=", ".join(stepless)))
    if not series:
        notes.append(Sentence("notes.log.events.no_scalars", path=path))
    return series, notes


def _damage(found: _Found, path: Path) -> list[Sentence]:
    """Say which records are damaged or cut."""
    records, notes = found.records or 0, []
    if found.damaged:
        first, lost = found.damaged[0][0], sum(size for _, size in found.damaged)
        places = len(found.damaged)
        notes.append(
            Sentence(
                "notes.log.events.damaged",
                path=path, count=places, first=first, bytes=lost,
                before=max(0, first - 1), after=records - max(0, first - 1) - places,
            )
        )  # fmt: skip
    if found.cut is not None:
        notes.append(Sentence("notes.log.events.cut", path=path, record=found.cut, before=records))
    return notes


def _others(others: Mapping[str, Mapping[str, int]], path: Path) -> list[Sentence]:
    """Count what is no scalar, by tag."""
    return [
        Sentence(
            _COUNTED[kind],
            path=path, count=sum(counts.values()), tags=_listed(counts),
        )
        for kind, counts in sorted(others.items())
    ]  # fmt: skip


def _listed(counts: Mapping[str, int], *, most: int = 5) -> str:
    said = [f"{tag} ({count})" for tag, count in counts.items()]
    return ", ".join(said if len(said) <= most else [*said[:most], f"… ({len(said)})"])
