"""The loss of a batch as PyTorch computes it: its mean with the graph, and that of every answer."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kashika.distribution import Array, FloatArray, IntArray
from kashika.errors import KashikaError, LoadError, MismatchError, one_line
from kashika.task import Task, are_shares, as_labels, class_axis, shares_in

Loss = Callable[[Tensor, Tensor], Tensor]
"""(outputs, targets) -> the mean loss, or the loss of every sample."""

Form = Literal["given", "paired", "cast"]
"""How the user's function takes his targets: as they are; in the shape of the outputs, since it
would compare every output with every target; or as whole numbers (int64)."""


def known_name(loss: str | Loss | None) -> str | None:
    """Return the name in `torch.nn.functional` of a loss, as far as it settles the task."""
    if loss is None or isinstance(loss, str):
        return loss
    return _FUNCTIONAL.get(type(loss).__name__, getattr(loss, "__name__", None))


def shown_name(loss: str | Loss) -> str:
    """Return what a loss is called in a report."""
    return loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What a batch asks for, one answer below the other.

    Attributes
    ----------
    targets : (n, …) of every answer that counts
    owner, position : (n,) int, the sample that an answer belongs to and the position in it
    grid : dimensions of the positions; () where a sample has one answer
    """

    targets: Array
    owner: IntArray
    position: IntArray
    grid: tuple[int, ...] = ()

    @classmethod
    def of(cls, task: Task, targets: Array) -> Asked:
        """Lay out the targets of a batch as the task has them."""
        if not task.positional:
            every = np.arange(len(targets))
            return cls(targets, every, np.zeros_like(every))
        if targets.ndim > 2 and targets.shape[1] == 1:  # (n, 1, height, width)
            targets = targets[:, 0]
        if task.shifted:  # the last position is about a word that nobody has
            after = np.full_like(targets, task.ignored)
            after[:, :-1] = targets[:, 1:]
            targets = after
        flat = targets.reshape(len(targets), -1)
        owner, position = np.nonzero(flat != task.ignored)
        return cls(flat[owner, position], owner, position, targets.shape[1:])

    def __len__(self) -> int:
        return len(self.owner)


def aligned(
    task: Task, outputs: Tensor, asked: Asked, *, targets: Array, split: str
) -> tuple[Tensor, Array]:
    """Bring the outputs of a batch and their targets into the same order.

    Parameters
    ----------
    targets : of the batch as they were given

    Returns
    -------
    (n, outputs) with their graph, and (n, 1) classes or (n, outputs) values

    Raises
    ------
    MismatchError
        If the targets are not finite, or do not fit the outputs.
    """
    if targets.dtype.kind == "f" and not np.isfinite(targets).all():
        found = targets[~np.isfinite(targets)].flat[0]
        raise MismatchError("errors.targets_finite", split=split, found=found)
    axis = class_axis(tuple(outputs.shape), targets.shape) if task.positional else None
    shapes = {"targets": targets.shape, "outputs": tuple(outputs.shape)}
    if task.positional:
        if axis is None:
            raise MismatchError("errors.targets_shape", split=split, **shapes)
        _unmarked(asked.targets, classes=task.classes, split=split)
        labels = as_labels(asked.targets, classes=task.classes, split=split)
        scores = outputs.movedim(axis, -1).reshape(-1, outputs.shape[axis])
        # Where all positions count, which is usual for images, nothing is copied.
        if len(asked) < len(scores):
            place = asked.owner * math.prod(asked.grid) + asked.position
            scores = scores[torch.as_tensor(place, device=scores.device)]
        return scores, labels[:, None]
    flat = outputs.reshape(len(outputs), -1)
    if task.classifies and are_shares(targets, classes=task.classes):
        return flat, targets.argmax(axis=1)[:, None]
    if task.classifies:
        return flat, as_labels(targets, classes=task.classes, split=split)[:, None]
    if targets.size != outputs.numel():
        raise MismatchError("errors.targets_shape", split=split, **shapes)
    return flat, targets.reshape(tuple(flat.shape))


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The loss of a batch.

    Attributes
    ----------
    mean : with its graph
    each : (n,) of every answer; NaN where the user's function gives a mean only
    form : in which his function takes the targets
    """

    mean: Tensor
    each: FloatArray
    form: Form = "given"


def loss_of(
    loss: Loss | None,
    task: Task,
    scores: Tensor,
    wanted: Array,
    *,
    outputs: Tensor,
    targets: Array,
    split: str,
) -> Judged:
    """Return the loss of a batch.

    Parameters
    ----------
    loss : the user's own function; the one that the task names if None
    scores, wanted : the answers, as `aligned` gives them
    outputs, targets : as the network and the user gave them, for his own function

    Raises
    ------
    MismatchError
        If the loss does not take the outputs and targets, or returns no tensor.
    """
    if not len(scores):  # every position is ignored: the mean of nothing is NaN
        return Judged(0 * outputs[:0].sum(), np.empty(0, dtype=np.float32))
    try:
        if loss is None:
            several = scores.shape[1] > 1 and task.classifies
            shares = several and are_shares(targets, classes=task.classes)
            each = _named(task)(scores, targets if shares else wanted)
            return Judged(each.mean(), each.detach().cpu().numpy())
        whole = task.classifies
        if not task.positional:
            return _own(loss, outputs, targets, count=len(outputs), classifies=whole)
        if isinstance(loss, nn.Module) and hasattr(loss, "reduction"):  # one of torch's
            return _own(loss, scores, wanted[:, 0], count=len(scores), classifies=whole)
        return _own(loss, outputs, targets, count=len(scores), classifies=whole)
    except KashikaError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise
        raise MismatchError(
            "errors.loss",
            split=split, loss=task.loss,
            outputs=f"{tuple(outputs.shape)} {str(outputs.dtype).removeprefix('torch.')}",
            targets=f"{targets.shape} {targets.dtype}", error=one_line(error),
        ) from error  # fmt: skip


def _unmarked(targets: Array, *, classes: int, split: str) -> None:
    """Raise MismatchError where one value beyond the classes seems to mark what does not count."""
    if targets.dtype.kind not in "fiu" or not targets.size:
        return
    most = targets.max()
    others = targets[targets != most]
    if most > classes and others.size and 0 <= others.min() <= others.max() < classes:
        raise MismatchError(
            "errors.labels_marker", split=split, found=int(most), classes=classes, last=classes - 1
        )


def out_of_memory(error: BaseException) -> bool:
    """Tell whether something failed since the memory of a device or of the machine ran out."""
    said = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError)
        and ("out of memory" in said or "can't allocate memory" in said)
    )


def unfit(task: Task, targets: Array) -> Array:
    """Return (samples,) bool, whose targets are no numbers, or no classes of the task."""
    flat = targets.reshape(len(targets), -1)
    if flat.dtype.kind not in "fiub" or not flat.size:
        return np.zeros(len(flat), dtype=bool)
    if task.classifies and not task.positional and targets.shape[1:] == (task.classes,):
        return ~shares_in(targets)
    with np.errstate(invalid="ignore", over="ignore"):
        # Where nothing is wrong one look at the whole tells.
        if task.classifies:
            sound = flat.dtype.kind != "f" and 0 <= flat.min() <= flat.max() < task.classes
        else:
            sound = bool(np.isfinite(flat.sum(dtype=np.float64)))
        if sound:
            return np.zeros(len(flat), dtype=bool)
        known = np.isfinite(flat)
        if task.classifies and (task.positional or flat.shape[1] == 1):
            known &= (flat >= 0) & (flat < task.classes) & (flat == np.floor(flat))
        if task.positional:
            known |= flat == task.ignored
    return np.asarray(~known.all(axis=1))


def _own(loss: Loss, outputs: Tensor, targets: Array, *, count: int, classifies: bool) -> Judged:
    """Ask the user's function as his training did, as far as it takes his targets."""
    # A copy: what his function does to it does not reach his own array.
    given = torch.tensor(np.ascontiguousarray(targets), device=outputs.device)
    if given.is_floating_point():
        given = given.to(outputs.dtype)
    form, given, whole = _taken(loss, outputs, given, classifies=classifies)
    each = whole
    if not whole.ndim and isinstance(loss, nn.Module) and hasattr(loss, "reduction"):
        single = copy.copy(loss)
        single.__dict__["reduction"] = "none"  # no parameter, so past nn.Module's own setattr
        each = single(outputs, given)
        if loss.reduction == "sum":
            whole = whole / count
    if each.ndim == 0 or each.numel() % count:
        return Judged(whole.mean(), np.full(count, np.nan), form)
    return Judged(
        whole.mean(), each.detach().reshape(count, -1).mean(dim=1).cpu().numpy(), form
    )  # fmt: skip


