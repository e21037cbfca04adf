"""Scales: how large the inputs and the targets of a network are, and what it makes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kashika.distribution import Array, FloatArray
from kashika.naming import Split
from kashika.observation import Layer, Observation

ROWS, COLUMNS = 2_000, 4_000
"""So many samples, and numbers of each, tell how large they are."""

SEEN_THROUGH = ("Identity", "Flatten", "Unflatten", "Dropout")
"""Types of layers that leave their inputs as large as they are."""

LINEAR = ("Linear", "Conv", "LazyLinear", "LazyConv")
"""Types of layers, by how their names begin, whose outputs grow with their inputs."""

NORMS = ("BatchNorm", "LayerNorm", "GroupNorm", "InstanceNorm", "RMSNorm", "SyncBatchNorm")


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the columns of some numbers are.

    Attributes
    ----------
    split : that the numbers belong to
    columns : how many there are that vary
    greatest : the greatest root mean square of one of them
    column : which one that is, from 0
    spread : the greatest over the median one, of columns that are not mostly zero
    comparable : whether there are several columns of a table, each in a unit of its own
    gain : spread of what the first layer makes of them over their own; NaN where that does not tell
        whether the network sees them as they are
    normalised : whether the first layer normalises them
    """

    split: Split
    columns: int
    greatest: float
    column: int
    spread: float
    comparable: bool = False
    gain: float = np.nan
    normalised: bool = False


def inputs_of(seen: Observation, *, split: Split) -> Scale | None:
    """Measure the inputs of a network; None where they are no numbers, such as tokens."""
    layers = [one for one in seen.layers if not one.kind.startswith(SEEN_THROUGH)]
    tokens = any(one.kind.startswith("Embedding") for one in seen.layers)
    inputs = np.asarray(seen.inputs)
    if inputs.ndim < 2 or inputs.dtype.kind not in "fiu" or tokens:
        return None
    scale = _scale(inputs, split=split)
    if scale is None or not layers:
        return scale
    return replace(
        scale, gain=_gain(inputs, layers[0]), normalised=layers[0].kind.startswith(NORMS)
    )


def targets_of(seen: Observation, *, split: Split) -> Scale | None:
    """Measure the targets of a regression; None where there are classes or labels."""
    if seen.task.outputs != "values":
        return None
    return _scale(np.asarray(seen.wanted), split=split)


@np.errstate(all="ignore")
def _scale(values: Array, *, split: Split) -> Scale | None:
    if len(values) < 2 or not values.size:
        return None
    table = _some(values)
    squares = np.mean(np.square(table), axis=0)
    varies = np.isfinite(squares) & (np.ptp(table, axis=0) > 0)
    if not varies.any():
        return None
    sizes = np.sqrt(np.where(varies, squares, 0.0))
    dense = varies & (np.mean(table == 0, axis=0) <= 0.5)
    step = -(-values[0].size // COLUMNS)
    return Scale(
        split,
        int(varies.sum()) * step,
        greatest=float(sizes.max()),
        column=int(sizes.argmax()) * step,
        spread=float(sizes.max() / np.median(sizes[dense if dense.any() else varies])),
        # Positions of a map or a sequence are of one kind, columns of a table are not.
        comparable=values.ndim == 2 and int(dense.sum()) > 1,
    )


@np.errstate(all="ignore")
def _gain(inputs: Array, first: Layer) -> float:
    """Return the spread between samples behind the first layer, over that of the inputs."""
    if not first.kind.startswith(LINEAR) or len(first.features) < 2:
        return np.nan
    table = _some(inputs)
    if inputs.ndim > 2:  # a layer's features are means over the positions, too
        table = table.mean(axis=1, keepdims=True)
    before = float(np.sqrt(np.mean(np.var(table, axis=0))))
    behind = float(np.sqrt(np.mean(np.var(np.asarray(first.features, dtype=float), axis=0))))
    return behind / before if before > 0 and np.isfinite(behind / before) else np.nan


def _some(values: Array) -> FloatArray:
    table = values.reshape(len(values), -1)
    rows, columns = max(1, -(-len(table) // ROWS)), max(1, -(-table.shape[1] // COLUMNS))
    return table[::rows, ::columns].astype(np.float64)
