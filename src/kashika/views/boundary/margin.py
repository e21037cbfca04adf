"""Margin: how far an input is from the place where the network changes its mind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kashika.distribution import Array, Distribution, FloatArray, IntArray
from kashika.naming import Split
from kashika.neighbours import chosen
from kashika.observation import Observation
from kashika.run import Network
from kashika.task import Task

Predict = Callable[[Array], FloatArray]
"""(n, …) inputs -> (n, outputs) outputs."""

Slopes = Callable[[Array, Task], FloatArray]
"""(n, …) inputs and their task -> (n, …) gradient of the lead of the predicted class."""

AT_ONCE = 2**22
"""So many numbers of inputs are made at a time, whatever an input's size."""

MEASURED = 1_000
"""So many samples are asked for their distance to the boundary, a seeded choice."""

REACH = 4.0
"""How far is looked for it, in standard deviations of the whole of the inputs."""

BARS = 20
"""So many classes are shown with their margins: those with the least ones."""

_FIRST = 1_024  # parts of the reach: the line is looked at no closer than that
_NARROWINGS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The margins of the samples of one class that the network gets right, or wrong.

    Attributes
    ----------
    of : true class
    right : whether the network gets them right
    distances : Euclidean, in units of the inputs; infinite where no boundary was found
    """

    of: int
    right: bool
    distances: Distribution

    @property
    def spread(self) -> tuple[float, float, float, float, float]:
        """Margins that 5, 25, 50, 75 and 95 % of the samples with one lie below."""
        low, lower, middle, upper, high = map(
            self.distances.quantile, (0.05, 0.25, 0.5, 0.75, 0.95)
        )
        return low, lower, middle, upper, high


@dataclass(frozen=True, slots=True, eq=False)
class Margins:
    """How far samples lie from the boundary, each along its steepest direction.

    Attributes
    ----------
    split : of the samples
    groups : by class, each at first those that are right
    reach : the greatest distance that was looked at, in units of the inputs
    """

    split: Split
    groups: tuple[Group, ...]
    reach: float

    @property
    def bars(self) -> list[tuple[float, Group]]:
        """Where each group with margins is drawn, the class with the least of them at the top."""
        found = [one for one in self.groups if one.distances.finite]
        least = {one.of: one.spread[2] for one in reversed(found)}
        order = sorted(least, key=lambda k: (least[k], k))[:BARS]
        several = {k for k in order if sum(one.of == k for one in found) > 1}
        # Beside each other where a class has two bars, else at its name.
        beside = {True: -0.15, False: 0.15}
        return [
            (order.index(one.of) + (beside[one.right] if one.of in several else 0.0), one)
            for one in found
            if one.of in order
        ]

    @property
    def edges(self) -> tuple[float, float]:
        """Below the last class and above the first one, with room for both."""
        return len({one.of for _, one in self.bars}) - 0.4, -0.6


def margins_of(network: Network, split: Split, seen: Observation, *, seed: int = 0) -> Margins:
    """Measure the margins of a classifier's samples, of a seeded choice where there are many."""
    task = seen.task
    kept = np.flatnonzero(np.isfinite(seen.inputs.reshape(len(seen.inputs), -1)).all(axis=1))
    kept = kept[chosen(len(kept), most=MEASURED, seed=seed)]
    inputs, rows = seen.inputs[kept], seen.input_rows[kept]
    if not len(kept):
        return Margins(split, (), 0.0)
    scale = float(np.sqrt(inputs.reshape(len(inputs), -1).var(axis=0, dtype=np.float64).sum()))
    reach = REACH * (scale or float(np.abs(inputs).max()) or 1.0)
    far = distances(
        network.predict, lambda x, task: slopes_of(network, x, task), inputs, task, reach=reach
    )
    targets, right = seen.targets[rows], seen.predicted[rows] == seen.targets[rows]
    groups = [
        Group(int(k), good, Distribution.of(far[(targets == k) & (right == good)]))
        for k in np.unique(targets)
        for good in (True, False)
    ]
    return Margins(split, tuple(one for one in groups if one.distances.size), reach)


def scores(task: Task, outputs: FloatArray) -> FloatArray:
    """Return (n, classes) scores of which the greatest decides: as near to logits as they come."""
    flat = np.asarray(outputs, dtype=np.float64).reshape(len(outputs), -1)
    match task.outputs:
        case "logit":
            return np.hstack([np.zeros_like(flat), flat])
        case "probability":
            return np.hstack([1 - flat, flat])
        case _:
            return flat


def lead(scores: FloatArray, of: IntArray) -> FloatArray:
    """Return (n,) how far class `of` lies above the best of the others; NaN for class -1.

    Zero where the network changes its mind, and below it beyond.
    """
    own = np.take_along_axis(scores, np.maximum(of, 0)[:, None], axis=1)[:, 0]
    if scores.shape[1] == 1:
        return np.full(len(scores), np.inf)
    others = scores.copy()
    np.put_along_axis(others, np.maximum(of, 0)[:, None], -np.inf, axis=1)
    with np.errstate(invalid="ignore"):  # of two infinite scores neither leads
        return np.where(of < 0, np.nan, own - others.max(axis=1))


