"""What can be wrong with the data, the loss, and what is looked at: one rule for each disease."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kashika.view import Evidence, Finding, Level
from kashika.views.predictions.class_counts import lower

if TYPE_CHECKING:
    from kashika.views.predictions import Predictions
    from kashika.views.predictions.copies import Copies
    from kashika.views.predictions.last_activation import Twice
    from kashika.views.predictions.logged import Logged


def label_noise(
    predictions: Predictions,
    *,
    share: float = 0.03,
    gross: float = 0.1,
    chance: float = 0.8,
    ahead: float = 0.1,
    errors: float = 5.0,
    agree: float = 0.5,
) -> Finding:
    """Training samples deep in one class that have the label of another.

    Classes that overlap do so at their edges, while wrong labels lie everywhere. What two normal
    classes with as many errors would show among the deepest third is taken away.

    Of very many wrong labels the samples around them tell nothing. But a network that answers
    held-out samples better than those it was trained on, both in evaluation mode, was taught other
    labels than it is asked for; and so it was if its training samples contradict each other as if
    their labels were drawn by lot, while held-out ones agree.

    Parameters
    ----------
    share : of the deepest third, lower end of its interval, beyond what overlap explains, from
        which it is a warning
    gross : the same for a problem
    chance : errors of the simple model over those of a constant answer, above which its word
        counts for nothing
    ahead : accuracy on held-out samples less that on training samples, for a warning; three times
        that for a problem
    errors : standard errors that this difference must be beyond
    agree : errors of the simple model among the held-out samples over those of a constant answer,
        below which they agree

    References
    ----------
    Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels",
    JAIR 70, 2021.
    """
    rule, found = "predictions.label_noise", predictions.suspects
    train, held_out, apart = _right_answers(predictions)
    taught_otherwise = held_out - train >= ahead and held_out - train > errors * apart
    by_lot = found is not None and found.errors > chance * found.chance and found.held_out < agree
    # Where half of the answers are wrong, classes that overlap look no different.
    tells = found is not None and found.deep > 0 and (found.judges or not found.by_heart)
    blind = found is None or not tells or not found.errors <= min(chance * found.chance, 0.5)
    if blind and not taught_otherwise and not by_lot:
        return Finding(rule, Level.UNKNOWN)
    evidence = (
        Evidence("wrong_labels", found.against / max(found.deep, 1) if found else 0.0, limit=share),
        Evidence("at_least", found.at_least if found else 0.0),
        Evidence("against", found.against if found else 0),
        Evidence("deep", found.deep if found else 0),
        Evidence("errors", found.errors if found else np.nan),
        Evidence("by_overlap", found.by_overlap if found else 0.0),
        Evidence("errors_held_out", found.held_out if found else np.nan, limit=agree),
        Evidence("right_train", train, where="train"),
        Evidence("right_held_out", held_out),
        *(
            Evidence("sample", float(i), unit="sample", where="train")
            for i in (found.index[:10] if found and not blind else ())
        ),
    )
    beyond = found.at_least - found.by_overlap if found and not blind else 0.0
    if beyond >= gross or by_lot or (taught_otherwise and held_out - train >= 3 * ahead):
        return Finding(rule, Level.PROBLEM, evidence)
    if beyond >= share or taught_otherwise:
        return Finding(rule, Level.WARNING, evidence)
    return Finding(rule, Level.NOTE if beyond >= 0.01 else Level.OK, evidence)


def _right_answers(predictions: Predictions) -> tuple[float, float, float]:
    """Return the accuracy on train, the least of those held out, and the error of the difference.

    NaN where there are none to compare.
    """
    scored = {
        split: (one.correct / one.answers, one.answers)
        for split, one in predictions.scores.items()
        if one.correct is not None and one.answers
    }
    held_out = [scored[split] for split in ("valid", "test") if split in scored]
    if "train" not in scored or not held_out:
        return np.nan, np.nan, np.nan
    (right, n), (elsewhere, m) = scored["train"], min(held_out)
    return (
        right,
        elsewhere,
        float(np.sqrt(right * (1 - right) / n + elsewhere * (1 - elsewhere) / m)),
    )


def leakage(predictions: Predictions, *, share: float = 0.01, gross: float = 0.1) -> Finding:
    """Held-out samples that stand in the training split as well, to the last bit.

    Parameters
    ----------
    share : of the held-out samples, lower end of its interval, beyond what repeats by itself, from
        which it is a warning
    gross : the same for a problem

    References
    ----------
    Kapoor and Narayanan, "Leakage and the reproducibility crisis in machine-learning-based
    science", Patterns 4, 2023.
    """
    rule = "predictions.leakage"
    if not predictions.copies:
        return Finding(rule, Level.UNKNOWN)
    worst = max(predictions.copies, key=lambda one: (one.of == "train", _leaked(one)))
    if worst.of == "train" and _leaked(worst) <= 0:
        worst = max(predictions.copies, key=_leaked)
    named = [
        Evidence("sample", float(i), unit="sample", where=worst.split) for i in worst.index[:10]
    ]
    evidence = (
        Evidence(
            "copied_share", worst.copied / max(worst.samples, 1), limit=share, where=worst.split
        ),
        Evidence("copied", worst.copied, where=worst.of),
        Evidence("of_samples", worst.samples),
        Evidence("by_chance", worst.by_chance),
        *named,
    )
    beyond = _leaked(worst)
    if not worst.copied or not beyond > 0:
        return Finding(rule, Level.OK, evidence)
    if worst.of != "train" or worst.different < 3 or beyond < share:
        return Finding(rule, Level.NOTE, evidence)
    return Finding(rule, Level.PROBLEM if beyond >= gross else Level.WARNING, evidence)


def _leaked(one: Copies) -> float:
    """Return the share of copies that is left when what repeats by itself is taken away."""
    copied, samples = np.array([float(one.copied)]), np.array([float(one.samples)])
    return float(lower(copied, samples)[0]) - 1.5 * one.by_chance


def log_mismatch(
    predictions: Predictions,
    *,
    lost: float = 0.1,
    gross: float = 0.5,
    times: float = 2.0,
    behind: float = 0.03,
    errors: float = 3.0,
) -> Finding:
    """What the network does now is clearly worse than what the log says of it.

    Held-out splits decide, since the training split is measured otherwise while training: as a
    running mean, with dropout, on changed images. Accuracy decides where it was logged, since a
    logged loss may hold other terms, or another factor; but not where the loss is now nearly that
    of a constant answer, as it is where inputs of another scale have blown the logits up.

    Parameters
    ----------
    lost : share of what lay between the log and chance, from which it is a warning
    gross : the same for a problem
    times : so many times the mistakes that the log implies, from which it is a warning as well
    behind : accuracy that must be missing then
    errors : standard errors that the difference must be beyond

    References
    ----------
    Breck et al., "The ML test score", IEEE Big Data 2017: training and serving must not differ.
    """
    rule = "predictions.log_mismatch"
    held = [one for one in predictions.logged if one.split != "train"]
    judged = held or list(predictions.logged)
    beside = {one.split for one in judged if one.metric == "acc"}
    if not judged or predictions.misread:
        return Finding(rule, Level.UNKNOWN)
    sizes = [
        _lost_loss(one, lost=lost, errors=errors, beside_accuracy=one.split in beside)
        if one.metric == "loss"
        else _lost_accuracy(one, lost=lost, times=times, behind=behind, errors=errors)
        for one in judged
    ]
    # The accuracy is named where both say the same.
    k = max(range(len(judged)), key=lambda k: (sizes[k] > 0, judged[k].metric == "acc", sizes[k]))
    worst, size = judged[k], sizes[k]
    evidence = (
        Evidence("now", worst.now, where=f"{worst.split}_{worst.metric}"),
        Evidence("logged_value", worst.logged, where=f"{worst.split}_{worst.metric}"),
        Evidence("lost", worst.lost, limit=lost),
        Evidence("difference_in_errors", worst.worse / max(worst.error, 1e-12), limit=errors),
    )
    if size > 0 and not (worst.split == "train" and worst.lost < gross):
        return Finding(rule, Level.PROBLEM if size >= gross else Level.WARNING, evidence)
    better = worst.metric == "acc" and -worst.worse > 0.05 + errors * worst.error
    return Finding(rule, Level.NOTE if better and worst.split != "train" else Level.OK, evidence)


def _lost_accuracy(
    one: Logged, *, lost: float, times: float, behind: float, errors: float
) -> float:
    """Return the share that was lost, 0 where it is none of consequence."""
    many = 1 - one.now >= times * (1 - one.logged) and one.worse >= behind
    there = one.worse > max(0.02, errors * one.error) and (one.lost >= lost or many)
    return one.lost if there else 0.0


def _lost_loss(one: Logged, *, lost: float, errors: float, beside_accuracy: bool) -> float:
    """Return the share that was lost, 0 where it is none of consequence."""
    # A loss of twice the size, or sixteen times, is the same loss summed or averaged otherwise.
    ratio = one.now / one.logged if one.logged > 0 else np.inf
    whole = 2 <= ratio < 65 and abs(ratio / round(ratio) - 1) < 0.002
    if whole or not ratio >= 2:
        return 0.0
    if beside_accuracy:
        # The samples are mostly the same, and a few great losses make their error great as well.
        there = ratio >= 3 and one.worse > errors / 2 * one.error and one.now >= 0.75 * one.chance
        return one.lost if there and one.lost >= 3 * lost else 0.0
    if not one.worse > errors * one.error:
        return 0.0
    if not np.isfinite(one.lost):
        return lost if ratio > 5 else 0.0
    return one.lost if one.lost >= lost else 0.0


def mode_gap(
    predictions: Predictions,
    *,
    share: float = 0.2,
    gross: float = 0.5,
    dropped: float = 0.5,
    logged: float = 0.2,
    errors: float = 4.0,
) -> Finding:
    """The network answers otherwise in evaluation mode than in training mode, beyond noise.

    Worse in evaluation: batch norm's running statistics are not those of the data. Worse in
    training: dropout takes most of what was learned away; or the batches of the training were so
    small that batch norm's statistics were mostly noise, which only the log can tell.

    Parameters
    ----------
    share : of what the better mode has learned, lost in evaluation, from which it is a warning
    gross : the same for a problem
    dropped : lost in training mode, for a warning
    logged : lost in training mode by the log, with batch norm alone, for a warning
    errors : spreads of repeated runs in training mode that the difference must be beyond

    References
    ----------
    Ioffe, "Batch renormalization", NeurIPS 2017; Ben Braiek and Khomh, "TheDeepChecker", 2022.
    """
    rule, modes = "predictions.mode_gap", predictions.modes
    if modes is None or not modes.training.size or not np.isfinite(modes.training).all():
        return Finding(rule, Level.UNKNOWN)
    training, evaluating = float(np.mean(modes.training)), modes.evaluating
    spread = float(np.std(modes.training))
    better = min(training, evaluating)
    reach = predictions.modes_chance - better
    # In neither mode has it learned anything, so there is nothing to lose.
    if not np.isfinite(evaluating) or not reach > 0.1 * abs(predictions.modes_chance):
        return Finding(rule, Level.UNKNOWN)
    only_norms = all("BatchNorm" in kind for kind in modes.kinds)
    noisy = only_norms and predictions.loss_while_training - training >= logged * reach
    if noisy:
        training = predictions.loss_while_training
    apart = evaluating - training
    evidence = (
        Evidence("loss_evaluating", evaluating),
        Evidence("loss_training", training),
        Evidence("mode_lost", abs(apart) / reach, limit=share if apart > 0 else dropped,
                 where=", ".join(dict.fromkeys(modes.kinds))),
        Evidence("spread", spread, limit=errors),
    )  # fmt: skip
    if noisy:
        return Finding(rule, Level.WARNING, evidence)
    if not abs(apart) > errors * spread:
        return Finding(rule, Level.OK, evidence)
    if apart > 0:
        level = Level.WARNING if apart >= share * reach else Level.OK
        return Finding(rule, Level.PROBLEM if apart >= gross * reach else level, evidence)
    return Finding(rule, Level.WARNING if -apart >= dropped * reach else Level.OK, evidence)


def double_softmax(predictions: Predictions) -> Finding:
    """The outputs are probabilities already, and the loss applies softmax once more.

    References
    ----------
    PyTorch, documentation of CrossEntropyLoss: the input is expected to contain unnormalised
    logits.
    """
    rule, found = "predictions.double_softmax", predictions.twice
    if predictions.classified is None or not predictions.classes_apart:
        return Finding(rule, Level.UNKNOWN)
    if found is None or found.function != "softmax":
        return Finding(rule, Level.OK)
    return Finding(rule, Level.PROBLEM if found.sure else Level.OK, _both_losses(found))


def double_sigmoid(predictions: Predictions) -> Finding:
    """The outputs are probabilities already, and the loss applies the sigmoid once more.

    References
    ----------
    PyTorch, documentation of BCEWithLogitsLoss: it combines a sigmoid layer and the loss.
    """
    rule, found = "predictions.double_sigmoid", predictions.twice
    if not predictions.yes_or_no:
        return Finding(rule, Level.UNKNOWN)
    if found is None or found.function != "sigmoid":
        return Finding(rule, Level.OK)
    return Finding(rule, Level.PROBLEM if found.sure else Level.OK, _both_losses(found))


def _both_losses(found: Twice) -> tuple[Evidence, ...]:
    return (
        Evidence("loss_twice", found.twice),
        Evidence("loss_once", found.once),
        Evidence("floor", found.floor),
        Evidence("logged_value", found.logged),
    )


def output_activation(
    predictions: Predictions, *, lost: float = 0.01, gross: float = 0.1, surest: float = 0.9
) -> Finding:
    """The last activation cannot give what the targets or the loss ask for.

    Parameters
    ----------
    lost : share of the targets' variance that lies out of reach, from which it is a warning
    gross : the same for a problem
    surest : the network must be able to be as sure as this of a class

    References
    ----------
    Goodfellow, Bengio and Courville, "Deep learning", 2016, section 6.2.2: output units.
    """
    rule, last = "predictions.output_activation", predictions.last
    if last is None:
        return Finding(rule, Level.UNKNOWN)
    evidence = (
        Evidence("unreachable", last.lost, limit=lost, where=last.kind),
        Evidence("lowest", last.least),
        Evidence("highest", last.greatest),
        Evidence("outside", last.outside),
        Evidence("surest", last.surest, limit=surest),
        Evidence("shut", last.shut),
    )
    twice_already = predictions.twice is not None and predictions.twice.sure
    if not last.kind or twice_already:
        return Finding(rule, Level.OK, evidence)
    if last.lost >= gross or last.shut > 0 or last.surest < 0.5:
        return Finding(rule, Level.PROBLEM, evidence)
    closes = last.kind in ("ReLU", "ReLU6") and predictions.as_logits
    if last.lost >= lost or last.surest < surest or closes:
        return Finding(rule, Level.WARNING, evidence)
    return Finding(rule, Level.OK, evidence)
