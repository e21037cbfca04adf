"""What can be wrong with what the network learned: one rule for each disease."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kashika.distribution import IntArray
from kashika.view import Evidence, Finding, Level

if TYPE_CHECKING:
    from kashika.views.predictions import Predictions


def constant(predictions: Predictions, *, share: float = 0.05) -> Finding:
    """One answer for (almost) everything.

    Where the loss is below that of a constant answer all the same, the probabilities do follow the
    input; and where a simple model on the same data gives one answer as well, that may be the best
    there is. Both are so for a rare class that little tells from the others: a note, and no fault.

    Parameters
    ----------
    share : entropy of the answers over entropy of the true classes, or spread of a regression's
        answers over spread of its targets, below which the answers count as constant

    References
    ----------
    Karpathy, "A recipe for training neural networks", 2019.
    """
    rule = "predictions.constant"
    evidence: tuple[Evidence, ...] = ()
    if predictions.classified is not None:
        if predictions.classified.unanswered or predictions.misread:
            return Finding(rule, Level.UNKNOWN)
        confusion = predictions.classified.confusion
        answers = confusion.sum(axis=0)
        variety, needed = _entropy(answers), _entropy(confusion.sum(axis=1))
        share_of_most = float(answers.max() / max(answers.sum(), 1))
        most = f"class {int(predictions.classified.classes[np.argmax(answers)])}"
        evidence = (Evidence("of_most", share_of_most, where=most),)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            variety, needed = float(np.std(predictions.predicted)), float(np.std(predictions.true))
    if not needed > 0 or not np.isfinite(variety) or not np.isfinite(needed):
        return Finding(rule, Level.UNKNOWN)
    evidence = (Evidence("variety", variety / needed, limit=share), *evidence)
    if variety / needed >= share:
        return Finding(rule, Level.OK, evidence)
    simple, loss = predictions.simple, predictions.scores[predictions.split].loss
    best_there_is = simple is not None and simple.variety < share
    follows = predictions.task.classifies and loss < 0.95 * predictions.chance_loss
    return Finding(rule, Level.NOTE if best_there_is or follows else Level.PROBLEM, evidence)


def underfitting(
    predictions: Predictions,
    *,
    share: float = 0.85,
    gross: float = 0.5,
    times: float = 2.0,
    behind: float = 0.03,
    errors: float = 3.0,
) -> Finding:
    """On the data it was trained on, the network is clearly worse than a simple model.

    A hard problem that is learned as well as a simple model can is no fault. The simple models
    answer for samples that they have not seen, which gives the network the advantage. Of two ways
    of counting the one that is better for the network decides.

    Either it has gained too little, or it makes too many mistakes: where nearly everything can be
    right, most of the way to there is gained early, and the mistakes that are left tell more.

    Parameters
    ----------
    share : of what the simple model gains over a constant answer, below which it is a warning
    gross : the same for a problem
    times : so many times what the simple model leaves wrong, from which it is a warning as well
    behind : score by which the simple model must be ahead then
    errors : standard errors by which the simple model must be ahead

    References
    ----------
    Deepchecks, "Simple model comparison": gain of at least 0.1; Karpathy, "A recipe for training
    neural networks", 2019.
    """
    rule, simple = "predictions.underfitting", predictions.simple
    train = predictions.scores.get("train")
    silent = train is not None and train.unanswered > train.samples / 2  # broken, not too small
    if simple is None or predictions.misread or silent:
        return Finding(rule, Level.UNKNOWN)
    reach = simple.simple - simple.chance
    gains = [
        (float((score - chance) / whole) if whole > _NOTHING else np.inf)
        for score, chance, whole in zip(simple.network, simple.chance, reach, strict=True)
    ]
    k = int(np.argmax(gains))
    if not reach[k] > _NOTHING:
        k = 0
        if not simple.network[k] - simple.chance[k] > _NOTHING:  # nobody learned anything
            return Finding(rule, Level.UNKNOWN)
    network, best = float(simple.network[k]), float(simple.simple[k])
    evidence = (
        Evidence("network_score", network),
        Evidence("simple_score", best, where=simple.better),
        Evidence("chance_score", float(simple.chance[k])),
        Evidence("gained", min(gains[k], 10.0), limit=share),
        Evidence("left_wrong", 1 - network, limit=times * (1 - best)),
        Evidence("simple_left_wrong", 1 - best),
        Evidence("samples", simple.samples),
    )
    many = 1 - network >= times * (1 - best) and best - network >= behind
    counts = gains[k] < share or many
    if not counts or not bool((simple.lead > errors).all()):
        return Finding(rule, Level.OK, evidence)
    # Worse than a constant, but only since the targets are in another unit than in the training.
    rescaled = bool((simple.rescaled >= share * simple.simple).all())
    if predictions.improving or (rescaled and bool((simple.network < 0).all())):
        return Finding(rule, Level.UNKNOWN)
    return Finding(rule, Level.PROBLEM if gains[k] < gross else Level.WARNING, evidence)


def class_ignored(
    predictions: Predictions, *, recall: float = 0.3, probability: float = 0.5
) -> Finding:
    """A class that is hardly ever the answer, or that is missing from the training data.

    Where classes overlap, the rarer one may rightly never be the answer. Its probability is then
    as large as the class is frequent, all samples together; of an ignored class it is not.

    Parameters
    ----------
    recall : of the best found class, below which that of an ignored one lies, with its interval
    probability : that the network gives to the class over the share that it has, below which it
        counts as ignored

    References
    ----------
    Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    rule, counts = "predictions.class_ignored", predictions.counts
    if counts is None or predictions.misread:
        return Finding(rule, Level.UNKNOWN)
    there, found = counts.there, counts.found
    share_found = found / np.maximum(there, 1)
    if not there.any() or not (found > 0).any():
        return Finding(rule, Level.UNKNOWN)
    seldom = (there > 0) & (counts.recall_at_most < recall * share_found.max())
    unlikely = counts.given + 3 * counts.error < probability * there
    ignored = np.union1d(np.flatnonzero(seldom & unlikely), counts.missing)
    only_seldom = np.flatnonzero(seldom)
    shown = ignored if ignored.size else only_seldom
    # Of several the commonest one is named.
    k = int(shown[np.argmax(there[shown])]) if shown.size else int(np.argmin(share_found))
    in_train = np.nan if counts.train is None else float(counts.train[k])
    evidence = (
        Evidence("ignored", float(shown.size)),
        Evidence("recall", float(share_found[k]), limit=recall * share_found.max(), where=str(k)),
        Evidence("given", float(counts.given[k] / max(there[k], 1)), limit=probability),
        Evidence("in_train", in_train, where=str(k)),
    )
    if not shown.size:
        return Finding(rule, Level.OK, evidence)
    if not ignored.size:
        return Finding(rule, Level.NOTE, evidence)
    common = there[k] >= 0.5 * there.sum() / np.count_nonzero(there)
    gross = counts.missing.size or common
    return Finding(rule, Level.PROBLEM if gross else Level.WARNING, evidence)


