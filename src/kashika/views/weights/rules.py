"""What can be wrong with the weights: one rule for each disease."""

from __future__ import annotations

from math import sqrt
from statistics import median_low
from typing import TYPE_CHECKING

import numpy as np

from kashika.view import Evidence, Finding, Level

if TYPE_CHECKING:
    from kashika.distribution import Distribution
    from kashika.parameters import Parameter
    from kashika.views.weights import Weights


NAMED = 10
"""So many further layers a finding names, so that pictures mark them."""


MANY = 200
"""Of fewer values the greatest is hardly larger than the others, whatever they are."""

LEAST = 1_000
"""If all layers look as they were drawn, they must have so many values together."""


def nonfinite(weights: Weights) -> Finding:
    """A weight, or what a batch norm keeps of the data, is NaN or infinite: no answer is left."""
    rule = "weights.nonfinite"
    if not weights.parameters:
        return Finding(rule, Level.UNKNOWN)
    every = {one.name: one.values for one in weights.parameters} | dict(weights.statistics)
    bad = [
        (values.nan + values.infinite, name)
        for name, values in every.items()
        if values.nan + values.infinite and not _is_mask(values)
    ]
    if not bad:
        return Finding(rule, Level.OK)
    evidence = (
        Evidence("count", sum(count for count, _ in bad), limit=0),
        Evidence("in_first", bad[0][0], where=bad[0][1]),
        *(Evidence("in_other", count, where=name) for count, name in bad[1 : NAMED + 1]),
    )
    return Finding(rule, Level.PROBLEM, evidence)


def _is_mask(values: Distribution) -> bool:
    """Tell whether there are zeros and infinities only, as attention adds them to its scores.

    In a file a mask stands among the weights, and nothing says that it is none.
    """
    return bool(values.zeros) and values.zeros + values.infinite == values.size


def large(
    weights: Weights,
    *,
    times: float = 14.0,
    drawn: float = 4.5,
    even: float = 0.75,
    gross: float = 20.0,
) -> Finding:
    """Most matrices are far larger than PyTorch draws them for a layer of their type.

    One layer may grow as far as the targets ask for, above all the last one; so it is the median
    that counts, the lower one of two. Training makes some weights much larger than others. Where
    the largest matrix still is spread evenly up to its greatest value it was drawn as large as it
    is, and no usual initialisation makes more than three times of what PyTorch draws; behind
    sigmoids a training that goes well may make nine times of it.

    Parameters
    ----------
    times : root mean square over that at the start, from which it is a warning
    drawn : the same, for weights that are spread evenly
    even : root mean square over that of an even spread up to the greatest value, from which they
        count as such
    gross : times from which it is a problem

    References
    ----------
    He et al., "Delving deep into rectifiers", ICCV 2015; Glorot and Bengio, AISTATS 2010.
    """
    rule = "weights.large"
    judged = [
        (one.values.rms / one.initial.sd, one)
        for one in _matrices(weights)
        if one.initial is not None and one.initial.family == "uniform" and one.values.finite
    ]
    if len(judged) < 2:
        return Finding(rule, Level.UNKNOWN)
    middle = median_low(grown for grown, _ in judged)
    most, largest = max(judged, key=lambda pair: pair[0])
    widest = max((one for _, one in judged), key=lambda one: one.values.size)
    spread = _evenness(widest)
    # A matrix of one value has 1.7.
    limit = drawn if even <= spread <= 2 - even and widest.values.size >= MANY else times
    evidence = (
        Evidence("over_initial", middle, limit=limit),
        Evidence("greatest_over_initial", most, where=largest.name),
        Evidence("evenness", spread, limit=even, where=widest.name),
        Evidence("layers", len(judged)),
    )
    level = Level.OK if middle < limit else Level.WARNING
    return Finding(rule, Level.PROBLEM if middle >= gross else level, evidence)


