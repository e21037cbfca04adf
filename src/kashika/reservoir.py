"""Reservoir: a seeded choice of rows out of a stream whose length nobody knows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kashika.distribution import Array, FloatArray, IntArray


class Reservoir:
    """The rows with the smallest of random keys: each row has the same chance to stay.

    Two reservoirs that are offered the same keys keep the same rows, as far as the smaller one
    reaches.

    Parameters
    ----------
    most : number of rows that are kept

    References
    ----------
    Cohen and Kaplan, "Summarizing data using bottom-k sketches", PODC 2007.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._keys: FloatArray = np.empty(0)
        self._ids: IntArray = np.empty(0, dtype=np.int64)
        self._columns: dict[str, list[Array]] | None = None
        self._settled = False

    def wanted(self, keys: FloatArray) -> IntArray:
        """Return which of the next rows may stay: (wanted,) int, increasing."""
        limit = np.partition(self._keys, self.most - 1)[self.most - 1] if self._full else np.inf
        found = np.flatnonzero(keys < limit)
        if len(found) > self.most:  # more at once than can stay
            found = np.sort(found[np.argsort(keys[found], kind="stable")[: self.most]])
        return found

    def add(self, keys: FloatArray, ids: IntArray, columns: Mapping[str, Array]) -> None:
        """Offer rows, each with a number of its own; a column that is not in all of them is lost.

        Parameters
        ----------
        keys : (rows,) uniform in 0 … 1
        ids : (rows,) int
        columns : {name: (rows, …)}
        """
        if self._columns is None:
            self._columns = {name: [] for name in columns}
        for name in [*self._columns]:
            before, new = self._columns[name], columns.get(name)
            if new is None or (before and before[0].shape[1:] != new.shape[1:]):
                del self._columns[name]
            else:
                before.append(new)
        self._keys = np.concatenate([self._keys, keys])
        self._ids = np.concatenate([self._ids, ids])
        self._settled = False
        if len(self._keys) > 2 * self.most:
            self._settle()

    @property
    def ids(self) -> IntArray:
        """(rows,) int, the numbers of the rows that stayed, increasing."""
        self._settle()
        return self._ids

    @property
    def columns(self) -> dict[str, Array]:
        """{name: (rows, …)} what they brought with them."""
        self._settle()
        return {name: parts[0] for name, parts in (self._columns or {}).items()}

    @property
    def _full(self) -> bool:
        return len(self._keys) >= self.most

    def _settle(self) -> None:
        """Let the rows with the smallest keys stay, in the order of their numbers."""
        if self._settled:
            return
        stay = np.argsort(self._keys, kind="stable")[: self.most]
        stay = stay[np.argsort(self._ids[stay], kind="stable")]
        if self._columns is not None:
            for name, parts in self._columns.items():
                self._columns[name] = [np.concatenate(parts)[stay]]
        self._keys, self._ids = self._keys[stay], self._ids[stay]
        self._settled = True
