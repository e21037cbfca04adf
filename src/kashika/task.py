"""Task: what the outputs of a network mean, found from outputs and targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from kashika.distribution import Array, FloatArray, IntArray
from kashika.errors import MismatchError

Meaning = Literal[
    "logits", "log_probabilities", "probabilities", "logit", "probability", "values",
    "label_logits", "label_probabilities",
]  # fmt: skip

_SETTLED = ("logits", "log_probabilities", "logit", "probability", "values")
"""Meanings that the name of the loss alone settles, where there are no labels."""

_VALUES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
"""Losses of values, which may be whole numbers, or shares, all the same."""

_ROUNDING = 1e-3  # that probabilities in half precision may sum to more or less than 1

_CHUNK = 1 << 16  # numbers that stay in the cache

_OPEN_ENDED = ("Linear", "LazyLinear", "Bilinear", "Conv1d", "Conv2d", "Conv3d")

LOSS: dict[Meaning, str] = {
    "logits": "cross_entropy",
    "log_probabilities": "nll_loss",
    "probabilities": "nll_loss",
    "logit": "binary_cross_entropy_with_logits",
    "probability": "binary_cross_entropy",
    "values": "mse_loss",
    "label_logits": "binary_cross_entropy_with_logits",
    "label_probabilities": "binary_cross_entropy",
}
"""The loss that each meaning of the outputs is trained with, named as in torch.nn.functional."""


@dataclass(frozen=True, slots=True)
class Task:
    """What the outputs mean.

    Attributes
    ----------
    outputs : one column per class as "logits", "log_probabilities" or "probabilities"; one column
        for two classes as "logit" or "probability"; or the "values" of a regression; or one column
        for each of several labels that may apply together, as "label_logits" or
        "label_probabilities"
    classes : number of classes; 0 where there are none
    loss : name of the loss, as in torch.nn.functional, or of the user's function
    labels : number of labels that may apply together; else 0
    positional : whether there is an answer at each position of a sample; the classes are then the
        last dimension of the outputs, or the second one
    ignored : target of the positions that do not count
    shifted : whether the answer at a position is about the next one, as in a language model that
        is given its own input as targets
    """

    outputs: Meaning
    classes: int
    loss: str
    labels: int = 0
    positional: bool = False
    ignored: int = -100
    shifted: bool = False

    @property
    def classifies(self) -> bool:
        """Whether the targets are classes."""
        return self.classes > 0

    def probabilities(self, outputs: FloatArray) -> FloatArray:
        """Turn the outputs of a classifier into (n, classes) probabilities."""
        values = _columns(np.asarray(outputs, dtype=np.float64))
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

    def chances(self, outputs: FloatArray, classes: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the (n,) probabilities of the most likely class and of the given `classes`.

        As `probabilities` gives them, without forming those of all other classes in double
        precision, which for the words of a language would take more than the network itself.
        """
        values, every = _columns(np.asarray(outputs)), np.arange(len(outputs))
        if values.shape[1] < 2 or self.outputs == "probabilities":
            all_of_them = self.probabilities(values)
            return all_of_them.max(axis=1, initial=-np.inf), all_of_them[every, classes]
        top, total = np.empty(len(values)), np.empty(len(values))
        rows = max(1, _CHUNK // values.shape[1])
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(values), rows):
                here = slice(start, start + rows)
                most = values[here].max(axis=1, keepdims=True)
                terms = values[here] - most
                top[here] = most[:, 0]
                total[here] = np.exp(terms, out=terms).sum(axis=1, dtype=np.float64)
            given = np.exp(values[every, classes].astype(np.float64) - top)
        return 1 / total, given / total

    def predicted(self, outputs: FloatArray) -> IntArray:
        """Return the (n,) classes that the outputs of a classifier stand for; -1 for NaN."""
        values = _columns(np.asarray(outputs))
        if self.outputs in ("logit", "probability"):
            decisive = values[:, 0]
            answers = decisive > (0.0 if self.outputs == "logit" else 0.5)
        else:
            answers = values.argmax(axis=1)
            decisive = values[np.arange(len(values)), answers]  # NaN, where there is one
        return np.where(np.isnan(decisive), -1, answers).astype(np.int64)

    def given(self, outputs: FloatArray) -> npt.NDArray[np.bool_]:
        """Return (n, labels) which labels the outputs of a task with several labels give."""
        with np.errstate(invalid="ignore"):
            return np.asarray(outputs > (0.0 if self.outputs == "label_logits" else 0.5))

    def chance_loss(
        self,
        *,
        counts: Array,
        variance: float = np.nan,
        shares: FloatArray | None = None,
    ) -> float:
        """Return the mean loss of the best answer that does not look at the input.

        Comparable with the loss only where that is the cross entropy or the mean squared error,
        else NaN.

        Parameters
        ----------
        counts : (classes,) of the targets; sums, where these are probabilities
        variance : of a regression's targets, the mean over its columns
        shares : (labels,) how often each label applies, 0 to 1
        """
        if self.loss == "mse_loss" and not self.classifies:
            return variance
        if "cross_entropy" not in self.loss and self.loss != "nll_loss":
            return np.nan
        if self.labels:
            both = np.stack([shares, 1 - shares]) if shares is not None else np.empty((2, 0))
            return float(_entropy(both).sum(axis=0).mean()) if both.size else np.nan
        return float(_entropy(counts / max(counts.sum(), 1)).sum()) if self.classifies else np.nan


