"""Pool: the samples that stand in a picture of inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kashika.distribution import Array, FloatArray, IntArray
from kashika.errors import LoadError, Missing
from kashika.naming import Split
from kashika.neighbours import chosen
from kashika.observation import Observation
from kashika.task import Task
from kashika.texts import Sentence

SHOWN = 1_000
"""So many samples of a split stand in a picture of more than two inputs, a seeded choice."""

_NUMBERS = 2**23  # numbers of their inputs: 64 MB; of very large inputs fewer are shown


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """The samples that stand in a picture, of one split or two.

    Attributes
    ----------
    task : what the outputs mean
    shape : of one input
    inputs : (n, numbers) flattened
    targets, predicted : (n,) class or value
    wrong : (n,) bool, misclassified; all False for a regression
    rows : (n,) number of the sample in its split
    splits : {split: which of the n are its samples}, in their order
    """

    task: Task
    shape: tuple[int, ...]
    inputs: FloatArray
    targets: Array
    predicted: Array
    wrong: Array
    rows: IntArray
    splits: Mapping[Split, slice]

    @classmethod
    def of(cls, observations: Mapping[Split, Observation], *, seed: int = 0) -> Pool:
        """Take samples whose inputs were kept: all of two inputs, a choice of finite larger ones.

        Raises
        ------
        Missing
            If the inputs are not arrays of at least two numbers, or none of them is finite.
        """
        parts, splits, start = [], dict[Split, slice](), 0
        for split, seen in observations.items():
            if not len(seen.inputs) or seen.inputs.dtype.kind not in "fiub":
                raise Missing("missing.single_array")
            flat = seen.inputs.reshape(len(seen.inputs), -1)
            if flat.shape[1] < 2:
                raise Missing("missing.two_inputs", found=flat.shape[1])
            kept = np.arange(len(flat))
            if flat.shape[1] > 2:
                kept = np.flatnonzero(np.isfinite(flat).all(axis=1))
                most = min(SHOWN, max(3, _NUMBERS // flat.shape[1]))
                kept = kept[chosen(len(kept), most=most, seed=seed)]
            rows = seen.input_rows[kept]
            targets, predicted = seen.targets[rows], seen.predicted[rows]
            wrong = (predicted != targets) & seen.task.classifies
            values = flat[kept].astype(np.result_type(flat.dtype, np.float32))
            parts.append((values, targets, predicted, wrong, rows))
            splits[split] = slice(start, start + len(rows))
            start += len(rows)
        if not start:
            raise Missing("missing.finite_inputs")
        one = next(iter(observations.values()))
        inputs, targets, predicted, wrong, rows = (
            np.concatenate(part) for part in zip(*parts, strict=True)
        )
        return cls(
            one.task, one.inputs.shape[1:], inputs, targets, predicted, wrong, rows, splits
        )  # fmt: skip

    @property
    def units(self) -> FloatArray:
        """(numbers,) what distances are measured in: standard deviations of a vector's entries.

        The entries of an image or a sequence have one unit already; their own deviations would
        blow up the corners in which nearly nothing happens.
        """
        plain = np.ones(self.inputs.shape[1])
        if len(self.shape) > 1:
            return plain
        sd = self.inputs.std(axis=0, dtype=np.float64)
        return np.where(sd > 0, sd, plain)


def typical(pool: Pool) -> IntArray | None:
    """Return (3,) samples of the pool's first split, of different classes, nearest to their means.

    Of the three most frequent classes, and of the samples that the network gets right. Where there
    are fewer classes, the rest are those of middling distance to the mean of the most frequent one.
    For a regression the lowest, the middle and the highest third of the targets are the classes.
    None, where there are fewer than three samples.
    """
    own = next(iter(pool.splits.values()))
    rows = np.arange(own.start, own.stop)
    right = rows[~pool.wrong[own].astype(bool)]
    rows = right if len(right) >= 3 else rows
    if len(rows) < 3:
        return None
    groups = pool.targets[rows]
    if not pool.task.classifies:
        groups = np.searchsorted(np.quantile(groups, [1 / 3, 2 / 3]), groups)
    found, counts = np.unique(groups, return_counts=True)
    picked: list[int] = []
    middling: list[int] = []
    for group in found[np.argsort(-counts, kind="stable")]:
        mine = rows[groups == group]
        scaled = pool.inputs[mine].astype(np.float64) / pool.units
        far = np.sqrt(((scaled - scaled.mean(axis=0)) ** 2).sum(axis=1))
        order = mine[np.argsort(far, kind="stable")]
        picked.append(int(order[0]))
        middling += [int(row) for row in np.roll(order[1:], -(len(order) // 2 - 1))]
    return np.array((picked + middling)[:3])


def kept_row(seen: Observation, split: Split, row: int) -> FloatArray:
    """Return the (numbers,) input of a row of its split, flattened.

    Raises
    ------
    LoadError
        If its input was not kept.
    """
    (place,) = np.nonzero(seen.input_rows == row)
    if not len(place):
        raise LoadError(
            "errors.boundary.row",
            split=Sentence(f"labels.{split}"),
            kept=len(seen.input_rows), last=len(seen.targets) - 1, found=row,
        )  # fmt: skip
    flat = seen.inputs[place[0]].reshape(-1)
    return np.asarray(flat, dtype=np.result_type(flat.dtype, np.float32))