def distances(
    predict: Predict, slopes: Slopes, inputs: Array, task: Task, *, reach: float
) -> FloatArray:
    """Return (n,) how far each input is from another class, along its steepest direction.

    From every input a line goes against the gradient of the lead. Steps along it double until the
    class has changed, then the place is narrowed down. For a linear network that is the distance
    itself, |w·x + b| / |w|; for others it is an upper bound of it. A change and back again between
    two steps is not seen.

    Parameters
    ----------
    inputs : (n, …)
    reach : greatest distance that is looked at, in units of the inputs

    Returns
    -------
    Euclidean distances in units of the inputs; infinite where no other class was found within the
    reach, or where the network is flat, or its answer not finite.

    References
    ----------
    Moosavi-Dezfooli, Fawzi and Frossard, "DeepFool", CVPR 2016, section 2, for one linear step;
    Dowell and Jarratt, "A modified regula falsi method", BIT 11, 1971, for the narrowing.
    """
    size = max(1, AT_ONCE // max(1, int(np.prod(inputs.shape[1:]))))
    parts = [
        _distances(predict, slopes, inputs[start : start + size], task, reach=reach)
        for start in range(0, len(inputs), size)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def slopes_of(network: Network, inputs: Array, task: Task) -> FloatArray:
    """Return (n, …) slopes of the lead; zeros where the network cannot be differentiated."""
    try:
        return network.slopes(inputs, task)
    except Exception:  # noqa: BLE001  quantised parts, whole numbers inside: the user's own code
        return np.zeros(inputs.shape)


def _distances(
    predict: Predict, slopes: Slopes, inputs: Array, task: Task, *, reach: float
) -> FloatArray:
    values = inputs.astype(np.result_type(inputs.dtype, np.float32))
    outputs = predict(values)
    own = task.predicted(outputs)
    at_start = lead(scores(task, outputs), own)
    slope = np.asarray(slopes(values, task)).reshape(len(inputs), -1)
    steepness = np.sqrt(np.sum(slope.astype(np.float64) ** 2, axis=1))
    alive = np.isfinite(at_start) & np.isfinite(steepness) & (steepness > 0)
    downhill = np.zeros_like(slope)
    downhill[alive] = -slope[alive] / steepness[alive, None]
    way = downhill.reshape(values.shape)

    def lead_at(chosen: IntArray, far: FloatArray) -> FloatArray:
        step = far.reshape(-1, *[1] * (values.ndim - 1))
        places = values[chosen] + (way[chosen] * step).astype(values.dtype)
        return lead(scores(task, predict(places)), own[chosen])

    found = np.where(alive & (at_start == 0), 0.0, np.inf)
    chosen = np.flatnonzero(alive & (at_start > 0))
    if not len(chosen) or not reach > 0:
        return found
    near, near_lead = np.zeros(len(inputs)), at_start.copy()
    with np.errstate(over="ignore"):
        expected = at_start[chosen] / steepness[chosen]  # exact, if the network is linear
    far, far_lead = np.zeros(len(inputs)), np.full(len(inputs), np.nan)
    far[chosen] = np.clip(expected / 4, reach / _FIRST, reach)
    looking = chosen
    while len(looking):
        far_lead[looking] = lead_at(looking, far[looking])
        looking = looking[(far_lead[looking] > 0) & (far[looking] < reach)]
        near[looking], near_lead[looking] = far[looking], far_lead[looking]
        far[looking] = np.minimum(2 * far[looking], reach)
    crossed = chosen[far_lead[chosen] <= 0]  # not where it is NaN
    if len(crossed):
        ends = (a[crossed] for a in (near, near_lead, far, far_lead))
        found[crossed] = _narrowed(lambda t: lead_at(crossed, t), *ends)
    return found


def _narrowed(
    lead_at: Callable[[FloatArray], FloatArray],
    near: FloatArray,
    near_lead: FloatArray,
    far: FloatArray,
    far_lead: FloatArray,
) -> FloatArray:
    """Return (n,) where leads that are above zero at `near` and not at `far` pass zero.

    By false position, where the weight of an end that stays is halved: as safe as bisection, and
    exact at once where the lead is linear.
    """
    side = np.zeros(len(near))
    place = far.copy()
    for _ in range(_NARROWINGS):
        with np.errstate(invalid="ignore", over="ignore"):
            place = near + (far - near) * near_lead / (near_lead - far_lead)
        place = np.where(np.isfinite(place), place, (near + far) / 2)
        here = lead_at(place)
        before = here > 0
        same = np.where(before, side == 1, side == -1)
        far_lead = np.where(before & same, far_lead / 2, far_lead)
        near_lead = np.where(~before & same, near_lead / 2, near_lead)
        near, near_lead = np.where(before, place, near), np.where(before, here, near_lead)
        far, far_lead = np.where(before, far, place), np.where(before, far_lead, here)
        side = np.where(before, 1, -1)
        if np.all((here == 0) | (far - near <= 1e-9 * far)):
            break
    return place
