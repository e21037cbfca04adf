"""What can be wrong with the features: one rule for each disease."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kashika.view import Evidence, Finding, Level

if TYPE_CHECKING:
    from kashika.views.features import Features


FEW = 30
"""On fewer samples a unit that is never active may be a healthy one."""


WIDE = 1.5
"""Effective rank of features that lie along more than a line."""

NARROW = 2.0
"""Effective rank up to which units are mostly on for all samples or off for all."""

SAME = 1e-4
"""Share of variance below which a unit is on for all samples or for none."""

BARELY = 0.05
"""A first layer that passes on less than that of the inputs' spread works on scaled ones."""


def unscaled_input(
    features: Features,
    *,
    high: float = 20.0,
    low: float = 0.01,
    spread: float = 100.0,
    failed: float = 0.5,
) -> Finding:
    """The inputs are far from unit scale, or a few columns are far larger than the others.

    A layer is drawn for inputs about as large as one. Of larger ones it makes sums that saturate
    units or kill them, and the largest column alone sets how long a step may be. Not meant are
    networks that normalise their inputs first, tokens, and columns that are mostly zero.

    Parameters
    ----------
    high, low : root mean square of the largest column, above and below which it is a warning
    spread : the largest over the median column, above which it is one
    failed : share of the errors of a constant answer that is left, above which it is a problem

    References
    ----------
    LeCun et al., "Efficient BackProp", 1998, section 4.3; Schoop et al., "UMLAUT", CHI 2021.
    """
    rule = "features.unscaled_input"
    scale = features.inputs
    if scale is None:
        return Finding(rule, Level.UNKNOWN)
    small = scale.greatest < low
    evidence = (
        Evidence("input_rms", scale.greatest, limit=low if small else high, where=scale.split),
        Evidence("column", scale.column),
        Evidence("input_spread", scale.spread, limit=spread if scale.comparable else None),
        Evidence("columns", scale.columns),
    )
    uneven = scale.comparable and scale.spread > spread
    # Where the gain is not known, the network sees what it is given.
    inside = scale.gain > 1 / BARELY if small else scale.gain < BARELY
    if not (small or scale.greatest > high or uneven) or scale.normalised or inside:
        return Finding(rule, Level.OK, evidence)
    return Finding(rule, Level.PROBLEM if features.unlearned > failed else Level.WARNING, evidence)


def unscaled_target(
    features: Features,
    *,
    high: float = 20.0,
    low: float = 0.01,
    fitted: float = 0.02,
    poorly: float = 0.1,
    failed: float = 0.5,
) -> Finding:
    """The targets of a regression are far from unit scale, and the network is behind a simple fit.

    Its outputs start near zero. Until they are as large as the targets, the steps go there, and
    the loss and its gradients are as large as the square of the targets. A quadratic fit, which no
    scale disturbs, says what would have been possible at least: the network, on the samples that it
    was trained on, should leave less than that would on new ones.

    Parameters
    ----------
    high, low : root mean square of the largest column, above and below which it is worth a note
    fitted : share of the variance that is left, up to which nothing is wrong
    poorly : share above which it is a warning where no such fit can be made
    failed : share above which a warning is a problem

    References
    ----------
    Bishop, "Neural networks for pattern recognition", 1995, section 8.2; Golub, Heath and Wahba,
    Technometrics 21, 1979.
    """
    rule = "features.unscaled_target"
    scale, left = features.targets, features.unlearned
    if scale is None:
        return Finding(rule, Level.UNKNOWN)
    expected = features.quadratic if np.isfinite(features.quadratic) else poorly
    evidence = (
        Evidence("target_rms", scale.greatest, limit=high if scale.greatest > low else low),
        Evidence("variance_left", left, limit=max(expected, fitted)),
    )
    if low <= scale.greatest <= high:
        return Finding(rule, Level.OK, evidence)
    if left <= max(expected, fitted):
        return Finding(rule, Level.NOTE, evidence)
    return Finding(rule, Level.WARNING if left <= failed else Level.PROBLEM, evidence)