def untrained(weights: Weights, *, share: float = 0.5) -> Finding:
    """A layer still is what PyTorch drew before training, beside layers that have moved.

    It counts as untouched if no value lies beyond the bound of its type, the greatest lies as close
    below it as that of so many values must, Kolmogorov and Smirnov find nothing against a uniform
    distribution, and the last digits are those that PyTorch draws. Layers of ones and zeros tell
    only beside others that are none any more.

    Parameters
    ----------
    share : of the values of the network, from which it is a problem

    References
    ----------
    Massey, "The Kolmogorov-Smirnov test for goodness of fit", JASA 46, 1951.
    """
    rule = "weights.untrained"
    told = [one for one in weights.starts if one.untouched is not None]
    drawn = [one for one in told if not one.norm]
    if len(told) < 2 or not drawn:
        return Finding(rule, Level.UNKNOWN)
    steps = [one.moved for one in told if not one.untouched]
    still = [one for one in told if one.untouched and not one.meant]
    if steps:
        # A layer of few values hides what moves it a little, so the others must have moved enough.
        moved = median_low(steps)
        moved_norm = any(one.norm and not one.untouched for one in told)
        found = [one for one in still if (moved_norm if one.norm else one.shows <= moved)]
    else:
        # Nothing has moved at all: of few values that could be chance.
        found = still if sum(one.values for one in drawn) >= LEAST else []
    if not found:
        return Finding(rule, Level.OK, (Evidence("layers", len(told)),))
    every = sum(one.values.size for one in weights.parameters)
    held = sum(one.values for one in found) / max(every, 1)
    evidence = (
        Evidence("untrained", len(found), limit=0, where=found[0].parameter),
        Evidence("layers", len(told)),
        Evidence("untrained_share", held, limit=share),
        *(Evidence("values", one.values, where=one.parameter) for one in found[1 : NAMED + 1]),
    )
    return Finding(rule, Level.PROBLEM if held >= share else Level.WARNING, evidence)


def identical_units(weights: Weights, *, share: float = 0.5, gross: float = 0.9) -> Finding:
    """The units of a layer are copies of each other: they started alike, and so they stay.

    Parameters
    ----------
    share : of the rows of a matrix that repeat another one, from which it is a warning
    gross : from which it is a problem: the layer is as good as a single unit

    References
    ----------
    Goodfellow, Bengio and Courville, "Deep learning", 2016, section 8.4: initial parameters must
    break the symmetry between units.
    """
    rule = "weights.identical_units"
    copied = {
        one.name: 1.0 if _zero(one) and one.values.shape[0] > 1 else one.copied
        for one in _matrices(weights)
    }
    copied = {name: one for name, one in copied.items() if np.isfinite(one)}
    if not copied:
        return Finding(rule, Level.UNKNOWN)
    worst = max(copied, key=lambda name: copied[name])
    found = [name for name in copied if copied[name] >= share and name != worst]
    evidence = (
        Evidence("copied", copied[worst], limit=share, where=worst),
        Evidence("alike", len(found) + (copied[worst] >= share)),
        Evidence("layers", len(copied)),
        *(Evidence("copied_too", copied[name], where=name) for name in found[:NAMED]),
    )
    level = Level.OK if copied[worst] < share else Level.WARNING
    return Finding(rule, Level.PROBLEM if copied[worst] >= gross else level, evidence)


def zero(weights: Weights) -> Finding:
    """Every weight of a layer is exactly zero: whatever it is given, it passes on the same."""
    rule = "weights.zero"
    judged = [one for one in weights.parameters if _is_weight(one) and one.values.size]
    if not judged:
        return Finding(rule, Level.UNKNOWN)
    bad = [one.name for one in judged if _zero(one)]
    if not bad:
        return Finding(rule, Level.OK, (Evidence("layers", len(judged)),))
    evidence = (
        Evidence("zero", len(bad), limit=0, where=bad[0]),
        Evidence("layers", len(judged)),
        *(Evidence("zero_too", 1, where=name) for name in bad[1 : NAMED + 1]),
    )
    return Finding(rule, Level.PROBLEM, evidence)


def _evenness(one: Parameter) -> float:
    """Return the root mean square over that of values that are spread evenly between the ends."""
    reach = max(-one.values.least, one.values.greatest)
    return sqrt(3) * one.values.rms / reach if reach > 0 else 0.0


def _zero(one: Parameter) -> bool:
    return one.values.zeros == one.values.size > 0


def _is_weight(one: Parameter) -> bool:
    return "weight" in one.name.rpartition(".")[2]


def _matrices(weights: Weights) -> list[Parameter]:
    """Return the weight matrices, without tables of words: those start otherwise."""
    return [
        one
        for one in weights.parameters
        if _is_weight(one)
        and len(one.values.shape) > 1
        and not (one.kind or "").startswith("Embedding")
    ]
