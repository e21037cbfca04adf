"""Which of the dictionaries in a file are sets of weights, and which of them is meant."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from kashika.load.checkpoints.entry import Entry, of_array
from kashika.load.pickles import Thing

_DEPTH = 6
_FOLDS = 100
_SHARED = 100  # so often one layer may stand in a network
_BEST = (
    "state_dict", "model_state_dict", "model_state", "model", "net", "network", "module", "weights",
)  # fmt: skip
_AVERAGED = re.compile(r"ema|averag|swa|shadow|teacher|target|best", re.IGNORECASE)
_NO_WEIGHTS = re.compile(
    r"optim(?!al)|^opt$|sched|scaler|callback|loops|rng|random_state|hyper|config|args|history"
    r"|metrics?$|log(s|ged)?$|loss(es)?$",
    re.IGNORECASE,
)
_PARTS = ("_parameters", "_buffers", "_modules")
_PLAIN = (bool, int, float, str, list, dict, np.ndarray, type(None))
_OF_OPTIMISERS = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg"}


@dataclass(frozen=True, slots=True, eq=False)
class WeightSet:
    """One set of weights in a file.

    Attributes
    ----------
    key : where it stands, "model" or "model.encoder"; "" for the file itself
    tensors : {name: tensor}
    skipped : names of what stands among them and is no tensor
    whole : the network that was saved as an object; None if it was none
    """

    key: str
    tensors: Mapping[str, Entry]
    skipped: tuple[str, ...] = ()
    whole: Thing | None = None


def weight_sets(value: object) -> list[WeightSet]:
    """Return the sets of weights in a tree of values, the likeliest first."""
    found = list(_sets(value, (), set(), arrays=False))
    found = found or list(_sets(value, (), set(), arrays=True))
    order = sorted(range(len(found)), key=lambda k: (*_rank(found[k]), k))
    return [found[k] for k in order]


def mapping_of(value: object) -> Mapping[object, object] | None:
    """Return a dictionary: itself, what an object derived from one holds, or its attributes."""
    if isinstance(value, dict):
        return value
    if isinstance(value, Thing):
        return value.entries or value.attributes
    return None


def is_optimiser(value: object) -> bool:
    """Tell whether a value is the state of an optimiser."""
    inner = mapping_of(value) or {}
    if "param_groups" in inner:
        return True
    first = next((mapping_of(one) for one in inner.values()), None) or {}
    return not _OF_OPTIMISERS.isdisjoint(map(str, (*inner, *first)))


def is_of_torch(value: object) -> bool:
    """Tell whether an object and all that is in it are layers of PyTorch with plain settings."""
    waiting, seen = [value], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if not isinstance(one, Thing) or not _is_layer(one):
            return False
        waiting += (mapping_of(one.attributes["_modules"]) or {}).values()
    return True


def _is_layer(thing: Thing) -> bool:
    own = thing.attributes
    return (
        thing.name.startswith("torch.nn.modules.")
        and not thing.arguments
        and all(isinstance(own.get(part), dict) for part in _PARTS)
        and all(_is_setting(one) for key, one in own.items() if key not in _PARTS)
    )


def _is_setting(value: object) -> bool:
    match value:
        case None | bool() | int() | float() | str():
            return True
        case list() | tuple() | set():
            return all(isinstance(one, bool | int | float | str | None) for one in value)
        case dict():
            return not value  # hooks: where there are any, they are code
        case _:
            return False


def _sets(
    value: object, place: tuple[str, ...], seen: set[int], *, arrays: bool
) -> Iterator[WeightSet]:
    inner = mapping_of(value)
    if isinstance(value, list) and len(value) <= _FOLDS and all(map(mapping_of, value)):
        inner = dict(enumerate(value))  # the networks of an ensemble, or of a cross-validation
    if inner is None or len(place) > _DEPTH or id(value) in seen or is_optimiser(value):
        return
    seen.add(id(value))
    if isinstance(value, Thing) and "_modules" in value.attributes:
        yield WeightSet(".".join(place), dict(_of_module(value, "", Counter())), (), value)
        return
    deeper = [
        one
        for key, part in inner.items()
        if not _NO_WEIGHTS.search(str(key))
        for one in _sets(part, (*place, str(key)), seen, arrays=arrays)
    ]
    own = _direct(inner, arrays=arrays)
    named = any("." in name or name.endswith(("weight", "bias")) for name in own)
    if any(one.shape and one.is_real for one in own.values()) and (named or not deeper):
        # At the top, plain values are no part of the weights; they are shown beside them.
        skipped = [
            str(key)
            for key, one in inner.items()
            if not _tensors(key, one, arrays=arrays) and (place or not isinstance(one, _PLAIN))
        ]
        yield WeightSet(".".join(place), own, tuple(skipped))
    elif place and len(deeper) > 1 and all(one.key.count(".") == len(place) for one in deeper):
        # One network in parts, {"model": {"encoder": …, "decoder": …}}: the whole comes first.
        start = len(".".join(place)) + 1
        parts = {f"{d.key[start:]}.{name}": one for d in deeper for name, one in d.tensors.items()}
        yield WeightSet(".".join(place), parts)
    yield from deeper


def _direct(inner: Mapping[object, object], *, arrays: bool) -> dict[str, Entry]:
    return {
        name: one
        for key, value in inner.items()
        for name, one in _tensors(key, value, arrays=arrays)
    }


def _tensors(key: object, value: object, *, arrays: bool) -> list[tuple[str, Entry]]:
    """Return the tensors in an entry of a state_dict, with their names."""
    match value:
        case Entry():
            return [(str(key), value)]
        case np.ndarray() if arrays and value.dtype.kind in "fiubc":
            return [(str(key), of_array(value))]
        # A quantised layer holds its weight and its bias in one.
        case tuple() if str(key).endswith("_packed_params") and value:
            layer = str(key).removesuffix("_packed_params").removesuffix("_packed_params.")
            named = zip(("weight", "bias"), value, strict=False)
            return [(f"{layer}{name}", one) for name, one in named if isinstance(one, Entry)]
        case _:
            return []


def _of_module(value: object, prefix: str, visits: Counter[int]) -> Iterator[tuple[str, Entry]]:
    """Give the tensors of a network that was saved as an object, named as its state_dict does."""
    visits[id(value)] += 1
    if visits[id(value)] > _SHARED or prefix.count(".") > _SHARED:  # no network: it has no end
        return
    own = value.attributes if isinstance(value, Thing) else {}
    passing = own.get("_non_persistent_buffers_set")
    for kind in ("_parameters", "_buffers"):
        for name, one in (mapping_of(own.get(kind)) or {}).items():
            hidden = kind == "_buffers" and isinstance(passing, set) and name in passing
            if isinstance(one, Entry) and not hidden:
                yield f"{prefix}{name}", one
    for name, part in (mapping_of(own.get("_modules")) or {}).items():
        yield from _of_module(part, f"{prefix}{name}.", visits)


def _rank(one: WeightSet) -> tuple[bool, int, int, int]:
    """Put averaged weights behind trained ones, known names first, then the larger set."""
    last = one.key.rpartition(".")[2]
    name = next((k for k, best in enumerate(_BEST) if best in (one.key, last)), len(_BEST))
    numbers = sum(prod(tensor.shape) for tensor in one.tensors.values())
    return bool(_AVERAGED.search(one.key)), name, one.key.count("."), -numbers
