"""Rows of a data set in batches, so that one that cannot be read takes no other along."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from torch.utils.data import Dataset

from kashika.errors import one_line


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A sample of a data set, or what was raised in its place.

    Attributes
    ----------
    number : in the data set; None in a stream, whose samples have none
    error : one line; None where the sample could be read
    """

    number: Any
    sample: Any = None
    error: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A data set whose rows are `Row`, whatever it raises."""

    dataset: Dataset[Any]

    def __getitems__(self, numbers: Sequence[Any]) -> list[Row]:
        """Return several rows; a `DataLoader` asks for those of a batch so."""
        together = getattr(self.dataset, "__getitems__", None)
        if together is not None:
            with suppress(Exception):  # one by one it shows which of them it is
                samples = together(numbers)
                return [Row(*one) for one in zip(numbers, samples, strict=True)]
        return [self._row(number) for number in numbers]

    def _row(self, number: Any) -> Row:
        try:
            return Row(number, self.dataset[number])
        except Exception as error:  # noqa: BLE001  the user's own code may raise anything
            return Row(number, error=one_line(error))


@dataclass(frozen=True, slots=True, eq=False)
class Collating:
    """A collate function that is given fewer samples where it cannot put all of them together.

    Attributes
    ----------
    collate : the user's, or torch's own
    own : so many samples it puts together in the user's own batches
    """

    collate: Callable[[list[Any]], Any]
    own: int

    def __call__(self, rows: Sequence[Any]) -> list[Any]:
        """Return batches, and among them each `Row` that could not be read."""
        known = [one if isinstance(one, Row) else Row(None, one) for one in rows]
        read = [one for one in known if one.error is None]
        smaller = [size for size in (self.own, 1) if size < len(read)]
        lost = [one for one in known if one.error is not None]
        return [*lost, *self._batches(read, [len(read), *dict.fromkeys(smaller)])]

    def _batches(self, rows: Sequence[Row], sizes: Sequence[int]) -> Iterator[Any]:
        size, *smaller = sizes
        for start in range(0, len(rows), max(1, size)):
            some = rows[start : start + size]
            try:
                yield self.collate([one.sample for one in some])
            except Exception as error:  # such as samples of different lengths
                if smaller:
                    yield from self._batches(some, smaller)
                elif some[0].number is None:
                    raise
                else:
                    yield Row(some[0].number, error=one_line(error))
