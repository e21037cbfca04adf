"""What can be wrong with the answers: one rule for each disease."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kashika.distribution import IntArray
from kashika.view import Evidence, Finding, Level

if TYPE_CHECKING:
    from kashika.views.predictions import Predictions


def constant(predictions: Predictions, *, share: float = 0.05) -> Finding:
    """One answer for (almost) everything.

    Parameters
    ----------
    share : entropy of the answers over entropy of the true classes, or spread of a regression's
        answers over spread of its targets, below which the answers count as constant
    """
    rule = "predictions.constant"
    evidence: tuple[Evidence, ...] = ()
    if predictions.classified is not None:
        if predictions.classified.unanswered:
            return Finding(rule, Level.UNKNOWN)
        confusion = predictions.classified.confusion
        answers = confusion.sum(axis=0)
        variety, needed = _entropy(answers), _entropy(confusion.sum(axis=1))
        share_of_most = float(answers.max() / max(answers.sum(), 1))
        most = f"class {int(predictions.classified.classes[np.argmax(answers)])}"
        evidence = (Evidence("of_most", share_of_most, where=most),)
    else:
        variety, needed = float(np.std(predictions.predicted)), float(np.std(predictions.true))
    if not needed > 0 or not np.isfinite(variety):
        return Finding(rule, Level.UNKNOWN)
    evidence = (Evidence("variety", variety / needed, limit=share), *evidence)
    return Finding(rule, Level.PROBLEM if variety / needed < share else Level.OK, evidence)


def _entropy(counts: IntArray) -> float:
    share = counts[counts > 0] / max(counts.sum(), 1)
    return float(np.sum(share * np.log(1 / share)))
