"""What stands beside the weights in a checkpoint, as plain values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import PurePath

import numpy as np

from kashika.load.checkpoints.choosing import WeightSet, is_optimiser, mapping_of
from kashika.load.checkpoints.entry import Entry
from kashika.load.pickles import Thing
from kashika.texts import Sentence

_KEPT = 1_000_000  # values, over all; a file can name one list in itself a million times
_NUMBERS = 100_000  # in a tensor that is a list of numbers
_DEPTH = 12


def beside(value: object, sets: Collection[WeightSet]) -> dict[str, object]:
    """Return what a tree of values holds besides sets of weights.

    Parameters
    ----------
    sets : those in it, as `weight_sets` returns them

    Returns
    -------
    {name: numbers, text, lists, dictionaries}; short tensors become lists, others a description
    """
    inner = mapping_of(value) or {}
    taken = {one.key.partition(".")[0] for one in sets if one.key}
    at_top = next((one for one in sets if not one.key), None)
    if at_top is not None and at_top.whole:
        return {}
    plain = _Plain()
    return {
        str(key): plain.of(one)
        for key, one in inner.items()
        if str(key) not in taken and (at_top is None or str(key) not in at_top.tensors)
    }


@dataclass
class _Plain:
    """Turns values into plain ones, until there are too many."""

    left: int = _KEPT

    def of(self, value: object, depth: int = 0) -> object:
        self.left -= 1
        if self.left < 0 or depth > _DEPTH:
            return "…"
        if is_optimiser(value):
            count = _count(value)
            return Sentence("words.weights.optimiser", count=count)
        match value:
            case None | bool() | int() | float() | str():
                return value
            case list() | tuple() | set() | frozenset():
                return [self.of(one, depth + 1) for one in value]
            case dict():
                return {str(key): self.of(one, depth + 1) for key, one in value.items()}
            case Entry():
                return self._tensor(value)
            case np.ndarray():
                small = value.size <= _NUMBERS and value.dtype.kind in "fiubUS"
                return value.tolist() if small else f"{value.dtype} {value.shape}"
            case np.generic():
                return value.item()
            case PurePath():
                return str(value)
            case Thing():
                inner = mapping_of(value)
                if inner:
                    return self.of(dict(inner), depth + 1)
                held = value.items or list(value.arguments)
                return self.of(held, depth + 1) if value.items else _called(value.name, held)
            case _:
                return str(value)[:1_000]

    def _tensor(self, one: Entry) -> object:
        if len(one.shape) > 1 or prod(one.shape) > min(_NUMBERS, self.left) or not _is_plain(one):
            return f"{one.dtype} {one.shape}"
        self.left -= prod(one.shape)
        try:
            return one.read().tolist()
        except Exception:  # noqa: BLE001  it is only beside what was asked for
            return f"{one.dtype} {one.shape}"


def _is_plain(one: Entry) -> bool:
    return (
        one.dtype.startswith(("float", "bfloat", "int", "uint", "bool"))
        and "meta" not in one.locations
    )


def _count(value: object) -> int:
    """Count the tensors in a value, each once."""
    waiting, seen, count = [value], set(), 0
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        count += isinstance(one, Entry)
        waiting += one if isinstance(one, list | tuple) else (mapping_of(one) or {}).values()
    return count


def _called(name: str, arguments: list[object]) -> str:
    words = [str(one)[:80] for one in arguments[:4] if isinstance(one, bool | int | float | str)]
    return f"{name}({', '.join(words)})"


def saved_at(other: Mapping[str, object]) -> tuple[int | None, int | None]:
    """Return (epoch, step) of the training that a checkpoint was saved at, where it says so."""
    epoch, step = (
        next((int(one) for name in names if _is_whole(one := other.get(name))), None)  # type: ignore[call-overload]
        for names in (_EPOCH, _STEP)
    )
    return epoch, step


def _is_whole(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and float(value).is_integer()  # type: ignore[arg-type]


_EPOCH = ("epoch", "epochs", "current_epoch")
_STEP = ("global_step", "step", "steps", "iteration", "iter", "num_updates")
