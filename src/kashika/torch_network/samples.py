"""Samples out of a torch `Dataset` or `DataLoader`, or out of batches, one batch at a time."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    default_collate,
)  # fmt: skip

from kashika.distribution import Array
from kashika.errors import MismatchError
from kashika.run import TARGETS, Inputs, as_array
from kashika.texts import Sentence
from kashika.torch_network.reading import Collating, Row, Rows
from kashika.torch_network.untouched import untouched

_PATIENCE = 64  # samples at the start that cannot be read, before the data set is given up


@dataclass(frozen=True, slots=True, eq=False)
class TorchSamples:
    """One split as a `Dataset`, never held in memory whole.

    A batch is (input, target), (input, input, …, target), a mapping with the targets under one of
    the names in `TARGETS`, or inputs alone, which then are their own targets, as for an
    autoencoder.

    A `DataLoader` is read through its data set, in order and to the last sample: its shuffling
    belongs to the training, and its random state stays as it is. Where its sampler draws from a
    part of the data set only, that part is read; where it draws some samples more often than
    others, each is read once. The batches of a batch sampler of the user's own stay together, for
    other samples may not go into one batch. Samples that cannot be collated in larger batches are
    in those of the loader's own size, or one by one, and one that cannot be read is left out. A
    data set that is a stream is read as it comes.

    Attributes
    ----------
    own : samples in a batch of the loader
    groups : the batches that a batch sampler of the user's own has drawn; None without one
    ready : whether the data set gives whole batches: one for each of `groups`, where there are any
    said : what was made of the sampler
    lost : {number of a sample: why it could not be read}, filled while batches are read
    """

    dataset: Dataset[Any]
    split: str
    collate: Any = None
    workers: int = 0
    own: int = 1
    groups: Sequence[Sequence[Any]] | None = None
    ready: bool = False
    said: tuple[Sentence, ...] = ()
    lost: dict[Any, str] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Dataset[Any] | DataLoader[Any], *, split: str) -> TorchSamples:
        """Take a `Dataset` or a `DataLoader`.

        Raises
        ------
        MismatchError
            If it is empty.
        """
        made = _loaded(source, split) if isinstance(source, DataLoader) else cls(source, split)
        known = hasattr(made.dataset, "__len__") or made.groups is not None
        if not made._streamed and not known:
            raise MismatchError("errors.dataset_length", split=split, found=type(source).__name__)
        empty = hasattr(made.dataset, "__len__") and not len(made.dataset)
        if empty or (made.groups is not None and not made.groups):
            raise MismatchError("errors.dataset_empty", split=split, found=type(source).__name__)
        return made

    def __len__(self) -> int:
        """Return the number of samples.

        Raises
        ------
        TypeError
            If nobody knows it.
        """
        if self.ready and self.groups is None:
            raise TypeError("a data set of whole batches does not say how many samples they hold")
        if self.groups is not None:
            return sum(map(len, self.groups))
        length: int = len(self.dataset)  # type: ignore[arg-type]
        return length

    def batches(self, size: int) -> Iterator[tuple[Inputs, Array]]:
        """Give inputs and targets, `size` samples at once, where they can be put together.

        Raises
        ------
        MismatchError
            If no sample, or none of the first ones, can be read.
        """
        seen = False
        for found in self._loader(size):
            batches = [found] if self.ready else found
            for batch in batches:
                if isinstance(batch, Row):
                    self.lost.setdefault(batch.number, batch.error or "")
                else:
                    seen = True
                    yield _arrays(batch, split=self.split)
            if not seen and len(self.lost) >= _PATIENCE:
                break
        if self.lost and not seen:
            error = next(iter(self.lost.values()))
            raise MismatchError("errors.data_raised", split=self.split, error=error)

    @property
    def notes(self) -> list[Sentence]:
        """What was made of the sampler, and what could not be read so far."""
        notes = [*self.said]
        if self.lost:
            row, error = next(iter(self.lost.items()))
            notes.append(
                Sentence(
                    "notes.samples.unread",
                    split=self.split, count=len(self.lost), row=row, error=error,
                )
            )  # fmt: skip
        return notes

    def _loader(self, size: int) -> DataLoader[Any]:
        if self.ready:
            return DataLoader(
                self.dataset, batch_size=None, sampler=self.groups, collate_fn=self.collate,
                num_workers=self.workers,
            )  # fmt: skip
        collate = Collating(self.collate or default_collate, self.own)
        if self._streamed:
            return DataLoader(
                self.dataset, batch_size=size, collate_fn=collate, num_workers=self.workers
            )
        rows: Any = Rows(self.dataset)
        order: Any = self.groups
        if order is None:
            order = BatchSampler(SequentialSampler(range(len(self))), size, drop_last=False)
        return DataLoader(rows, batch_sampler=order, collate_fn=collate, num_workers=self.workers)

    @property
    def _streamed(self) -> bool:
        return isinstance(self.dataset, IterableDataset)


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """One split as batches that are at hand already: a list of them, or what gives them."""

    source: Iterable[Any]
    split: str

    def __len__(self) -> int:
        """Raise a TypeError: nobody knows how many samples the batches hold."""
        raise TypeError("batches do not say how many samples they hold")

    def batches(self, size: int) -> Iterator[tuple[Inputs, Array]]:  # noqa: ARG002
        """Give inputs and targets as they come; `size` is not asked for."""
        for batch in self.source:
            yield _arrays(batch, split=self.split)


# --- loaders -------------------------------------------------------------------------------------


def _loaded(source: DataLoader[Any], split: str) -> TorchSamples:
    """Take a loader apart into its data set and what it does with it."""
    drawn = source.batch_sampler
    made = TorchSamples(
        source.dataset, split, source.collate_fn, source.num_workers,
        ready=source.batch_size is None and drawn is None,
    )  # fmt: skip
    if made._streamed:
        return replace(made, own=source.batch_size or 1)
    if made.ready:
        return _ready(made, source.sampler)
    if type(drawn) is not BatchSampler:
        name = type(drawn).__name__
        said = Sentence("notes.samples.batches", split=split, sampler=name)
        return replace(made, groups=_groups(drawn, source.dataset), said=(said,))
    made = replace(made, own=drawn.batch_size)
    part = getattr(drawn.sampler, "indices", None)  # of a SubsetRandomSampler
    if part is not None:
        return replace(made, dataset=Subset(source.dataset, sorted(map(int, part))))
    return replace(made, said=_drawing(drawn.sampler, source.dataset, split=split))


def _ready(made: TorchSamples, sampler: Any) -> TorchSamples:
    """Take a loader that makes no batches: its sampler may, or its data set, or neither."""
    split, dataset = made.split, made.dataset
    if type(sampler) is BatchSampler:  # read through as any other: in order, to the last sample
        part = getattr(sampler.sampler, "indices", None)
        rows = range(_length(dataset)) if part is None else sorted(map(int, part))
        size = sampler.batch_size
        groups = [list(rows[start : start + size]) for start in range(0, len(rows), size)]
        said = () if part is not None else _drawing(sampler.sampler, dataset, split=split)
        return replace(made, groups=groups, said=said)
    if _draws_groups(sampler, dataset):
        said = (Sentence("notes.samples.batches", split=split, sampler=type(sampler).__name__),)
        return replace(made, groups=_groups(sampler, dataset), said=said)
    return replace(made, ready=False, collate=None) if _single(dataset) else made


def _draws_groups(sampler: Any, dataset: Any) -> bool:
    """Tell a sampler that draws several samples at once; its random state stays as it is."""
    with untouched(nn.Identity(), seed=0), suppress(Exception):
        return np.ndim(next(iter(_copied(sampler, dataset)))) > 0
    return False


def _single(dataset: Any) -> bool:
    """Tell a data set of single samples from one of whole batches, by its first target."""
    with untouched(nn.Identity(), seed=0), suppress(Exception):
        _, targets = _divided(dataset[0], split="")
        return np.ndim(targets) == 0
    return False


def _length(dataset: Any) -> int:
    length: int = len(dataset)
    return length


def _groups(sampler: Any, dataset: Any) -> list[list[Any]]:
    """Draw the batches of the user's own sampler once, and leave its random state as it is."""
    with untouched(nn.Identity(), seed=0):
        sampler = _copied(sampler, dataset)
        # One that goes on for ever is read as far as it may have given each sample.
        most = len(dataset) if hasattr(dataset, "__len__") else None
        return [list(batch) for batch in islice(sampler, most)]