def _taken(
    loss: Loss, outputs: Tensor, given: Tensor, *, classifies: bool
) -> tuple[Form, Tensor, Tensor]:
    """Hand targets to the user's function as they are, else as it takes them.

    Returns
    -------
    The form that it takes, the targets in it, and what the function returned.

    Raises
    ------
    TypeError
        If it returns no tensor.
    Exception
        Whatever it raises when it gets the targets as they are.
    """
    form: Form = "given"
    with warnings.catch_warnings():
        # Where torch's losses compare every output with every target they warn, and go on.
        warnings.filterwarnings("error", message="Using a target size", category=UserWarning)
        try:
            whole = loss(outputs, given)
        except Exception as error:
            if out_of_memory(error):
                raise
            if given.numel() == outputs.numel():
                form = "paired" if isinstance(error, UserWarning) else "given"
                given = given.to(outputs.dtype).reshape(outputs.shape)
            elif classifies and given.dtype != torch.int64:
                form, given = "cast", given.long()
            else:
                raise
            try:
                whole = loss(outputs, given)
            except Exception:  # noqa: BLE001  the first says what is wrong
                raise error from None
    if not isinstance(whole, Tensor):
        raise TypeError(f"the loss returned {type(whole).__name__}, no tensor")
    return form, given, whole


def _named(task: Task) -> Callable[[Tensor, Array], Tensor]:
    """Return the loss of a task as a function that gives one value for each answer."""
    function = getattr(F, task.loss, None)
    if function is None or not callable(function):
        raise LoadError("errors.no_such_loss", found=task.loss)

    def loss(outputs: Tensor, targets: Array) -> Tensor:
        given = torch.tensor(targets, device=outputs.device)
        if task.outputs == "probabilities":  # of a network that ends in a softmax
            outputs = outputs.clamp_min(torch.finfo(outputs.dtype).tiny).log()
        if task.outputs in ("logits", "log_probabilities", "probabilities"):
            if given.shape[1] > 1:  # a probability for each class
                # Of log probabilities it is the same: their softmax is what they are.
                named = F.cross_entropy if task.loss == "nll_loss" else function
                shares: Tensor = named(outputs, given.to(outputs.dtype), reduction="none")
                return shares.reshape(len(outputs), -1).sum(dim=1)
            given = given[:, 0]
        else:
            given = given.to(outputs.dtype).reshape(outputs.shape)
        result: Tensor = function(outputs, given, reduction="none")
        return result.reshape(len(outputs), -1).mean(dim=1)

    return loss


_FUNCTIONAL = {
    "CrossEntropyLoss": "cross_entropy",
    "NLLLoss": "nll_loss",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "BCELoss": "binary_cross_entropy",
    "MSELoss": "mse_loss",
}
