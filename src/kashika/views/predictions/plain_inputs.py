"""Samples as a simple model takes them: one row of numbers each, scaled, every row once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kashika.distribution import Array, FloatArray, IntArray
from kashika.neighbours import chosen
from kashika.observation import Observation

ROWS = 2_000
"""So many samples are looked at, where they are narrow."""

FEWEST = 30
"""Of fewer samples nothing is asked."""

_PRODUCTS = 1_000_000_000  # rows × rows × columns: a third of a second
_WORDS = 64  # up to so many different whole numbers stand for things, and are no amounts
_COLUMNS = 2_048  # that these things may make


@dataclass(frozen=True, slots=True, eq=False)
class PlainInputs:
    """Inputs and targets of some of a split's samples.

    Attributes
    ----------
    rows : (n,) int, which of the split's answers these are
    raw : (n, …) inputs as the network is given them
    inputs : (n, columns) the same of unit scale
    targets : (n, targets) classes as 0 and 1 of each class there is; labels; or values, of unit
        scale
    classes : (targets,) int, the class of each column; empty where there are none
    outputs : (n, targets) what the network answers, in the same form and unit
    """

    rows: IntArray
    raw: Array
    inputs: FloatArray
    targets: FloatArray
    classes: IntArray
    outputs: FloatArray

    @property
    def labels(self) -> IntArray:
        """(n,) int, the column of each sample's class."""
        return np.asarray(self.targets.argmax(axis=1))

    @property
    def answers(self) -> IntArray:
        """(n,) int, the column of the class that the network gives; -1 for one that has none."""
        return np.where(self.outputs.any(axis=1), self.outputs.argmax(axis=1), -1)


def plain_inputs(seen: Observation, *, seed: int = 0) -> PlainInputs | None:
    """Take up to `ROWS` samples of a split; None where there are too few, or they are no arrays.

    Samples that are the same in input and target stand in it once: a model that may look at the
    copy of a sample would look better than it is.
    """
    rows, kept, outputs = np.intersect1d(seen.input_rows, seen.rows, return_indices=True)
    if len(rows) < FEWEST or seen.task.positional or not np.size(seen.inputs[:1]):
        return None
    columns = int(np.prod(seen.inputs.shape[1:]))
    most = int(np.clip((_PRODUCTS / columns) ** 0.5, ROWS // 4, ROWS))
    some = chosen(len(rows), most=most, seed=seed)
    rows, kept, outputs = rows[some], kept[some], outputs[some]
    raw, wanted = seen.inputs[kept], seen.wanted[outputs].astype(np.float64)
    given = seen.outputs[outputs].astype(np.float64)
    once = _once(raw, wanted)
    once = once[np.isfinite(raw[once].reshape(len(once), -1).sum(axis=1, dtype=np.float64))]
    once = once[np.isfinite(wanted[once]).all(axis=1)]
    if len(once) < FEWEST:
        return None
    rows, raw, wanted, given = rows[once], raw[once], wanted[once], given[once]
    inputs = scaled(raw, like=raw)
    if seen.task.classifies:
        classes = np.unique(seen.targets[rows])
        targets = np.equal(seen.targets[rows][:, None], classes)
        answers = np.equal(seen.predicted[rows][:, None], classes)
        return PlainInputs(
            rows, raw, inputs, targets.astype(np.float64), classes, answers.astype(np.float64)
        )
    none = np.empty(0, dtype=np.int64)
    if seen.task.labels:
        answers = seen.task.given(given)
        return PlainInputs(rows, raw, inputs, wanted, none, answers.astype(np.float64))
    mean, scale = wanted.mean(axis=0), _scale(wanted)
    return PlainInputs(rows, raw, inputs, (wanted - mean) / scale, none, (given - mean) / scale)


def scaled(raw: Array, *, like: Array) -> FloatArray:
    """Return (n, …) inputs as (n, columns) numbers, so that those of `like` are of unit scale.

    Whole numbers of a few kinds stand for things, such as words, and get a column each; columns
    of a table are scaled one by one; images and sequences as a whole.
    """
    flat, known = raw.reshape(len(raw), -1), like.reshape(len(like), -1)
    if like.dtype.kind in "iub" and _are_things(known):
        kinds = np.arange(int(known.min()), int(known.max()) + 1)
        return np.equal(flat[:, :, None], kinds).reshape(len(flat), -1).astype(np.float64)
    known = known.astype(np.float64)
    centred = flat.astype(np.float64) - known.mean(axis=0)
    if like.ndim > 2:
        overall = float(np.sqrt(np.mean(known.var(axis=0))))
        return np.asarray(centred / (overall if overall > 0 else 1.0))
    return np.asarray(centred / _scale(known))


def _are_things(flat: Array) -> bool:
    kinds = int(flat.max()) - int(flat.min()) + 1
    return 2 < kinds <= _WORDS and kinds * flat.shape[1] <= _COLUMNS


def _scale(values: FloatArray) -> FloatArray:
    """Return the (columns,) standard deviations; 1 where a column is constant."""
    deviation = values.std(axis=0)
    return np.where(deviation > 0, deviation, 1.0)


def _once(inputs: Array, targets: FloatArray) -> IntArray:
    """Return the first row of each that is there, increasing."""
    flat = [np.ascontiguousarray(one.reshape(len(one), -1)) for one in (inputs, targets)]
    keys = [one.view(f"V{one.dtype.itemsize * one.shape[1]}").reshape(-1) for one in flat]
    numbers = [np.unique(one, return_inverse=True)[1] for one in keys]
    both = numbers[0].astype(np.int64) * (int(numbers[1].max()) + 1) + numbers[1]
    return np.sort(np.unique(both, return_index=True)[1])