def imbalance(
    predictions: Predictions,
    *,
    ratio: float = 10.0,
    costly: float = 3.0,
    recall: float = 0.8,
    probability: float = 0.7,
    noise: float = 0.15,
) -> Finding:
    """Some classes are far rarer in the training data than others.

    That is a note. It is a warning where held-out samples of such a class are found less often,
    and the network thinks the class less likely than it is.

    Parameters
    ----------
    ratio : commonest class over rarest one, from which it is worth a note (SageMaker Debugger)
    costly : the same for a warning, where it costs recall
    recall : of the commonest class, below which that of a rare one lies
    probability : that the network gives to the class over the share that it has, below which it
        counts as underrated
    noise : share of both that must be missing beyond noise

    References
    ----------
    AWS, "SageMaker Debugger built-in rules": ClassImbalance; He and Garcia, "Learning from
    imbalanced data", IEEE TKDE 21, 2009.
    """
    rule, counts = "predictions.imbalance", predictions.counts
    if counts is None or counts.train is None or predictions.misread:
        return Finding(rule, Level.UNKNOWN)
    if np.count_nonzero(counts.train) < 2:
        return Finding(rule, Level.UNKNOWN)
    there = counts.train > 0
    rarest = int(np.argmin(np.where(there, counts.train, np.inf)))
    commonest = int(np.argmax(counts.train))
    times = counts.train[commonest] / np.maximum(counts.train, 1)
    rare = there & (times >= ratio)
    best = counts.held_found[commonest] / max(counts.held_there[commonest], 1)
    missed = (counts.held_found < recall * best * counts.held_there) & (
        counts.held_recall_at_most < (1 - noise) * best
    )
    underrated = (counts.held_given < probability * counts.held_there) & (
        counts.held_given + 3 * counts.held_error < (1 - noise) * counts.held_there
    )
    costs = np.flatnonzero(there & (times >= costly) & missed & underrated)
    k = int(costs[np.argmax(counts.held_there[costs])]) if costs.size else rarest
    held = counts.held_there[k]
    evidence = (
        Evidence("times", float(times[k]), limit=costly if costs.size else ratio),
        Evidence("in_train", float(counts.train[k]), where=str(k)),
        Evidence("recall", float(counts.held_found[k] / held) if held else np.nan, where=str(k)),
        Evidence("given", float(counts.held_given[k] / held) if held else np.nan),
        Evidence("most_in_train", float(counts.train[commonest]), where=str(commonest)),
    )
    if not rare.any() and not costs.size:
        return Finding(rule, Level.OK, evidence)
    return Finding(rule, Level.WARNING if costs.size else Level.NOTE, evidence)


def overconfident(
    predictions: Predictions, *, gap: float = 0.08, gross: float = 0.2, errors: float = 3.0
) -> Finding:
    """On held-out samples the network is surer than it is right, beyond noise.

    Parameters
    ----------
    gap : mean confidence less accuracy, from which it is a warning
    gross : the same for a problem
    errors : standard errors that the gap must be beyond

    References
    ----------
    Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    rule, found = "predictions.overconfident", predictions.calibration
    if found is None or found.split == "train" or predictions.classified is None:
        return Finding(rule, Level.UNKNOWN)
    if not np.isfinite(found.gap) or predictions.misread:
        return Finding(rule, Level.UNKNOWN)
    ece = predictions.classified.ece
    evidence = (
        Evidence("gap", found.gap, limit=gap, where=found.split),
        Evidence("confidence", found.confidence),
        Evidence("accuracy", found.accuracy),
        Evidence("ece", ece, limit=found.by_chance),
        Evidence("samples", found.samples),
    )
    if not (found.gap >= gap and found.gap > errors * found.error and ece > found.by_chance):
        return Finding(rule, Level.OK, evidence)
    return Finding(rule, Level.PROBLEM if found.gap >= gross else Level.WARNING, evidence)


_NOTHING = 0.02
"""So little above a constant answer is nothing."""


def _entropy(counts: IntArray) -> float:
    share = counts[counts > 0] / max(counts.sum(), 1)
    return float(np.sum(share * np.log(1 / share)))
