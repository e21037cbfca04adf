"""The batches of a split, put to a network one by one: forward, loss and, if wanted, backward."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kashika.distribution import Array, FloatArray
from kashika.errors import MismatchError
from kashika.fingerprint import fingerprints
from kashika.look import Look
from kashika.observation import Modes, Observation
from kashika.run import Inputs
from kashika.task import Task, are_shares, as_labels, infer_task
from kashika.texts import Sentence
from kashika.torch_network.backward import Backward
from kashika.torch_network.batch import answer, by_sample, count, placed
from kashika.torch_network.capture import Places, as_numpy, captured
from kashika.torch_network.gathering import Gathering, Sizes
from kashika.torch_network.loss import (
    Asked,
    Judged,
    Loss,
    aligned,
    known_name,
    loss_of,
    out_of_memory,
    shown_name,
    unfit,
)  # fmt: skip
from kashika.torch_network.modes import Trial
from kashika.torch_network.peek import BATCH, Peek


class Asking:
    """A network that is asked about a split, and what it has answered so far.

    Parameters
    ----------
    task : what the outputs mean; found out from the first batch if None
    """

    def __init__(self, module: nn.Module, *, split: str, task: Task | None, look: Look) -> None:
        self._module, self._split, self._task, self._look = module, split, task, look
        self._given = task is not None
        self._own: Loss | None = None if isinstance(look.loss, str) else look.loss
        self._backward = Backward(module, split=split)
        self._peek: Peek | None = None
        self._gathering: Gathering | None = None
        self._trial = Trial(module, seed=look.seed) if split == "train" else None
        self._paired: Sentence | None = None  # what the loss got in different shapes
        self._cast: tuple[int, str] | None = None  # labels that were made whole numbers
        self._values = False  # whether targets that may be probabilities were taken as values
        self._broken = 0  # answers that are not finite
        self._modes: Modes | None = None

    @property
    def seen(self) -> int:
        """Samples so far."""
        return 0 if self._gathering is None else self._gathering.samples

    def fitting(self, x: Inputs) -> int:
        """Choose the size of the batches by what a few samples need."""
        try:
            self._peek = self._peeked(x)
        except Exception as error:  # noqa: BLE001  the user's network may raise anything
            # A network for batches of one size only is looked at with the first whole batch.
            return 1 if out_of_memory(error) else BATCH
        return self._peek.fitting(x)

    def unfit(self, y: Array) -> Array:
        """Return (samples,) bool, whose targets are no numbers or classes; none before a batch.

        What is wrong with the first batch is most likely wrong with all, and is an error there.

        Raises
        ------
        MismatchError
            If the classes seem to be counted from 1.
        """
        if self._gathering is None:
            return np.zeros(len(y), dtype=bool)
        task = self._gathering.task
        found = unfit(task, y)
        if task.classifies and found.any() and not self._gathering.has_target(0):
            beyond = y[found] == task.classes
            if beyond.all():
                as_labels(y.reshape(-1), classes=task.classes, split=self._split)
        return found

    def take(self, x: Inputs, y: Array) -> None:
        """Run a batch forward and backward, and take over what it showed.

        Raises
        ------
        MismatchError
            If the targets do not fit the outputs, or the loss does not take them.
        Exception
            Whatever the network raises; nothing of the batch is taken over then.
        """
        gathering = self._gathering or self._start(x, y)
        task, size = gathering.task, count(x)
        asked = Asked.of(task, y)
        keys = gathering.keys(len(asked))
        order = gathering.order(size)
        some, more = (
            self._places(asked, x, rows.wanted(keys), order)
            for rows in (gathering.layers, gathering.answers)
        )
        capture = captured(
            self._module, samples=size, wanted=self._look.layers, some=some, more=more,
            refused=() if self._peek is None else self._peek.refused,
        )  # fmt: skip
        with ExitStack() as stack:
            captures = stack.enter_context(capture)
            records = stack.enter_context(self._backward.recording(size))
            outputs = answer(self._module, placed(x, self._module))
        scores, wanted, judged = self._judged(outputs, y, task=task, asked=asked, size=size)
        gathering.check(scores.shape[1])
        total = judged.mean * len(asked)
        gradients = self._backward.gradients(total, records, first=not self.seen)
        gathering.lose_gradients(self._backward.undone)
        answers = as_numpy(scores)
        gathering.add(
            answers, wanted,
            asked=asked, samples=size, inputs=x if isinstance(x, np.ndarray) else None,
            fingerprints=fingerprints(by_sample(x)), loss=judged.each,
            mean=float(judged.mean.detach()),
            captures=captures, keys=keys, wanted=self._matching(captures.outputs),
        )  # fmt: skip
        self._note(outputs, y, judged)
        self._broken += _broken(answers, values=task.outputs == "values")
        if gradients is not None:
            gathering.add_gradients(*gradients, asked=asked, samples=size)
        if self._trial is not None:
            self._trial.add(x, y)
        self._gathering = gathering

    def try_modes(self, *, size: int) -> None:
        """Run some of the samples in training mode too, at most `size` at once."""
        if self._trial is not None:
            self._modes = self._trial.modes(self._loss, size=size)

    def observation(self, notes: Sequence[Sentence]) -> Observation:
        """Put together what was seen.

        Parameters
        ----------
        notes : what went otherwise

        Raises
        ------
        MismatchError
            If nothing was seen.
        """
        if self._gathering is None:
            raise MismatchError("errors.dataset_empty", split=self._split, found="0")
        # The first split settles the task of all, and says it.
        said = [] if self._given else [_said(self._gathering.task)]
        said += self._backward.notes
        if self._paired is not None:
            said.append(self._paired)
        if self._cast is not None:
            count, found = self._cast
            said.append(Sentence("notes.labels.cast", count=count, found=found))
        if shares := self._gathering.shares:
            inferred = self._look.loss is None and not self._given
            said.append(
                Sentence(
                    "notes.observe.shares_found" if inferred else "notes.observe.shares",
                    split=self._split, count=shares, classes=self._gathering.task.classes,
                )
            )  # fmt: skip
        elif self._values:
            said.append(Sentence("notes.observe.shares_as_values", split=self._split))
        if self._broken:
            said.append(
                Sentence(
                    "notes.observe.nonfinite",
                    split=self._split, count=self._broken, answers=self._gathering.seen_answers,
                )
            )  # fmt: skip
        return self._gathering.observation(
            notes=[*said, *notes],
            modes=self._modes,
            one_by_one=self._backward.one_by_one,
            left_out=self._backward.left_out,
        )

    def _peeked(self, x: Inputs) -> Peek:
        return Peek.of(self._module, x, wanted=self._look.layers)

    def _start(self, x: Inputs, y: Array) -> Gathering:
        """Find out what the outputs mean, and prepare for what is to be kept."""
        peek = self._peek or self._peeked(x)
        # Here, and not at the first batch alone: that may have as many samples as steps in time.
        self._check(peek.outputs, peek.samples)
        if self._task is None:
            several = y.ndim > 1 and y.size and y.dtype.kind in "iu"
            if several and (y == self._ignored).all():
                raise MismatchError(
                    "errors.labels_ignored",
                    split=self._split, count=len(y), found=self._ignored,
                )  # fmt: skip
            with torch.no_grad():
                outputs = answer(self._module, placed(x, self._module))
            self._check(outputs.shape, count(x))
            self._task = self._inferred(as_numpy(outputs), x, y, last=peek.last)
        task = self._task
        wanted = sum(peek.layers[name] for name in self._matching(peek.layers))
        keeps = isinstance(x, np.ndarray) and not task.positional
        answers = int(np.prod(peek.outputs[1:])) if not task.classifies else task.classes
        sizes = Sizes(
            inputs=int(np.prod(x.shape[1:])) if keeps else 0,
            outputs=answers,
            wanted=wanted,
            layers=sum(peek.layers.values()) - wanted,
        )
        return Gathering(
            task, sizes=sizes, parameters=self._backward.trainable, rows=self._look.rows,
            seed=self._look.seed,
        )  # fmt: skip

    def _inferred(self, outputs: Array, x: Inputs, y: Array, *, last: str) -> Task:
        loss, ignored = self._look.loss, self._ignored
        task = infer_task(outputs, y, loss=known_name(loss), last=last, ignored=ignored)
        if loss is None and not task.classifies:
            self._values = are_shares(y, classes=outputs[0].size)
        if task.positional and isinstance(x, Mapping):
            # A language model of transformers is given its input as targets, and shifts them.
            here = y != ignored
            same = any(
                one.shape == y.shape and here.any() and np.array_equal(one[here], y[here])
                for one in x.values()
                if isinstance(one, np.ndarray) and one.dtype.kind in "iu"
            )
            task = replace(task, shifted=same)
        return task if loss is None else replace(task, loss=shown_name(loss))

    def _judged(
        self, outputs: Tensor, y: Array, *, task: Task, asked: Asked, size: int
    ) -> tuple[Tensor, Array, Judged]:
        """Return the answers, what was wanted, and the loss."""
        self._check(outputs.shape, size)
        if outputs.dtype in (torch.float16, torch.bfloat16):
            outputs = outputs.float()  # as a training in mixed precision does for the loss
        scores, wanted = aligned(task, outputs, asked, targets=y, split=self._split)
        judged = loss_of(
            self._own, task, scores, wanted, outputs=outputs, targets=y, split=self._split
        )
        return scores, wanted, judged

    def _note(self, outputs: Tensor, y: Array, judged: Judged) -> None:
        """Remember in which form the loss took the targets."""
        if judged.form == "paired" and self._paired is None and self._look.loss is not None:
            self._paired = Sentence(
                "notes.observe.paired",
                split=self._split, loss=shown_name(self._look.loss),
                outputs=tuple(outputs.shape), targets=y.shape,
            )  # fmt: skip
        elif judged.form == "cast":
            before = 0 if self._cast is None else self._cast[0]
            self._cast = before + y.size, str(y.dtype)

    @property
    def _ignored(self) -> int:
        found: int = getattr(self._look.loss, "ignore_index", -100)
        return found

    def _loss(self, x: Inputs, y: Array) -> tuple[float, int]:
        """Return the mean loss of a batch, and the number of its answers."""
        assert self._task is not None
        asked = Asked.of(self._task, y)
        outputs = answer(self._module, placed(x, self._module))
        _, _, judged = self._judged(outputs, y, task=self._task, asked=asked, size=count(x))
        return float(judged.mean), len(asked)

    def _matching(self, names: Collection[str]) -> list[str]:
        patterns = self._look.layers
        return [n for n in names if any(fnmatchcase(n.partition("#")[0], p) for p in patterns)]

    def _places(self, asked: Asked, x: Inputs, rows: Array, order: Array) -> Places:
        mask = None
        given: Any = x.get("attention_mask") if isinstance(x, Mapping) else None
        if given is not None and np.ndim(given) == 2:
            mask = torch.as_tensor(np.asarray(given)) > 0
        return Places(
            asked.owner[rows], asked.position[rows], asked.grid, self._look.position, mask, order
        )  # fmt: skip

    def _check(self, shape: Sequence[int], size: int) -> None:
        if shape[0] != size:
            traced = type(self._module).__name__ == "TopLevelTracedModule"
            key = "errors.outputs_traced" if traced else "errors.outputs_length"
            raise MismatchError(key, split=self._split, samples=size, shape=tuple(shape))


def _broken(answers: FloatArray, *, values: bool) -> int:
    """Count the answers with NaN or Inf in them; -Inf as a logit is a class that is ruled out."""
    with np.errstate(invalid="ignore", over="ignore"):
        if np.isfinite(answers.sum()):  # so are all of them
            return 0
    if values:
        return int((~np.isfinite(answers).all(axis=1)).sum())
    return int((~np.isfinite(answers.max(axis=1, initial=-np.inf))).sum())


def _said(task: Task) -> Sentence:
    form = "_shifted" if task.shifted else "_positional" if task.positional else ""
    meaning = Sentence(f"words.meaning.{task.outputs}", count=task.classes or task.labels)
    return Sentence(f"notes.observe.task{form}", meaning=meaning, loss=task.loss)
