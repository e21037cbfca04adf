"""Labels as people have them -> class numbers, understood once for all splits of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from kashika.distribution import Array
from kashika.errors import MismatchError
from kashika.naming import Split
from kashika.run import Arrays, Network, Samples
from kashika.task import are_shares
from kashika.texts import Sentence

IGNORED = -100
"""The label that PyTorch's losses leave out, unless told otherwise."""

_SEVERAL_OUTPUTS = (None, "cross_entropy", "nll_loss")
_ONE_OUTPUT = (None, "binary_cross_entropy", "binary_cross_entropy_with_logits")
_SHOWN = 20

Targets = Mapping[Split, Array]


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The targets of a run, as its loss takes them.

    Attributes
    ----------
    targets : {split: (kept, …)} class numbers as int64, or the values of a regression
    kept : {split: (n,) bool}, which samples have a label
    names : of the classes 0, 1, …; empty where they have none
    notes : what was changed, with counts
    """

    targets: Targets
    kept: Targets
    names: tuple[str, ...]
    notes: tuple[Sentence, ...]


def relabelled(
    samples: Mapping[Split, Samples], *, outputs: int | None, loss: str | None = None
) -> tuple[dict[Split, Samples], list[Sentence]]:
    """Understand the labels of all splits that lie in memory; streamed ones stay as they are.

    Parameters
    ----------
    outputs, loss : as `understood` takes them

    Raises
    ------
    MismatchError
        If there are more names of classes than outputs, or a split has no label at all.
    """
    held = {split: one for split, one in samples.items() if isinstance(one, Arrays)}
    # The labels of a streamed split are not known, so those of the others keep their numbers.
    found = understood(
        {split: one.targets for split, one in held.items()},
        outputs=outputs if len(held) == len(samples) else None,
        loss=loss,
    )
    known = (getattr(one, "class_names", ()) for one in samples.values())
    names = found.names or next(filter(None, known), ())
    notes = [*found.notes, *_against(names, outputs)]
    new: dict[Split, Samples] = {
        split: replace(
            one if (kept := found.kept[split]).all() else one.at(kept),
            targets=found.targets[split],
            class_names=names,
        )
        for split, one in held.items()
    }
    return {split: new.get(split, one) for split, one in samples.items()}, notes


def outputs_of(network: Network, samples: Mapping[Split, Samples]) -> int | None:
    """Ask the network for one sample, and return how many outputs it has.

    Returns
    -------
    None where every split is streamed, or the network does not take the sample, which its
    observation will say.
    """
    held = next((one for one in samples.values() if hasattr(one, "class_names")), None)
    if held is None:
        return None
    inputs, _ = next(held.batches(1))
    try:
        return int(np.prod(network.predict(inputs).shape[1:]))
    except Exception:  # noqa: BLE001  the user's network may raise anything
        return None


def understood(targets: Targets, *, outputs: int | None, loss: str | None = None) -> Labels:
    """Turn words, signs, gaps and one-hot rows into class numbers from 0, the same in all splits.

    Words become classes whatever else is known. Numbers are touched only where the outputs and
    the loss say that they stand for classes, and only where one reading is possible: labels from
    1 to the number of outputs stay as they are, and are an error where they are used.

    Parameters
    ----------
    targets : {split: (n,), (n, 1) or (n, outputs)} numbers, or words with "" for a missing one
    outputs : of the network; None if they are not known
    loss : name as in `torch.nn.functional`; None if it is found from the outputs

    Raises
    ------
    MismatchError
        If a split has no label at all.
    """
    classifies = outputs is not None and (
        loss in (_ONE_OUTPUT if outputs == 1 else _SEVERAL_OUTPUTS)
    )
    kept = {split: _labelled(one, classifies=classifies) for split, one in targets.items()}
    left, notes = _kept(targets, kept)
    found: Targets
    found, names, said = _words_as_classes(left)
    notes += said
    if classifies and outputs is not None:
        # Rows of probabilities stay as they are: outputs and loss tell what they stand for.
        shares = {s: one for s, one in found.items() if _soft(one, outputs)}
        found = {s: one for s, one in found.items() if s not in shares}
        for step in (_one_hot, _one_column, _signs, _without_gaps, _cast):
            found, said = step(found, outputs) if found else (found, [])
            notes += said
        found = {split: {**found, **shares}[split] for split in targets}
    return Labels(found, kept, names, tuple(notes))


# --- samples without a label ---------------------------------------------------------------------


def _labelled(targets: Array, *, classifies: bool) -> Array:
    """Return the (n,) samples that have a label: a word, and no -100 beside class numbers."""
    if targets.dtype.kind == "U":
        return np.asarray((targets != "").reshape(len(targets), -1).all(axis=1))
    flat = targets.reshape(len(targets), -1)
    if classifies and flat.shape[1] == 1:
        ignored = np.asarray(flat[:, 0] == IGNORED)
        if ignored.any() and (flat[~ignored] >= 0).all():
            return np.asarray(~ignored)
    return np.ones(len(targets), dtype=bool)


def _kept(targets: Targets, kept: Targets) -> tuple[dict[Split, Array], list[Sentence]]:
    notes = []
    for split, one in targets.items():
        count = int((~kept[split]).sum())
        if count == len(one):
            raise MismatchError("errors.labels.none", split=split, count=count)
        if count and one.dtype.kind == "U":
            notes.append(Sentence("notes.labels.missing", split=split, count=count))
        elif count:
            notes.append(Sentence("notes.labels.ignored", split=split, count=count))
    return {split: one[kept[split]] for split, one in targets.items()}, notes


# --- words ---------------------------------------------------------------------------------------


def _words_as_classes(
    targets: Targets,
) -> tuple[dict[Split, Array], tuple[str, ...], list[Sentence]]:
    words = {split: one for split, one in targets.items() if one.dtype.kind == "U"}
    if not words:
        return dict(targets), (), []
    if len(words) < len(targets):
        other = next(split for split in targets if split not in words)
        raise MismatchError(
            "errors.labels.mixed", split=other, found=targets[other].dtype, words=next(iter(words))
        )
    # A data frame pads its words, and a CSV does so here and there.
    clean = {split: np.char.strip(one) for split, one in words.items()}
    names = sorted({str(word) for one in clean.values() for word in np.unique(one)}, key=_order)
    known = np.array(sorted(names))
    place = np.array([names.index(word) for word in known], dtype=np.int64)
    numbers = {split: place[np.searchsorted(known, one)] for split, one in clean.items()}
    shown = _pairs((str(index), name) for index, name in enumerate(names))
    return numbers, tuple(names), [Sentence("notes.labels.words", names=shown)]


def _order(word: str) -> tuple[int, float, str]:
    """Sort numbers that were read as words by their value, and words as `sorted` does."""
    return (0, int(word), word) if word.isdecimal() and len(word) < 16 else (1, 0, word)


def _against(names: tuple[str, ...], outputs: int | None) -> list[Sentence]:
    """Compare the names of the classes with the outputs."""
    room = 2 if outputs == 1 else outputs
    if room is None or not names or len(names) == room:
        return []
    if len(names) > room:
        shown = ", ".join(names[:_SHOWN])
        raise MismatchError(
            "errors.labels.names", outputs=outputs, room=room, count=len(names), names=shown
        )
    return [Sentence("notes.labels.fewer", count=len(names), outputs=outputs)]


# --- numbers -------------------------------------------------------------------------------------


def _one_hot(targets: Targets, outputs: int) -> tuple[Targets, list[Sentence]]:
    columns = max(outputs, 2)  # one output may have been trained on two columns
    if not all(
        one.ndim == 2
        and one.shape[1] == columns
        and np.isin(one, (0, 1)).all()
        and (one.sum(axis=1) == 1).all()
        for one in targets.values()
    ):
        return targets, []
    note = Sentence("notes.labels.one_hot", count=_count(targets), columns=columns)
    return {split: one.argmax(axis=1) for split, one in targets.items()}, [note]


def _soft(targets: Array, outputs: int) -> bool:
    """Tell rows of probabilities, as smoothing and mixing make them, from one-hot rows."""
    return are_shares(targets, classes=outputs) and not np.isin(targets, (0, 1)).all()


def _one_column(targets: Targets, outputs: int) -> tuple[Targets, list[Sentence]]:
    """Flatten (n, 1); one output takes its targets in either form."""
    deep = {split: one for split, one in targets.items() if one.ndim > 1 and one.size == len(one)}
    if outputs == 1 or not deep or not all(map(_whole, targets.values())):
        return targets, []
    shape = next(iter(deep.values())).shape
    note = Sentence("notes.labels.column", count=_count(deep), shape=shape)
    return {**targets, **{split: one.reshape(-1) for split, one in deep.items()}}, [note]


def _signs(targets: Targets, outputs: int) -> tuple[Targets, list[Sentence]]:
    values = _values(targets)
    if values is None or outputs > 2 or -1 not in values or not set(values) <= {-1, 1}:
        return targets, []
    note = Sentence("notes.labels.signs", count=_count(targets))
    return {split: (one > 0).astype(one.dtype) for split, one in targets.items()}, [note]


def _without_gaps(targets: Targets, outputs: int) -> tuple[Targets, list[Sentence]]:
    """Number in order as many values as there are outputs, where they are not 0, 1, … already."""
    values = _values(targets)
    if values is None or outputs < 2 or len(values) != outputs:
        return targets, []
    # From 1 to the number of outputs is a mistake about where counting starts, and may be one
    # of the training as well: it is an error, not a repair.
    if values[0] in (0, 1) and values[-1] == values[0] + outputs - 1:
        return targets, []
    pairs = _pairs((f"{value:g}", str(index)) for index, value in enumerate(values))
    note = Sentence("notes.labels.gaps", count=_count(targets), pairs=pairs)
    known = np.asarray(values)
    return {split: np.searchsorted(known, one) for split, one in targets.items()}, [note]


def _cast(targets: Targets, outputs: int) -> tuple[Targets, list[Sentence]]:
    """Give class numbers the type that the loss takes, and say it."""
    values = _values(targets)
    if values is None:
        return targets, []
    if outputs == 1:  # the loss itself turns them into floats in the shape of the output
        odd = {s: one for s, one in targets.items() if one.dtype.kind != "f" or one.ndim == 1}
        if not odd or not set(values) <= {0, 1}:
            return targets, []
        one = next(iter(odd.values()))
        note = Sentence(
            "notes.labels.binary", count=_count(odd), found=one.dtype, shape=one.shape
        )  # fmt: skip
        return targets, [note]
    odd = {split: one for split, one in targets.items() if one.dtype != np.int64}
    types = ", ".join(sorted({str(one.dtype) for one in odd.values()}))
    notes = [Sentence("notes.labels.cast", count=_count(odd), found=types)] if odd else []
    return {split: one.astype(np.int64) for split, one in targets.items()}, notes


def _values(targets: Targets) -> list[float] | None:
    """Return the different values of all splits, in order; None if they are no class numbers."""
    flat = [one for one in targets.values() if one.size == len(one) and _whole(one)]
    if len(flat) < len(targets):
        return None
    return [float(one) for one in np.unique(np.concatenate([one.reshape(-1) for one in flat]))]


def _whole(targets: Array) -> bool:
    if targets.dtype.kind in "iub":
        return True
    # One after the other: the floor of a NaN that signals is a warning.
    return bool(np.isfinite(targets).all() and (targets == np.floor(targets)).all())


def _count(targets: Targets) -> int:
    return sum(map(len, targets.values()))


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    said = [f"{first} = {second}" for first, second in pairs]
    return ", ".join(said if len(said) <= _SHOWN else [*said[:_SHOWN], f"… ({len(said)})"])
