"""What can be wrong with the gradients: one rule for each disease."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kashika.view import Evidence, Finding, Level

if TYPE_CHECKING:
    from kashika.views.gradients import Gradients


def vanishing(gradients: Gradients, *, ratio: float = 1e-3, converged: float = 0.1) -> Finding:
    """The first layer's gradient lies far below the last one's, while the loss is still high.

    Gradients are taken in relation to the weights and compared between layers, not with an
    absolute floor: near a minimum all gradients are small, and that is convergence.

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
    relative = gradients.relative
    broken = any(g.values.nan + g.values.infinite for g in gradients.matrices)
    if len(relative) < 2 or broken:
        return Finding(rule, Level.UNKNOWN)
    (first, at_first), *_, (last, at_last) = relative.items()
    if not at_last > 0:
        return Finding(rule, Level.UNKNOWN)
    learned = gradients.loss / gradients.chance_loss if gradients.chance_loss > 0 else np.nan
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
        Evidence("share_of_few", held, limit=share, where=f"sample {gradients.pulls.index[0]}"),
        Evidence("few", count),
        Evidence("samples", len(gradients.pulls.norms)),
    )
    return Finding(rule, Level.NOTE if held > share else Level.OK, evidence)