def dead_units(
    features: Features,
    *,
    share: float = 0.5,
    many: float = 0.6,
    most: float = 0.75,
    gross: float = 0.9,
    failed: float = 0.2,
) -> Finding:
    """Many ReLU units of a layer are active on no sample at all.

    A unit that is off for some samples is normal; only one that is off for every sample of every
    split counts. A healthy network of the seed's kind has up to a third of them, and late layers
    of deep ones, which are given little more than one direction, half of them: there each unit is
    on for all samples or off.

    Parameters
    ----------
    share : share of a layer's units from which it is worth a note (SageMaker Debugger,
        TheDeepChecker), and a warning where the network fails and the layer is given more than that
    many : share from which it is a warning where the layer is given more than a line: with so much
        to tell apart, hardly any unit of a fresh layer is off for all samples
    most : share from which it is a warning in any case: more than that is not chance
    gross : share from which it is a problem: the layer passes hardly anything on
    failed : share of a constant answer's errors that is left, above which the network fails

    References
    ----------
    Lu et al., "Dying ReLU and initialization", 2019; Ben Braiek and Khomh, "TheDeepChecker", 2022.
    """
    rule = "features.dead_units"
    judged = [
        ((one.dead or 0) / one.units, one, before)
        for before, one in zip([None, *features.separations], features.separations, strict=False)
        if one.dead is not None
        and one.units
        and one.samples >= FEW
        # What is given the same for all samples has half of its units off, and behind weights that
        # are all zero it may have all of them: that is not their disease.
        and not (one.variation < SAME and one.dead < gross * one.units)
        and not (before is not None and before.variation == 0)
    ]
    if not judged:
        return Finding(rule, Level.UNKNOWN)
    dead, worst, before = max(judged, key=lambda one: one[0])
    evidence = (
        Evidence("dead_share", dead, limit=share, where=worst.layer),
        Evidence("dead", worst.dead or 0, where=worst.layer),
        Evidence("units", worst.units, where=worst.layer),
        Evidence("samples", worst.samples),
    )
    wide = before is None or before.effective_rank > NARROW
    level = Level.OK if dead < share else Level.NOTE
    costs = level is Level.NOTE and features.unlearned > failed
    if dead >= most or (wide and (dead >= many or costs)):
        level = Level.WARNING
    return Finding(rule, Level.PROBLEM if dead >= gross else level, evidence)


def saturated_units(features: Features, *, share: float = 0.7, gross: float = 0.9) -> Finding:
    """Most outputs of a hidden layer lie at an end of tanh or sigmoid, where no gradient passes.

    The last layer is not meant: sure answers lie at an end.

    Parameters
    ----------
    share : of the outputs of a layer, from which it is a warning; of a normal distribution so much
        lies beyond where its deviation is five times what these functions are made for
    gross : share from which it is a problem

    References
    ----------
    Glorot and Bengio, AISTATS 2010, section 3; Ben Braiek and Khomh, "TheDeepChecker", 2022.
    """
    rule = "features.saturated_units"
    judged = [
        (one.saturated, one)
        for one in features.separations
        if one.saturated is not None and one.hidden and one.samples >= FEW
    ]
    if not judged:
        return Finding(rule, Level.UNKNOWN)
    worst, layer = max(judged, key=lambda pair: pair[0])
    evidence = (
        Evidence("saturated", worst, limit=share, where=layer.layer),
        Evidence("layers", len(judged)),
        Evidence("saturated_layers", sum(one >= share for one, _ in judged)),
        Evidence("samples", layer.samples),
    )
    level = Level.OK if worst < share else Level.WARNING
    return Finding(rule, Level.PROBLEM if worst >= gross else level, evidence)


def collapsed(
    features: Features,
    *,
    variation: float = 1e-4,
    rank: float = 1.1,
    failed: float = 0.5,
    left: float = 0.2,
) -> Finding:
    """A hidden layer puts out nearly the same for every sample, or spreads them along one line.

    Both may be right where the network answers right: late layers of a classifier need no more
    directions than classes less one. So it counts only beside errors.

    Parameters
    ----------
    variation : share of the mean square that is variance between samples, below which the layer
        says the same of all of them: its deviation is one per cent of its size
    rank : effective rank below which there is a single direction
    failed : share of a constant answer's errors that is left, above which sameness is a problem
    left : above which a single direction is a warning, where the targets need more

    References
    ----------
    Roy and Vetterli, EUSIPCO 2007; Papyan, Han and Donoho, "Prevalence of neural collapse", PNAS
    117, 2020, for what is healthy.
    """
    rule = "features.collapsed"
    judged = [
        one
        for one in features.separations
        if one.hidden and one.samples >= FEW and np.isfinite(one.variation)
    ]
    if not judged or not np.isfinite(features.unlearned):
        return Finding(rule, Level.UNKNOWN)
    same = next((one for one in judged if one.variation < variation), None)
    # A sequence of single numbers is narrow to begin with: something before it must be wide.
    wide = features.inputs is not None and features.inputs.comparable
    begin = 0 if wide else next((i for i, o in enumerate(judged) if o.effective_rank > WIDE), None)
    later = [] if begin is None else judged[begin:]
    narrow = next((one for one in later if one.effective_rank < rank), None)
    level, shown = Level.OK, min(judged, key=lambda one: one.variation)
    if same is not None and features.unlearned > failed:
        level, shown = Level.PROBLEM, same
    elif narrow is not None and features.directions > 1 and features.unlearned > left:
        level, shown = Level.WARNING, narrow
    evidence = (
        Evidence("variation", shown.variation, limit=variation, where=shown.layer),
        Evidence("effective_rank", shown.effective_rank, limit=rank, where=shown.layer),
        Evidence("units", shown.units, where=shown.layer),
        Evidence("errors_left", features.unlearned, limit=failed if same is not None else left),
    )
    return Finding(rule, level, evidence)