def infer_task(
    outputs: FloatArray,
    targets: Array,
    *,
    loss: str | None = None,
    last: str | None = None,
    ignored: int = -100,
) -> Task:
    """Find out what the outputs mean.

    Whole numbers as targets of a network with several outputs are classes; 0 and 1 as targets of
    one output are two classes; 0 and 1 as targets of each of several outputs are labels; whole
    numbers at every position of a sample are classes at these positions; everything else is a
    regression. A known loss settles it.

    Rows that hold a probability for each class are targets of a classifier where they say one class
    each, or where a softmax of the outputs comes nearer to them than the outputs do: a regression
    onto shares has outputs that are such shares.

    Parameters
    ----------
    outputs : (n,), (n, outputs), (n, positions, classes) or (n, classes, …)
    targets : (n,), (n, 1), (n, outputs) or (n, positions)
    loss : name of the loss; one that `LOSS` does not know says nothing about the outputs
    last : type of the module or function that the outputs come from, where that is known; outputs
        of a Linear are no probabilities, even if all of them happen to lie between 0 and 1
    ignored : target of the positions that do not count
    """
    whole = _whole(targets) and loss not in _VALUES
    if whole and (axis := class_axis(outputs.shape, targets.shape)) is not None:
        flat = np.moveaxis(outputs, axis, -1).reshape(-1, outputs.shape[axis])
        here = np.asarray(targets).reshape(-1) != ignored
        one = infer_task(flat[here], np.asarray(targets).reshape(-1)[here], loss=loss, last=last)
        return replace(one, positional=True, ignored=ignored) if one.classifies else one
    columns = int(np.prod(outputs.shape[1:]))
    flat = outputs.reshape(len(outputs), -1)
    open_ended = last in _OPEN_ENDED
    if _are_classes(flat, targets, loss=loss, open_ended=open_ended):
        scores = _scores(flat, open_ended=open_ended)
        return Task(scores, columns, loss or LOSS[scores])
    if columns > 1 and _are_labels(targets, columns, loss):
        bounded = not open_ended and bool(np.all((flat >= 0) & (flat <= 1)))
        sure = loss == "binary_cross_entropy" or (bounded and loss != LOSS["label_logits"])
        meaning: Meaning = "label_probabilities" if sure else "label_logits"
        return Task(meaning, 0, loss or LOSS[meaning], labels=columns)
    known = {name: meaning for meaning, name in LOSS.items() if meaning in _SETTLED}
    meaning = known.get(loss or "") or _meaning(flat, targets, open_ended=open_ended)
    if meaning == "values":
        classes = 0
    else:
        classes = 2 if meaning in ("logit", "probability") else columns
    return Task(meaning, classes, loss or LOSS[meaning])


