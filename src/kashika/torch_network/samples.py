"""Samples out of a torch `Dataset` or `DataLoader`, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    SequentialSampler,
    Subset,
)  # fmt: skip

from kashika.distribution import Array
from kashika.errors import MismatchError
from kashika.run import Inputs, as_array

TARGETS = ("labels", "label", "label_ids", "targets", "target", "y")
"""Names of the targets in a batch that is a mapping."""


@dataclass(frozen=True, slots=True, eq=False)
class TorchSamples:
    """One split as a `Dataset`, never held in memory whole.

    A batch is (input, target), (input, input, …, target), a mapping with the targets under one of
    the names in `TARGETS`, or inputs alone, which then are their own targets, as for an
    autoencoder.

    A `DataLoader` is read through its data set, in order and to the last sample: its shuffling
    belongs to the training, and its random state stays as it is. Where its sampler draws from a
    part of the data set only, that part is read. A data set that is a stream is read as it comes.
    """

    dataset: Dataset[Any]
    split: str
    collate: Any = None
    workers: int = 0
    ready: bool = False  # the data set gives whole batches

    @classmethod
    def of(cls, source: Dataset[Any] | DataLoader[Any], *, split: str) -> TorchSamples:
        """Take a `Dataset` or a `DataLoader`.

        Raises
        ------
        MismatchError
            If it is empty.
        """
        if not isinstance(source, DataLoader):
            made = cls(source, split)
        else:
            part = getattr(source.sampler, "indices", None)  # of a SubsetRandomSampler
            dataset = source.dataset
            if part is not None:
                dataset = Subset(dataset, sorted(map(int, part)))
            ready = source.batch_size is None and source.batch_sampler is None
            made = cls(dataset, split, source.collate_fn, source.num_workers, ready)
        if not made._streamed and not hasattr(made.dataset, "__len__"):
            raise MismatchError("errors.dataset_length", split=split, found=type(source).__name__)
        if hasattr(made.dataset, "__len__") and not len(made.dataset):
            raise MismatchError("errors.dataset_empty", split=split, found=type(source).__name__)
        return made

    def __len__(self) -> int:
        """Return the number of samples.

        Raises
        ------
        TypeError
            If nobody knows it.
        """
        if self.ready:
            raise TypeError("a data set of whole batches does not say how many samples they hold")
        length: int = len(self.dataset)  # type: ignore[arg-type]
        return length

    def batches(self, size: int) -> Iterator[tuple[Inputs, Array]]:
        """Give inputs and targets, `size` samples at once."""
        if self.ready or self._streamed:
            loader: DataLoader[Any] = DataLoader(
                self.dataset, batch_size=None if self.ready else size,
                collate_fn=self.collate, num_workers=self.workers,
            )  # fmt: skip
        else:
            order = BatchSampler(SequentialSampler(range(len(self))), size, drop_last=False)
            loader = DataLoader(
                self.dataset, batch_sampler=order, collate_fn=self.collate,
                num_workers=self.workers,
            )  # fmt: skip
        for batch in loader:
            inputs, targets = self._divided(batch)
            yield self._arrays(inputs), as_array(targets, split=self.split)

    @property
    def _streamed(self) -> bool:
        return isinstance(self.dataset, IterableDataset)

    def _divided(self, batch: Any) -> tuple[Any, Any]:
        """Tell inputs and targets of a batch apart."""
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
        raise MismatchError("errors.batch", split=self.split, found=found, names=", ".join(TARGETS))

    def _arrays(self, inputs: Any) -> Inputs:
        if isinstance(inputs, Mapping):
            # What is no numbers, such as the texts that words were made of, no network takes.
            return {
                name: as_array(one, split=self.split)
                for name, one in inputs.items()
                if isinstance(one, Tensor | np.ndarray)
            }
        if isinstance(inputs, tuple):
            return tuple(as_array(one, split=self.split) for one in inputs)
        return as_array(inputs, split=self.split)
