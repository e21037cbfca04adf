"""What the last activation lets through, beside the targets and the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kashika.distribution import FloatArray
from kashika.observation import Observation

INF = float("inf")

REACH: dict[str, tuple[float, float]] = {
    "ReLU": (0.0, INF),
    "ReLU6": (0.0, 6.0),
    "Softplus": (0.0, INF),
    "Sigmoid": (0.0, 1.0),
    "Hardsigmoid": (0.0, 1.0),
    "Softmax": (0.0, 1.0),
    "Tanh": (-1.0, 1.0),
    "Hardtanh": (-1.0, 1.0),
    "Softsign": (-1.0, 1.0),
    "LogSigmoid": (-INF, 0.0),
    "LogSoftmax": (-INF, 0.0),
    "ELU": (-1.0, INF),
    "CELU": (-1.0, INF),
    "SELU": (-1.7581, INF),
    "GELU": (-0.17, INF),
    "SiLU": (-0.2785, INF),
    "Mish": (-0.3088, INF),
    "Hardswish": (-0.375, INF),
}
"""What each activation can give, of those that cannot give every number."""

_SLACK = 1e-4  # of rounding


@dataclass(frozen=True, slots=True, eq=False)
class LastActivation:
    """The activation that the outputs come from.

    Attributes
    ----------
    kind : "Tanh"; "" where the outputs come from a layer without one
    least, greatest : what it can give
    outside : share of a regression's targets that it cannot give
    lost : share of the variance of these targets that is lost by that alone, 0 to 1
    surest : greatest probability that it lets a classifier give to a class; NaN where none is set
    shut : share of the outputs of a classifier that stand at the least value for every sample
    """

    kind: str
    least: float
    greatest: float
    outside: float
    lost: float
    surest: float
    shut: float


@dataclass(frozen=True, slots=True, eq=False)
class Twice:
    """Losses of outputs that are probabilities already.

    Attributes
    ----------
    function : what may have been applied twice
    read_as_logits : whether the loss that was named applies it
    once, twice : mean loss if it is applied once, as by the network; or once more by the loss
    floor : least loss that can be reached if it is applied twice
    logged : loss in the log that is nearest to `twice`; NaN where there is none
    least_logged : least of all in the log
    """

    function: Literal["softmax", "sigmoid"]
    read_as_logits: bool
    once: float
    twice: float
    floor: float
    logged: float = np.nan
    least_logged: float = np.nan

    @property
    def sure(self) -> bool:
        """Whether it was applied twice: by the named loss, or by one that gives what the log says.

        With it applied once, a training that learns anything gets below the floor.
        """
        if self.read_as_logits:
            return True
        near, far = abs(self.logged - self.twice), abs(self.logged - self.once)
        fits = near <= 0.01 * self.twice and far > 0.05 * self.twice
        return bool(fits and self.least_logged >= 0.98 * self.floor)


def last_activation(seen: Observation) -> LastActivation | None:
    """Find the activation at the end of a network; None where nothing tells.

    What a network computes after its last layer is not seen; so the layer must have put out
    exactly what the network did.
    """
    if not seen.layers or not seen.outputs.size:
        return None
    last = seen.layers[-1]
    if last.features.shape[1:] != seen.outputs.shape[1:] or last.positions != 1:
        return None
    _, here, there = np.intersect1d(last.rows, seen.rows, return_indices=True)
    if not here.size or not np.allclose(last.features[here], seen.outputs[there], equal_nan=True):
        return None
    least, greatest = REACH.get(last.kind, (-INF, INF))
    kind = last.kind if last.kind in REACH else ""
    outside = lost = shut = 0.0
    surest = np.nan
    if seen.task.classifies and seen.task.outputs == "logits":
        width = greatest - least
        classes = seen.outputs.shape[1]
        surest = 1 / (1 + (classes - 1) * np.exp(-width)) if np.isfinite(width) else np.nan
        shut = float((seen.outputs <= least + _SLACK).all(axis=0).mean()) if kind else 0.0
    elif seen.task.outputs in ("logit", "label_logits"):
        # Above or below 0 is what the answer is.
        shut = float(least >= -0.5) if kind else 0.0
        surest = float(1 / (1 + np.exp(-greatest))) if np.isfinite(greatest) else np.nan
    elif seen.task.outputs == "values":
        wanted = seen.wanted.astype(np.float64)
        wanted = wanted[np.isfinite(wanted).all(axis=1)]
        off = wanted - np.clip(wanted, least, greatest)
        variance = float(np.mean(np.var(wanted, axis=0))) if wanted.size else 0.0
        slack = 0.05 * np.sqrt(variance)
        outside = float((np.abs(off) > slack).mean()) if wanted.size else 0.0
        lost = min(float(np.mean(off**2)) / variance, 1.0) if variance > 0 else 0.0
    return LastActivation(kind, least, greatest, outside, lost, float(surest), shut)


def twice(seen: Observation) -> Twice | None:
    """Find out whether the outputs are probabilities, and what losses they have; else None."""
    outputs = seen.outputs.astype(np.float64)
    if not outputs.size or not np.isfinite(outputs).all() or (outputs < 0).any():
        return None
    wanted = seen.wanted.reshape(len(outputs), -1)
    if seen.task.classifies and outputs.shape[1] > 1:
        if not np.allclose(outputs.sum(axis=1), 1, atol=1e-4) or np.ptp(outputs) < 1e-3:
            return None
        own = outputs[np.arange(len(outputs)), wanted[:, 0].astype(int)]
        total = np.log(np.exp(outputs).sum(axis=1))
        classes = outputs.shape[1]
        return Twice(
            "softmax", seen.task.outputs == "logits", _mean_log(own),
            float(np.mean(total - own)), float(np.log(1 + (classes - 1) / np.e)),
        )  # fmt: skip
    if seen.task.outputs not in ("logit", "probability", "label_logits", "label_probabilities"):
        return None
    if (outputs > 1).any() or not seen.layers:
        return None
    given = seen.task.outputs in ("logit", "label_logits")
    # A network that is not yet sure may have logits between 0 and 1 by chance.
    if given and seen.layers[-1].kind != "Sigmoid" and _may_be_logits(seen, outputs):
        return None
    y = wanted.astype(np.float64)
    once = _mean_log(np.where(y > 0.5, outputs, 1 - outputs))
    soft = np.logaddexp(0, outputs)
    floor = np.log1p(np.exp(-1)) * y.mean() + np.log(2) * (1 - y.mean())
    return Twice("sigmoid", given, once, float(np.mean(soft - y * outputs)), float(floor))


def _may_be_logits(seen: Observation, outputs: FloatArray) -> bool:
    last = seen.layers[-1]
    _, here, there = np.intersect1d(last.rows, seen.rows, return_indices=True)
    if last.features.shape[1:] != outputs.shape[1:] or not here.size:
        return True
    # What the last layer gave is not what the network did: a sigmoid stands between.
    with np.errstate(over="ignore"):
        squashed = 1 / (1 + np.exp(-last.features[here].astype(np.float64)))
    return not np.allclose(squashed, outputs[there], atol=1e-4)


def _mean_log(probability: FloatArray) -> float:
    """Return the mean loss of the probabilities of what was right."""
    return float(-np.mean(np.log(np.maximum(probability, 1e-38))))
