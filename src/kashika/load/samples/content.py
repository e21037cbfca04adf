"""What a function, a notebook or a saved object gives -> samples by split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from kashika.errors import LoadError, MismatchError
from kashika.load.samples.forms import (
    are_batches,
    are_samples,
    gives_batches,
    is_dataset,
    shape_of,
    target_among_arguments,
)
from kashika.load.samples.roles import Role, paired, role_of, splits_called
from kashika.naming import SPLITS, Split
from kashika.run import Arrays, Samples
from kashika.texts import Sentence

Content = tuple[dict[Split, Samples], list[Sentence]]


def samples_of_content(content: object, *, name: str) -> Content:
    """Take samples in any form in which people hand them on, and say how they were understood.

    A mapping from split to what `samples_of` takes; a mapping with names such as X_train, or from
    the arguments of a network; (X, y) alone; ((X, y), (X, y)) as Keras gives them; the parts as
    scikit-learn's `train_test_split` gives them, in either order; data sets or batches alone.

    Parameters
    ----------
    name : what the user calls it, for messages

    Raises
    ------
    LoadError
        If it is nothing of the kind, or names splits that there are not.
    MismatchError
        If the parts do not fit each other.
    """
    if isinstance(content, Mapping) and content:
        return _of_mapping({str(key): value for key, value in content.items()}, name=name)
    if is_dataset(content) or gives_batches(content):
        note = Sentence("notes.dataset.whole", name=name)
        return {"test": samples_of(content, split="test")}, [note]
    if isinstance(content, tuple | list) and len(content) > 1:
        return _of_sequence(list(content), name=name)
    raise LoadError("errors.data", name=name, found=type(content).__name__)


def samples_of(value: object, *, split: Split) -> Samples:
    """Take what people hand on as the samples of a split.

    (X, y), where X may be a tuple of several inputs or a mapping from argument to input;
    {"X": …, "y": …}, or a mapping from argument to input with the targets among them under one of
    the names in `TARGETS`; a `Dataset` or `DataLoader`; a list of batches or of samples, or
    anything else that gives batches.

    Raises
    ------
    MismatchError
        If it is none of them, or its parts do not fit.
    """
    if isinstance(value, Mapping) and value:
        parts = {str(key): one for key, one in value.items()}
        if (target := target_among_arguments(parts)) is not None:
            inputs = {key: one for key, one in parts.items() if key != target}
            return Arrays.of(inputs, parts[target], split=split)
        pairs, _ = paired(parts, where=split)
        value = next(iter(pairs.values()))
    several = are_samples(value)
    if isinstance(value, tuple | list) and len(value) == 2 and not several:
        return Arrays.of(value[0], value[1], split=split)
    if several or is_dataset(value) or gives_batches(value):
        from kashika.torch_network.samples import Batches, TorchSamples

        if gives_batches(value) or are_batches(value):
            return Batches(value, split)  # type: ignore[arg-type]
        return TorchSamples.of(value, split=split)  # type: ignore[arg-type]
    raise MismatchError("errors.samples", split=split, found=type(value).__name__)


def _of_mapping(content: Mapping[str, object], *, name: str) -> Content:
    """Take a mapping by its keys: splits, or the parts of them such as X_train."""
    roles = [role_of(key) for key in content]
    if any(role is not None and role[0] == "inputs" for role in roles):
        pairs, notes = paired(content, where=f"--data {name}")
        return {split: Arrays.of(x, y, split=split) for split, (x, y) in pairs.items()}, notes
    if target_among_arguments(content) is not None:
        note = Sentence("notes.dataset.whole", name=name)
        return {"test": samples_of(content, split="test")}, [note]
    called = splits_called(content, where=f"--data {name}")
    order = sorted(called, key=lambda key: SPLITS.index(called[key]))
    return {called[key]: samples_of(content[key], split=called[key]) for key in order}, []


def _of_sequence(parts: list[object], *, name: str) -> Content:
    """Take two parts or more in the orders that Keras, scikit-learn and loaders have made usual."""
    splits = _SPLITS_OF.get(len(parts))
    if splits and (all(map(is_dataset, parts)) or all(map(_is_pair, parts))):
        names = ", ".join(splits)
        return (
            {
                split: samples_of(part, split=split)
                for split, part in zip(splits, parts, strict=True)
            },
            [Sentence("notes.dataset.in_order", name=name, splits=names)],
        )
    if len(parts) == 2 or are_samples(parts):
        note = Sentence("notes.dataset.whole", name=name)
        return {"test": samples_of(parts, split="test")}, [note]
    splits = _SPLITS_OF.get(len(parts) // 2)
    if splits is None or len(parts) % 2:
        raise LoadError("errors.data", name=name, found=f"{len(parts)} parts")
    order = _order(parts, name=name)
    said = {"inputs": "X", "targets": "y"}
    words = ", ".join(f"{said[role]}_{split}" for role, split in order)
    place = dict(zip(order, parts, strict=True))
    return (
        {
            split: Arrays.of(place["inputs", split], place["targets", split], split=split)
            for split in splits
        },
        [Sentence("notes.dataset.in_order", name=name, splits=words)],
    )


_SPLITS_OF: dict[int, tuple[Split, ...]] = {2: ("train", "test"), 3: SPLITS}


def _order(parts: Sequence[object], *, name: str) -> list[tuple[Role, Split]]:
    """Find out which part is what: pair by pair, or all inputs before all targets."""
    splits = _SPLITS_OF[len(parts) // 2]
    roles: tuple[Role, Role] = ("inputs", "targets")
    by_pairs = [(role, split) for split, role in product(splits, roles)]
    by_roles = [(role, split) for role, split in product(roles, splits)]
    shapes = [shape_of(one) for one in parts]
    fitting = [order for order in (by_pairs, by_roles) if _fit(order, shapes)]
    if len(fitting) != 1:
        raise LoadError("errors.dataset.order", name=name, shapes=", ".join(map(str, shapes)))
    return fitting[0]


def _fit(order: Sequence[tuple[Role, Split]], shapes: Sequence[tuple[int, ...]]) -> bool:
    """Tell whether in this order lengths belong together, and inputs have more to them."""
    by = dict(zip(order, shapes, strict=True))
    splits = dict.fromkeys(split for _, split in order)
    inputs = [by["inputs", split] for split in splits]
    targets = [by["targets", split] for split in splits]
    return (
        all(x and y and x[0] == y[0] for x, y in zip(inputs, targets, strict=True))
        and len({x[1:] for x in inputs}) == 1
        and len({y[1:] for y in targets}) == 1
        and len(inputs[0]) >= len(targets[0])
    )


def _is_pair(value: object) -> bool:
    """Tell (X, y) from a list with two rows of numbers in it."""
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(hasattr(part, "shape") or isinstance(part, list) for part in value)
        and any(len(shape_of(part)) > 0 for part in value)
        and len(shape_of(value[0])) > 1
        and len(shape_of(value[1])) > 0
    )