def class_axis(outputs: tuple[int, ...], targets: tuple[int, ...]) -> int | None:
    """Return the dimension of the outputs that runs over the classes at every position.

    None where the shapes do not say that there is an answer at every position.
    """
    if len(targets) > 2 and targets[1] == 1 and len(outputs) == len(targets):
        targets = (targets[0], *targets[2:])  # (n, 1, height, width)
    if len(targets) < 2 or targets[1:] == (1,) or len(outputs) != len(targets) + 1:
        return None
    if outputs[1:-1] == targets[1:]:
        return len(outputs) - 1
    return 1 if outputs[2:] == targets[1:] else None


def are_shares(targets: Array, *, classes: int) -> bool:
    """Tell whether targets are rows with a probability for each of several classes."""
    if classes < 2 or targets.shape[1:] != (classes,) or targets.dtype.kind not in "fiub":
        return False
    return bool(len(targets) and shares_in(targets).all())


def shares_in(targets: Array) -> npt.NDArray[np.bool_]:
    """Tell which rows of (n, classes) are probabilities: none is negative, and they sum to 1."""
    with np.errstate(invalid="ignore", over="ignore"):
        sums = targets.sum(axis=1, dtype=np.float64)
        return np.asarray((targets >= 0).all(axis=1) & (np.abs(sums - 1) <= _ROUNDING))


def as_labels(targets: Array, *, classes: int, split: str) -> IntArray:
    """Return the targets of a classifier as (n,) whole numbers from 0 to classes - 1.

    Raises
    ------
    MismatchError
        If they are not whole numbers, or lie outside.
    """
    if targets.dtype.kind not in "fiub":
        raise MismatchError("errors.not_numbers", split=split, found=targets.dtype)
    flat = _columns(np.asarray(targets))
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
    return _scores(outputs, open_ended=open_ended)


def _scores(outputs: FloatArray, *, open_ended: bool) -> Meaning:
    """Tell what (n, classes) outputs of a classifier are."""
    bounded = not open_ended and bool(np.all((outputs >= 0) & (outputs <= 1)))
    with np.errstate(over="ignore", invalid="ignore"):
        if bounded and np.allclose(outputs.sum(axis=1), 1, atol=1e-4):
            return "probabilities"
        if np.all(outputs <= 0) and np.allclose(np.exp(outputs).sum(axis=1), 1, atol=1e-4):
            return "log_probabilities"
    return "logits"


def _are_classes(
    outputs: FloatArray, targets: Array, *, loss: str | None, open_ended: bool
) -> bool:
    """Tell targets of a classifier that are probabilities from shares that a regression gives."""
    if (
        loss in LOSS.values()
        or loss in _VALUES
        or not are_shares(targets, classes=outputs.shape[1])
    ):
        return False
    if np.isin(targets, (0, 1)).all():
        # One label in each sample may be chance: every output of a sigmoid says yes or no.
        bounded = not open_ended and bool(np.all((outputs >= 0) & (outputs <= 1)))
        return loss is None and (
            not bounded or _scores(outputs, open_ended=open_ended) == "probabilities"
        )
    if _scores(outputs, open_ended=open_ended) != "logits":
        return True
    chances = Task("logits", outputs.shape[1], "").probabilities(outputs)
    return float(np.mean((chances - targets) ** 2)) < float(np.mean((outputs - targets) ** 2))


def _are_labels(targets: Array, columns: int, loss: str | None) -> bool:
    """Tell whether each of several outputs has a target of its own that is 0 or 1."""
    if loss is not None and "binary_cross_entropy" not in loss and loss in LOSS.values():
        return False
    if targets.dtype.kind not in "fiub" or targets.ndim != 2 or targets.shape[1] != columns:
        return False
    return bool(np.all((targets == 0) | (targets == 1)))


def _columns(values: Array) -> Array:
    """Return (n, …) as (n, columns); there may be none of them."""
    return values.reshape(len(values), int(np.prod(values.shape[1:])))


def _entropy(shares: FloatArray) -> FloatArray:
    """Return the terms of the entropy, in nat."""
    return np.asarray(-shares * np.log(np.where(shares > 0, shares, 1.0)))


def _whole(values: Array) -> bool:
    # Words that nobody has turned into classes yet stand for classes as well.
    return values.dtype.kind in "iubU" or not _fractions(values).any()


def _fractions(values: Array) -> Array:
    """Tell which values are no whole numbers; NaN and Inf are none."""
    return np.asarray(~np.isfinite(values) | (values != np.floor(values)))
