"""Baseline: how well a quadratic fit answers, which no scale of the targets can disturb."""

from __future__ import annotations

import numpy as np

from kashika.distribution import FloatArray
from kashika.observation import Observation

SAMPLES, TERMS = 1_000, 250
"""So many samples, and terms of a polynomial, are taken: that takes some hundredths of a second."""


def quadratic_left(seen: Observation) -> float:
    """Return which share of a regression's variance a quadratic fit would leave on new samples.

    A linear one where a quadratic one has too many terms. What it leaves on its own samples is
    corrected for the number of its terms.

    Returns
    -------
    0 to about 1; NaN where inputs are no table, or too few for so many terms

    References
    ----------
    Golub, Heath and Wahba, "Generalized cross-validation", Technometrics 21, 1979.
    """
    _, at_inputs, at_targets = np.intersect1d(
        seen.input_rows, seen.rows, assume_unique=True, return_indices=True
    )
    some = slice(None, None, max(1, -(-len(at_inputs) // SAMPLES)))
    inputs, targets = np.asarray(seen.inputs), np.asarray(seen.wanted)
    if inputs.ndim != 2 or inputs.dtype.kind not in "fiu" or len(at_inputs) < 3:
        return np.nan
    return _left(
        inputs[at_inputs[some]].astype(np.float64), targets[at_targets[some]].astype(np.float64)
    )


@np.errstate(all="ignore")
def _left(x: FloatArray, y: FloatArray) -> float:
    deviation = x.std(axis=0)
    x = (x - x.mean(axis=0))[:, deviation > 0] / deviation[deviation > 0]
    first, second = np.triu_indices(x.shape[1])
    columns = [np.ones((len(x), 1)), x]
    if x.shape[1] + len(first) < min(TERMS, len(x) // 3):
        columns.append(x[:, first] * x[:, second])
    terms = np.hstack(columns)
    variance = float(np.mean(np.var(y, axis=0)))
    if not len(x) > 2 * terms.shape[1] or not np.isfinite(terms).all() or not variance > 0:
        return np.nan
    orthogonal = np.linalg.qr(terms)[0]
    rest = y - orthogonal @ (orthogonal.T @ y)
    share = float(np.mean(np.square(rest))) / variance / (1 - terms.shape[1] / len(x)) ** 2
    return share if np.isfinite(share) else np.nan
