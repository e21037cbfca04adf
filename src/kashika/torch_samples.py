"""Samples out of a torch `Dataset` or `DataLoader`, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch.utils.data import BatchSampler, DataLoader, Dataset, SequentialSampler, Subset

from kashika.distribution import Array
from kashika.errors import MismatchError
from kashika.run import as_array


@dataclass(frozen=True, slots=True, eq=False)
class TorchSamples:
    """One split as a `Dataset` of (input, target), never held in memory whole.

    A `DataLoader` is read through its data set, in order and to the last sample: its shuffling
    belongs to the training, and its random state stays as it is. Where its sampler draws from a
    part of the data set only, that part is read.
    """

    dataset: Dataset[Any]
    split: str
    collate: Any = None

    @classmethod
    def of(cls, source: Dataset[Any] | DataLoader[Any], *, split: str) -> TorchSamples:
        """Take a `Dataset` or a `DataLoader` whose batches are (inputs, targets).

        Raises
        ------
        MismatchError
            If its length is not known or zero.
        """
        dataset = source.dataset if isinstance(source, DataLoader) else source
        collate = source.collate_fn if isinstance(source, DataLoader) else None
        sampler = source.sampler if isinstance(source, DataLoader) else None
        part = getattr(sampler, "indices", None)  # of a SubsetRandomSampler
        dataset = dataset if part is None else Subset(dataset, sorted(map(int, part)))
        if not hasattr(dataset, "__len__") or not len(dataset):
            raise MismatchError("errors.dataset_length", split=split, found=type(dataset).__name__)
        return cls(dataset, split, collate)

    def __len__(self) -> int:
        length: int = len(self.dataset)  # type: ignore[arg-type]
        return length

    def batches(self, size: int) -> Iterator[tuple[Array, Array]]:
        """Give inputs and targets, `size` samples at once."""
        order = BatchSampler(SequentialSampler(range(len(self))), size, drop_last=False)
        for batch in DataLoader(self.dataset, batch_sampler=order, collate_fn=self.collate):
            if not isinstance(batch, tuple | list) or len(batch) != 2:
                raise MismatchError(
                    "errors.batch", split=self.split, found=type(batch).__name__
                )  # fmt: skip
            inputs, targets = batch
            yield as_array(inputs, split=self.split), as_array(targets, split=self.split)
