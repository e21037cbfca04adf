"""The loss of a batch as PyTorch computes it: its mean with the graph, and that of every answer."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kashika.distribution import Array, FloatArray, IntArray
from kashika.errors import LoadError, MismatchError, one_line
from kashika.task import Task, as_labels, class_axis

Loss = Callable[[Tensor, Tensor], Tensor]
"""(outputs, targets) -> the mean loss, or the loss of every sample."""


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
        labels = as_labels(asked.targets, classes=task.classes, split=split)
        scores = outputs.movedim(axis, -1).reshape(-1, outputs.shape[axis])
        # Where all positions count, which is usual for images, nothing is copied.
        if len(asked) < len(scores):
            place = asked.owner * math.prod(asked.grid) + asked.position
            scores = scores[torch.as_tensor(place, device=scores.device)]
        return scores, labels[:, None]
    flat = outputs.reshape(len(outputs), -1)
    if task.classifies:
        return flat, as_labels(targets, classes=task.classes, split=split)[:, None]
    if targets.size != outputs.numel():
        raise MismatchError("errors.targets_shape", split=split, **shapes)
    return flat, targets.reshape(tuple(flat.shape))


def loss_of(
    loss: Loss | None,
    task: Task,
    scores: Tensor,
    wanted: Array,
    *,
    outputs: Tensor,
    targets: Array,
    split: str,
) -> tuple[Tensor, FloatArray]:
    """Return the mean loss of a batch, with its graph, and the (n,) losses of its answers.

    Parameters
    ----------
    loss : the user's own function; the one that the task names if None
    scores, wanted : the answers, as `aligned` gives them
    outputs, targets : as the network and the user gave them, for his own function

    Returns
    -------
    The losses of the answers are NaN where the user's function gives a mean only.

    Raises
    ------
    MismatchError
        If the loss does not take the outputs and targets.
    """
    try:
        if loss is None:
            each = _named(task)(scores, wanted)
            return each.mean(), each.detach().cpu().numpy()
        if not task.positional:
            return _own(loss, outputs, targets, count=len(outputs))
        if isinstance(loss, nn.Module) and hasattr(loss, "reduction"):  # one of torch's
            return _own(loss, scores, wanted[:, 0], count=len(scores))
        return _own(loss, outputs, targets, count=len(scores))
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        if out_of_memory(error):
            raise
        raise MismatchError(
            "errors.loss",
            split=split, loss=task.loss,
            outputs=f"{tuple(outputs.shape)} {str(outputs.dtype).removeprefix('torch.')}",
            targets=f"{targets.shape} {targets.dtype}", error=one_line(error),
        ) from error  # fmt: skip


def out_of_memory(error: BaseException) -> bool:
    """Tell whether something failed since the memory of a device or of the machine ran out."""
    said = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError)
        and ("out of memory" in said or "can't allocate memory" in said)
    )


def _own(loss: Loss, outputs: Tensor, targets: Array, *, count: int) -> tuple[Tensor, FloatArray]:
    """Ask the user's function as his training did: with his targets, else with floats."""
    # A copy: what his function does to it does not reach his own array.
    given = torch.tensor(np.ascontiguousarray(targets), device=outputs.device)
    if given.is_floating_point():
        given = given.to(outputs.dtype)
    try:
        whole = loss(outputs, given)
    except (RuntimeError, ValueError):
        if given.numel() != outputs.numel():
            raise
        given = given.to(outputs.dtype).reshape(outputs.shape)
        whole = loss(outputs, given)
    each = whole
    if not whole.ndim and isinstance(loss, nn.Module) and hasattr(loss, "reduction"):
        single = copy.copy(loss)
        single.__dict__["reduction"] = "none"  # no parameter, so past nn.Module's own setattr
        each = single(outputs, given)
        if loss.reduction == "sum":
            whole = whole / count
    if each.ndim == 0 or each.numel() % count:
        return whole.mean(), np.full(count, np.nan)
    return whole.mean(), each.detach().reshape(count, -1).mean(dim=1).cpu().numpy()


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
