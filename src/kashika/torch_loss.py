"""The loss of a batch as PyTorch computes it: its mean with the graph, and that of every sample."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kashika.distribution import Array, FloatArray
from kashika.errors import LoadError, MismatchError, one_line
from kashika.task import Task, as_labels

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


def targets_of(task: Task, outputs: Tensor, targets: Array, *, split: str) -> Array:
    """Return the targets as classes, or as values in the shape of the outputs.

    Raises
    ------
    MismatchError
        If they are not finite, or do not fit the outputs.
    """
    if targets.dtype.kind == "f" and not np.isfinite(targets).all():
        found = targets[~np.isfinite(targets)].flat[0]
        raise MismatchError("errors.targets_finite", split=split, found=found)
    if task.classifies:
        return as_labels(targets, classes=task.classes, split=split)
    if targets.size != outputs.numel():
        raise MismatchError(
            "errors.targets_shape", split=split, targets=targets.shape, outputs=tuple(outputs.shape)
        )  # fmt: skip
    return targets.reshape(tuple(outputs.shape))


def loss_of(
    loss: Loss | None, task: Task, outputs: Tensor, labels: Array, targets: Array, *, split: str
) -> tuple[Tensor, FloatArray]:
    """Return the mean loss of a batch, with its graph, and the (n,) losses of its samples.

    Parameters
    ----------
    loss : the user's own function; the one that the task names if None
    labels : as `targets_of` gives them
    targets : as the user gave them, for his own function

    Returns
    -------
    The losses of the samples are NaN where the user's function gives a mean only.

    Raises
    ------
    MismatchError
        If the loss does not take the outputs and targets.
    """
    try:
        if loss is None:
            each = _named(task)(outputs, torch.tensor(labels, device=outputs.device))
            each = each.reshape(len(outputs), -1).mean(dim=1)
            return each.mean(), each.detach().cpu().double().numpy()
        return _own(loss, outputs, targets)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise MismatchError(
            "errors.loss",
            split=split, loss=task.loss, outputs=tuple(outputs.shape), targets=targets.shape,
            error=one_line(error),
        ) from error  # fmt: skip


def _own(loss: Loss, outputs: Tensor, targets: Array) -> tuple[Tensor, FloatArray]:
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
    if not each.ndim:
        return whole, np.full(len(outputs), np.nan)
    per_sample = each.detach().reshape(len(outputs), -1).mean(dim=1).cpu().double().numpy()
    return whole.mean(), per_sample


def _named(task: Task) -> Loss:
    """Return the loss of a task as a function that gives one value for each sample."""
    function = getattr(F, task.loss, None)
    if function is None or not callable(function):
        raise LoadError("errors.no_such_loss", found=task.loss)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        if task.outputs == "probabilities":  # of a network that ends in a softmax
            outputs = outputs.clamp_min(torch.finfo(outputs.dtype).tiny).log()
        if task.outputs not in ("logits", "log_probabilities", "probabilities"):
            targets = targets.to(outputs.dtype).reshape(outputs.shape)
        result: Tensor = function(outputs, targets, reduction="none")
        return result

    return loss


_FUNCTIONAL = {
    "CrossEntropyLoss": "cross_entropy",
    "NLLLoss": "nll_loss",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "BCELoss": "binary_cross_entropy",
    "MSELoss": "mse_loss",
}
