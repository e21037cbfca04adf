"""A checkpoint as weights, read; or as a list of what stands in it, from its headers."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from kashika.errors import LoadError, one_line
from kashika.load.checkpoints.beside import beside
from kashika.load.checkpoints.choosing import (
    WeightSet,
    is_of_torch,
    is_optimiser,
    mapping_of,
    weight_sets,
)
from kashika.load.checkpoints.content import Content
from kashika.load.checkpoints.entry import Entry, Shape
from kashika.load.checkpoints.opening import opened
from kashika.load.pickles import Thing
from kashika.load.pickles.things import asked_for
from kashika.texts import Sentence

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """The weights in a file, and what stands beside them.

    Attributes
    ----------
    path : of the file or directory
    format : "PyTorch zip", "PyTorch legacy", "safetensors", "TorchScript", "torch.export", "DCP",
        "pickle" or "NumPy"
    state : {name as in the file: tensor}, on the CPU, in the file's own memory where possible
    chosen : key of the dictionary that they were taken from; "" if the file is that dictionary
    candidates : the keys of all sets of weights in the file, the chosen one first
    program : the network itself, where the file is a program that can be run
    other : {name: numbers, text, lists, dictionaries} beside the weights
    notes : every choice and repair
    """

    path: Path
    format: str
    state: Mapping[str, Tensor]
    chosen: str
    candidates: tuple[str, ...]
    program: nn.Module | None
    other: Mapping[str, object]
    notes: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """What stands in a checkpoint, from its headers.

    Attributes
    ----------
    format : as of `Weights`
    tensors : (name, shape, type) of each weight
    other, candidates, notes : as of `Weights`
    """

    format: str
    tensors: tuple[tuple[str, Shape, str], ...]
    other: Mapping[str, object]
    candidates: tuple[str, ...]
    notes: tuple[Sentence, ...]


def read(path: Path, *, weights: str | None = None, trust: bool = False) -> Weights:
    """Read the weights in a checkpoint, without running code that may be in it.

    Parameters
    ----------
    weights : which set of weights, where the file has several
    trust : run the code that the file asks for, if nothing can be read otherwise

    Raises
    ------
    LoadError
        If it is none, is damaged, or has no weights, or not those.
    """
    content = opened(path)
    sets = weight_sets(content.value)
    if trust and path.is_file() and (not sets or sets[0].whole):
        from kashika.load.checkpoints.trusted import trusted

        content = trusted(path, format=content.format)
    chosen, sets = _chosen(content, weights)
    state = _read(chosen, path)
    said = [*_said(content, chosen, sets), *_about(state), *_broken(content)]
    program, about = _program(content, chosen, state)
    return Weights(
        path=path,
        format=content.format,
        state=state,
        chosen=chosen.key,
        candidates=tuple(one.key for one in sets),
        program=program,
        other=beside(content.value, sets),
        notes=(*content.notes, *said, *about),
    )


def _read(chosen: WeightSet, path: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    with warnings.catch_warnings(action="ignore"):  # torch's own, of what is new or old in it
        for name, one in chosen.tensors.items():
            try:
                state[name] = one.read()
            except LoadError:
                raise
            except Exception as error:  # torch raises many types for what does not fit together
                found = f"{name}: {one_line(error)}"
                raise LoadError("errors.weights.damaged", path=path, error=found) from error
    return state


def contents(path: Path, *, weights: str | None = None) -> Contents:
    """List what stands in a checkpoint; no tensor is read.

    Raises
    ------
    LoadError
        If it is none, is damaged, or has no weights, or not those.
    """
    content = opened(path)
    chosen, sets = _chosen(content, weights)
    tensors = tuple((name, one.shape, one.dtype) for name, one in chosen.tensors.items())
    return Contents(
        format=content.format,
        tensors=tensors,
        other=beside(content.value, sets),
        candidates=tuple(one.key for one in sets),
        notes=(*content.notes, *_said(content, chosen, sets)),
    )


def _chosen(content: Content, wanted: str | None) -> tuple[WeightSet, list[WeightSet]]:
    sets = weight_sets(content.value)
    if not sets and content.program is not None:  # its numbers may be constants in its code
        sets = [WeightSet("", {})]
    if not sets:
        raise _without_weights(content)
    keys = [one.key for one in sets]
    if wanted is None:
        return sets[0], sets
    if wanted not in keys:
        named = ", ".join(key or '""' for key in keys)
        raise LoadError("errors.weights.key", path=content.path, key=wanted, names=named)
    place = keys.index(wanted)
    return sets[place], [sets[place], *sets[:place], *sets[place + 1 :]]


def _without_weights(content: Content) -> LoadError:
    path, value = content.path, content.value
    inner = mapping_of(value)
    things = [one for one in (inner or {}).values() if isinstance(one, Thing)]
    if isinstance(value, Thing) or (things and len(things) == len(inner or {})):
        whole = value if isinstance(value, Thing) else things[0]
        return LoadError("errors.weights.object", path=path, name=whole.name)
    if inner is not None and not inner:
        return LoadError("errors.weights.nothing", path=path)
    if inner is not None and (is_optimiser(value) or any(map(is_optimiser, inner.values()))):
        return LoadError("errors.weights.optimiser", path=path, names=_listed(map(str, inner)))
    kind = "Tensor" if isinstance(value, Entry) else type(value).__name__
    found = _listed(map(str, inner)) if inner else kind
    return LoadError("errors.weights.none", path=path, found=found)


def _said(content: Content, chosen: WeightSet, sets: Sequence[WeightSet]) -> Iterator[Sentence]:
    """Say what was chosen and what was seen in a file's headers."""
    if len(sets) > 1:
        others = ", ".join(one.key or '""' for one in sets if one is not chosen)
        yield Sentence(
            "notes.weights.candidates", count=len(sets), chosen=chosen.key or '""', others=others
        )
    if chosen.whole and content.program is None:
        if is_of_torch(chosen.whole):
            yield Sentence("notes.weights.rebuilt", name=chosen.whole.name)
        else:
            yield Sentence("notes.weights.object", name=chosen.whole.name)
    elif content.program is None and (asked := asked_for(content.value)):
        yield Sentence("notes.weights.asked_for", names=_listed(asked))
    if chosen.skipped:
        names = _listed(chosen.skipped)
        yield Sentence("notes.weights.no_tensors", count=len(chosen.skipped), names=names)
    places = {p for one in chosen.tensors.values() for p in one.locations} - {"cpu", "meta"}
    if places:
        yield Sentence("notes.weights.device", devices=", ".join(sorted(places)))
    unread = [n for n, one in chosen.tensors.items() if not one.is_real and prod(one.shape) > 1]
    if unread:
        yield Sentence("notes.weights.left_out", count=len(unread), names=_listed(unread))
    scaled = [n for n in chosen.tensors if n.endswith(("_scale_inv", "weight_scale"))]
    if scaled and any(one.dtype.startswith("float8") for one in chosen.tensors.values()):
        yield Sentence("notes.weights.scales", count=len(scaled), names=_listed(scaled))


