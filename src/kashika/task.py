"""Task: what the outputs of a network mean, found from outputs and targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kashika.distribution import Array, FloatArray, IntArray
from kashika.errors import MismatchError

Meaning = Literal["logits", "log_probabilities", "probabilities", "logit", "probability", "values"]

_OPEN_ENDED = ("Linear", "LazyLinear", "Bilinear", "Conv1d", "Conv2d", "Conv3d")

LOSS: dict[Meaning, str] = {
    "logits": "cross_entropy",
    "log_probabilities": "nll_loss",
    "probabilities": "nll_loss",
    "logit": "binary_cross_entropy_with_logits",
    "probability": "binary_cross_entropy",
    "values": "mse_loss",
}
"""The loss that each meaning of the outputs is trained with, named as in torch.nn.functional."""


@dataclass(frozen=True, slots=True)
class Task:
    """What the outputs mean.

    Attributes
    ----------
    outputs : one column per class as "logits", "log_probabilities" or "probabilities"; one column
        for two classes as "logit" or "probability"; or the "values" of a regression
    classes : number of classes; 0 for a regression
    loss : name of the loss, as in torch.nn.functional, or of the user's function
    """

    outputs: Meaning
    classes: int
    loss: str

    @property
    def classifies(self) -> bool:
        """Whether the targets are classes."""
        return self.classes > 0

    def probabilities(self, outputs: FloatArray) -> FloatArray:
        """Turn the outputs of a classifier into (n, classes) probabilities."""
        values = np.asarray(outputs, dtype=np.float64).reshape(len(outputs), -1)
        with np.errstate(over="ignore", invalid="ignore"):
            match self.outputs:
                case "probabilities":
                    return values
                case "probability":
                    return np.hstack([1 - values, values])
                case "logit":
                    one = np.exp(-np.logaddexp(0, -values))
                    return np.hstack([1 - one, one])
                case _:
                    shifted = np.exp(values - values.max(axis=1, keepdims=True))
                    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))

    def predicted(self, outputs: FloatArray) -> IntArray:
        """Return the (n,) classes that the outputs of a classifier stand for; -1 for NaN."""
        values = np.asarray(outputs).reshape(len(outputs), -1)
        if self.outputs in ("logit", "probability"):
            answers = values[:, 0] > (0.0 if self.outputs == "logit" else 0.5)
        else:
            answers = values.argmax(axis=1)
        return np.where(np.isnan(values).any(axis=1), -1, answers).astype(np.int64)


def infer_task(
    outputs: FloatArray, targets: Array, *, loss: str | None = None, last: str | None = None
) -> Task:
    """Find out what the outputs mean.

    Whole numbers as targets of a network with several outputs are classes; 0 and 1 as targets of
    one output are two classes; everything else is a regression. A known loss settles it.

    Parameters
    ----------
    outputs : (n,) or (n, outputs)
    targets : (n,), (n, 1) or (n, outputs)
    loss : name of the loss; one that `LOSS` does not know says nothing about the outputs
    last : type of the module or function that the outputs come from, where that is known; outputs
        of a Linear are no probabilities, even if all of them happen to lie between 0 and 1
    """
    columns = int(np.prod(outputs.shape[1:]))
    known = {name: meaning for meaning, name in LOSS.items() if meaning != "probabilities"}
    flat = outputs.reshape(len(outputs), -1)
    meaning = known.get(loss or "") or _meaning(flat, targets, open_ended=last in _OPEN_ENDED)
    if meaning == "values":
        classes = 0
    else:
        classes = 2 if meaning in ("logit", "probability") else columns
    return Task(meaning, classes, loss or LOSS[meaning])


def as_labels(targets: Array, *, classes: int, split: str) -> IntArray:
    """Return the targets of a classifier as (n,) whole numbers from 0 to classes - 1.

    Raises
    ------
    MismatchError
        If they are not whole numbers, or lie outside.
    """
    if targets.dtype.kind not in "fiub":
        raise MismatchError("errors.not_numbers", split=split, found=targets.dtype)
    flat = np.asarray(targets).reshape(len(targets), -1)
    if flat.shape[1] != 1:
        raise MismatchError("errors.labels_shape", split=split, shape=targets.shape)
    if not _whole(flat):
        raise MismatchError("errors.labels_whole", split=split, found=flat[_fractions(flat)][0])
    if flat.size and not 0 <= flat.min() <= flat.max() < classes:
        raise MismatchError(
            "errors.labels_range",
            split=split, least=int(flat.min()), greatest=int(flat.max()),
            classes=classes, last=classes - 1,
        )  # fmt: skip
    return np.asarray(flat[:, 0], dtype=np.int64)


def _meaning(outputs: FloatArray, targets: Array, *, open_ended: bool) -> Meaning:
    single = int(np.prod(targets.shape[1:])) == 1
    if not single or not _whole(targets):
        return "values"
    bounded = not open_ended and bool(np.all((outputs >= 0) & (outputs <= 1)))
    if outputs.shape[1] == 1:
        if not set(np.unique(targets)) <= {0, 1}:
            return "values"
        return "probability" if bounded else "logit"
    with np.errstate(over="ignore", invalid="ignore"):
        if bounded and np.allclose(outputs.sum(axis=1), 1, atol=1e-4):
            return "probabilities"
        if np.all(outputs <= 0) and np.allclose(np.exp(outputs).sum(axis=1), 1, atol=1e-4):
            return "log_probabilities"
    return "logits"


def _whole(values: Array) -> bool:
    # Words that nobody has turned into classes yet stand for classes as well.
    return values.dtype.kind in "iubU" or not _fractions(values).any()


def _fractions(values: Array) -> Array:
    """Tell which values are no whole numbers; NaN and Inf are none."""
    return np.asarray(~np.isfinite(values) | (values != np.floor(values)))