def _copied(sampler: Any, dataset: Any) -> Any:
    """Copy a sampler and its random state, not its data; what cannot be copied stays itself."""
    with suppress(Exception):
        return copy.deepcopy(sampler, {id(dataset): dataset})
    return sampler


def _drawing(sampler: Any, dataset: Any, *, split: str) -> tuple[Sentence, ...]:
    """Say it where a sampler does not draw every sample once."""
    if isinstance(sampler, SequentialSampler):
        return ()
    samples = len(dataset)
    shuffled = isinstance(sampler, RandomSampler) and not sampler.replacement
    if shuffled and sampler.num_samples == samples:
        return ()
    drawn = len(sampler) if hasattr(sampler, "__len__") else "?"
    note = Sentence(
        "notes.samples.sampler",
        split=split, sampler=type(sampler).__name__, drawn=drawn, samples=samples,
    )  # fmt: skip
    return (note,)


# --- batches -------------------------------------------------------------------------------------


def _arrays(batch: Any, *, split: str) -> tuple[Inputs, Array]:
    """Tell inputs and targets of a batch apart, and turn both into arrays."""
    inputs, targets = _divided(batch, split=split)
    return _inputs(inputs, split=split), as_array(targets, split=split)


def _divided(batch: Any, *, split: str) -> tuple[Any, Any]:
    if isinstance(batch, Mapping):
        name = next((name for name in TARGETS if name in batch), None)
        rest = {key: one for key, one in batch.items() if key != name}
        if name is not None and rest:
            return rest, batch[name]
    elif isinstance(batch, Tensor | np.ndarray):
        return batch, batch
    elif isinstance(batch, tuple | list) and batch:
        *inputs, targets = batch
        if not inputs:
            return targets, targets
        return inputs[0] if len(inputs) == 1 else tuple(inputs), targets
    found = sorted(batch) if isinstance(batch, Mapping) else type(batch).__name__
    raise MismatchError("errors.batch", split=split, found=found, names=", ".join(TARGETS))


def _inputs(inputs: Any, *, split: str) -> Inputs:
    if isinstance(inputs, Mapping):
        # What is no numbers, such as the texts that words were made of, no network takes.
        return {
            name: as_array(one, split=split)
            for name, one in inputs.items()
            if isinstance(one, Tensor | np.ndarray)
        }
    if isinstance(inputs, tuple):
        return tuple(as_array(one, split=split) for one in inputs)
    return as_array(inputs, split=split)
