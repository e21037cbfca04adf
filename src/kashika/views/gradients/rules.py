"""What can be wrong with the gradients: one rule for each disease."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kashika.view import Evidence, Finding, Level

if TYPE_CHECKING:
    from kashika.views.gradients import Gradients


NAMED = 10
"""So many further layers a finding names, so that pictures mark them."""


def nonfinite(gradients: Gradients) -> Finding:
    """A gradient is NaN or infinite: the step that it makes breaks the weights."""
    rule = "gradients.nonfinite"
    if not gradients.gradients:
        return Finding(rule, Level.UNKNOWN)
    bad = [
        (g.values.nan + g.values.infinite, g.parameter)
        for g in gradients.gradients
        if g.values.nan + g.values.infinite
    ]
    if not bad:
        return Finding(rule, Level.OK, (Evidence("parameters", len(gradients.gradients)),))
    evidence = (
        Evidence("count", sum(count for count, _ in bad), limit=0),
        Evidence("in_first", bad[0][0], where=bad[0][1]),
        Evidence("parameters", len(bad)),
        *(Evidence("in_other", count, where=name) for count, name in bad[1 : NAMED + 1]),
    )
    return Finding(rule, Level.PROBLEM, evidence)


def missing(gradients: Gradients, *, share: float = 0.5) -> Finding:
    """Parameters are to be trained, and the loss does not depend on them: nothing moves them.

    A layer that is never called, or one before a `detach`, gets no gradient at all.

    Parameters
    ----------
    share : of the values that are to be trained, from which it is a problem

    References
    ----------
    PyTorch's documentation of `torch.autograd.grad`, on `allow_unused`.
    """
    rule = "gradients.missing"
    if not gradients.gradients and not gradients.unused:
        return Finding(rule, Level.UNKNOWN)
    count = len(gradients.gradients) + len(gradients.unused)
    if not gradients.unused:
        return Finding(rule, Level.OK, (Evidence("parameters", count),))
    held = gradients.unused_share
    evidence = (
        Evidence("missing", len(gradients.unused), limit=0, where=gradients.unused[0]),
        Evidence("parameters", count),
        Evidence("missing_share", held, limit=share),
        *(Evidence("missing_too", 1, where=name) for name in gradients.unused[1 : NAMED + 1]),
    )
    return Finding(rule, Level.PROBLEM if held >= share else Level.WARNING, evidence)


def zero(gradients: Gradients, *, converged: float = 0.1) -> Finding:
    """The gradient of a layer is exactly zero: no sample tells it anything.

    Rounding leaves something of a small gradient. Exact zeros come of units that are off for every
    sample, or of weights behind the layer that are all zero.

    Parameters
    ----------
    converged : share of the loss of a constant answer, up to which it is only a note

    References
    ----------
    Lu et al., "Dying ReLU and initialization", 2019.
    """
    rule = "gradients.zero"
    layers: dict[str, list[bool]] = {}
    for g in gradients.gradients:
        if len(g.weights.shape) > 1 and g.values.size:
            layers.setdefault(g.layer, []).append(g.values.zeros == g.values.size)
    if not layers:
        return Finding(rule, Level.UNKNOWN)
    names = {g.layer: g.parameter for g in reversed(gradients.gradients) if g.layer in layers}
    found = [names[layer] for layer, zeros in layers.items() if all(zeros)]
    learned = gradients.learned
    if not found:
        return Finding(rule, Level.OK, (Evidence("layers", len(layers)),))
    evidence = (
        Evidence("zero", len(found), limit=0, where=found[0]),
        Evidence("layers", len(layers)),
        *(Evidence("zero_too", 1, where=name) for name in found[1 : NAMED + 1]),
    )
    if learned <= converged:
        return Finding(rule, Level.NOTE, evidence)
    # Of a loss that cannot be compared nobody knows whether anything was left to learn.
    return Finding(rule, Level.PROBLEM if learned > converged else Level.WARNING, evidence)


def vanishing(gradients: Gradients, *, ratio: float = 1e-3, converged: float = 0.1) -> Finding:
    """The first layer's gradient lies far below the last one's, while the loss is still high.

    Gradients are those of typical samples, in relation to the weights, and compared between layers,
    not with an absolute floor: near a minimum all gradients are small, and that is convergence.

    Parameters
    ----------
    ratio : first layer over last layer, below which the first one counts as standing still
    converged : share of the loss at chance, below which nothing is left to learn

    References
    ----------
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010, section 4; Zhang et al., "AUTOTRAINER", ICSE 2021, for the ratio and
    for judging only what has not converged.
    """
    rule = "gradients.vanishing"
    # Where nothing arrives at all, that is another disease.
    relative = {name: value for name, value in gradients.relative_pull.items() if value > 0}
    broken = any(g.values.nan + g.values.infinite for g in gradients.matrices)
    if len(relative) < 2 or broken:
        return Finding(rule, Level.UNKNOWN)
    (first, at_first), *_, (last, at_last) = relative.items()
    learned = gradients.learned
    evidence: tuple[Evidence, ...] = (
        Evidence("first_over_last", at_first / at_last, limit=ratio, where=first),
        Evidence("last", at_last, where=last),
    )
    if np.isfinite(learned):
        evidence += (Evidence("loss_over_chance", learned, limit=converged),)
    if at_first / at_last >= ratio:
        return Finding(rule, Level.OK, evidence)
    if not np.isfinite(learned):
        return Finding(rule, Level.UNKNOWN, evidence)
    return Finding(rule, Level.PROBLEM if learned > converged else Level.OK, evidence)


def exploding(gradients: Gradients, *, steep: float = 200.0, gross: float = 2_000.0) -> Finding:
    """The loss of a typical sample is so steep that hardly a step is short enough.

    The norm of a layer's gradient times that of its weights, over the loss of a constant answer:
    by how many such losses a sample's would change, to first order, if the weights moved by their
    own size. It does not depend on the unit of the loss, nor on that of the weights. A training
    that goes well has up to some tens.

    Parameters
    ----------
    steep : from which it is a warning: half a per cent of the weights outweighs all that is learned
    gross : from which it is a problem

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML
    2013; You et al., "Large batch training of convolutional networks", 2017, for the ratio.
    """
    rule = "gradients.exploding"
    chance, pull = gradients.chance_loss, gradients.pull
    slopes = {
        name: pull[name] * size / chance
        for name, size in gradients.sizes.items()
        if name in pull and chance > 0
    }
    slopes = {name: slope for name, slope in slopes.items() if np.isfinite(slope)}
    if not slopes:
        return Finding(rule, Level.UNKNOWN)
    worst = max(slopes, key=lambda name: slopes[name])
    evidence = (
        Evidence("steepness", slopes[worst], limit=steep, where=worst),
        Evidence("layers", len(slopes)),
    )
    level = Level.OK if slopes[worst] < steep else Level.WARNING
    return Finding(rule, Level.PROBLEM if slopes[worst] >= gross else level, evidence)


def outliers(gradients: Gradients, *, few: float = 0.01, share: float = 0.5) -> Finding:
    """A few samples pull harder than all others together: look at their labels.

    A step follows the mean over the samples, so it mostly goes where these few want it.

    Parameters
    ----------
    few : share of the samples, at least one
    share : of the summed norm, above which the few outweigh the others

    References
    ----------
    Paul et al., "Deep learning on a data diet", NeurIPS 2021: the norm of a sample's gradient
    tells examples that are hard or wrongly labelled.
    """
    rule = "gradients.outliers"
    if gradients.pulls is None or len(gradients.pulls.norms) * few < 1:
        return Finding(rule, Level.UNKNOWN)
    count = int(len(gradients.pulls.norms) * few)
    held = gradients.pulls.share_of(count)
    if not np.isfinite(held):
        return Finding(rule, Level.UNKNOWN)
    evidence = (
        Evidence("share_of_few", held, limit=share),
        Evidence("sample", int(gradients.pulls.index[0]), unit="sample", where=gradients.split),
        Evidence("few", count),
        Evidence("samples", len(gradients.pulls.norms)),
    )
    return Finding(rule, Level.NOTE if held > share else Level.OK, evidence)
