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
        # Every row has a slot of its own, in which it stays, or makes room for another one.
        self._keys: FloatArray = np.empty(0)
        self._ids: IntArray = np.empty(0, dtype=np.int64)
        self._columns: dict[str, Array] | None = None

    def wanted(self, keys: FloatArray) -> IntArray:
        """Return which of the next rows may stay: (wanted,) int, increasing."""
        found = np.flatnonzero(keys < (self._keys.max() if self._full else np.inf))
        if len(found) > self.most:  # more at once than can stay
            found = np.sort(found[np.argpartition(keys[found], self.most - 1)[: self.most]])
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
            self._columns = {
                name: np.empty((self.most, *one.shape[1:]), dtype=one.dtype)
                for name, one in columns.items()
            }
        for name in [*self._columns]:
            before, new = self._columns[name], columns.get(name)
            if new is None or before.shape[1:] != new.shape[1:]:
                del self._columns[name]
            else:
                self._columns[name] = before.astype(np.result_type(before, new), copy=False)
        known = len(self._keys)
        room = min(self.most - known, len(keys))
        self._keys = np.concatenate([self._keys, keys[:room]])
        self._ids = np.concatenate([self._ids, ids[:room]])
        self._put(np.arange(known, known + room), {n: columns[n][:room] for n in self._columns})
        if room < len(keys):
            slots, rows = self._exchanged(keys[room:])
            new = room + rows
            self._keys[slots], self._ids[slots] = keys[new], ids[new]
            self._put(slots, {name: columns[name][new] for name in self._columns})

    def _exchanged(self, keys: FloatArray) -> tuple[IntArray, IntArray]:
        """Return the slots of those that go, and which of the new rows take their places."""
        most = min(len(keys), self.most)  # that may go
        going = np.argpartition(self._keys, self.most - most)[self.most - most :]
        stays = np.zeros(most + len(keys), dtype=bool)
        stays[np.argpartition(np.concatenate([self._keys[going], keys]), most - 1)[:most]] = True
        return going[~stays[:most]], np.flatnonzero(stays[most:])

    def _put(self, slots: IntArray, columns: Mapping[str, Array]) -> None:
        for name, one in (self._columns or {}).items():
            one[slots] = columns[name]

    @property
    def ids(self) -> IntArray:
        """(rows,) int, the numbers of the rows that stayed, increasing."""
        self._settle()
        return self._ids

    @property
    def columns(self) -> dict[str, Array]:
        """{name: (rows, …)} what they brought with them."""
        self._settle()
        return {name: one[: len(self._ids)] for name, one in (self._columns or {}).items()}

    @property
    def _full(self) -> bool:
        return len(self._keys) >= self.most

    def _settle(self) -> None:
        """Put the rows in the order of their numbers."""
        order = np.argsort(self._ids, kind="stable")
        if np.array_equal(order, np.arange(len(order))):  # nothing had to go
            return
        self._keys, self._ids = self._keys[order], self._ids[order]
        if self._columns is not None:
            for name, one in self._columns.items():  # one by one, to hold one of them twice only
                self._columns[name] = one[order]