def _about(state: Mapping[str, Tensor]) -> Iterator[Sentence]:
    """Say what was seen when the numbers were read."""
    first: dict[object, str] = {}
    tied = []
    for name, one in state.items():
        if one.is_meta or not one.numel() or str(one.layout) != "torch.strided":
            continue
        place = (one.data_ptr(), one.shape, one.stride())
        if place in first:
            tied.append(f"{name} = {first[place]}")
        first.setdefault(place, name)
    if tied:
        yield Sentence("notes.weights.tied", count=len(tied), names=_listed(tied))


def _broken(content: Content) -> Iterator[Sentence]:
    broken = content.broken()
    if broken:
        yield Sentence("notes.weights.checksum", count=len(broken), names=_listed(broken))


def _program(
    content: Content, chosen: WeightSet, state: Mapping[str, Tensor]
) -> tuple[nn.Module | None, tuple[Sentence, ...]]:
    """Return the network that the file is, if it is one that can be run, and what is to be said."""
    load = content.program
    if load is None and chosen.whole and is_of_torch(chosen.whole):
        from kashika.load.checkpoints.rebuilt import rebuilt

        load = partial(rebuilt, chosen.whole, state)
    if load is None:
        return None, ()
    # Not what is damaged: it would be read by code that trusts it.
    for name in content.broken():
        return None, (Sentence("notes.weights.no_program", error=name),)
    try:
        closed = content.format in ("TorchScript", "torch.export")
        said = (Sentence("notes.weights.program", format=content.format),) if closed else ()
        return load(), said
    except Exception as error:  # noqa: BLE001  the weights can be looked at without it
        return None, (Sentence("notes.weights.no_program", error=one_line(error)),)


def _listed(names: Iterable[str], *, most: int = 12) -> str:
    every = list(names)
    return ", ".join(every if len(every) <= most else [*every[:most], f"… ({len(every)})"])
