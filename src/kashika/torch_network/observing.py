"""A split on its way through a network: batches of a size that fits, and what goes wrong."""

from __future__ import annotations

import operator
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from kashika.distribution import Array
from kashika.errors import KashikaError, MismatchError, one_line
from kashika.observation import Observation
from kashika.progress import Progress
from kashika.run import Inputs, Samples
from kashika.task import Task, infer_task
from kashika.texts import Sentence
from kashika.torch_network.batch import answer, count, part, placed, shapes
from kashika.torch_network.capture import Captures, Places, as_numpy, captured
from kashika.torch_network.gathering import Gathering, Sizes, listed
from kashika.torch_network.loss import (
    Asked,
    Loss,
    aligned,
    known_name,
    loss_of,
    out_of_memory,
    shown_name,
)  # fmt: skip
from kashika.torch_sample_gradients import Layouts, recorded

ROWS = 5_000
"""So many answers of a split are kept with their outputs and features, if no more are asked for."""

BATCH = 1024
"""At most so many samples go through a network at once, unless another number is given."""

INPUTS = 1 << 24
"""So many numbers in the inputs of a batch, to choose its size by."""

_ACTIVATIONS = 1 << 26  # and so many in the outputs of all layers
_PEEKED = 2  # samples that are looked at beforehand; some networks do not take a single one
_STREAMED = 64  # samples that are taken out of a stream at once
_LONG = 600.0  # seconds after which a pass is worth a note


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """What a few samples say of the sizes of things.

    Attributes
    ----------
    outputs : of the network for one sample
    layers : {layer: units}
    numbers : in the outputs of all layers, for one sample
    last : type of the module or function that the outputs come from
    """

    outputs: tuple[int, ...]
    layers: Mapping[str, int]
    numbers: int
    last: str


@dataclass
class _Failures:
    """Batches that the network did not take."""

    batches: list[int] = field(default_factory=list)
    samples: int = 0
    first: str = ""

    def add(self, batch: int, samples: int, error: Exception) -> None:
        self.batches.append(batch)
        self.samples += samples
        self.first = self.first or one_line(error)

    def notes(self, split: str) -> list[Sentence]:
        if not self.batches:
            return []
        return [
            Sentence(
                "notes.observe.failed",
                split=split, batch=self.batches[0], count=len(self.batches), samples=self.samples,
                error=self.first,
            )
        ]  # fmt: skip


def observed(
    module: nn.Module,
    samples: Samples,
    *,
    split: str,
    task: Task | None,
    loss: str | Loss | None,
    layers: Collection[str],
    position: int | None,
    batch_size: int | None,
    max_samples: int | None,
    progress: Progress | None,
    rows: int,
    seed: int,
) -> Observation:
    """Run a network once over the samples, forward and, where gradients are on, backward.

    A batch that fails after the first one is left out, one that does not fit in memory is cut in
    two, and an interruption ends the pass; the notes of the observation say so. The parameters
    are those of `TorchNetwork`.

    Raises
    ------
    MismatchError
        If the network cannot take the first batch, or the targets do not fit the outputs.
    """
    total = operator.length_hint(samples, -1)
    known = None if total < 0 else total
    if max_samples is not None:
        known = max_samples if known is None else min(known, max_samples)
    split_pass = _SplitPass(module, split, task, loss, layers, position, rows, seed)
    peeked, batches = _peeked(samples, sized=total >= 0, split=split)
    size = batch_size or split_pass.fitting(peeked)
    if total >= 0:
        batches = samples.batches(size)
    began, seen = time.monotonic(), 0
    try:
        for x, y in batches:
            if max_samples is not None and seen + count(x) > max_samples:
                x, y = part(x, 0, max_samples - seen), y[: max_samples - seen]
            size = split_pass.take(x, y, size=size)
            seen += count(x)
            if progress is not None:
                progress(split, seen, known)
            if seen == max_samples:
                split_pass.stopped(seen, of=total)
                break
    except KeyboardInterrupt:
        if not split_pass.seen:
            raise
        split_pass.interrupted(known)
    except KashikaError:
        raise
    except Exception as error:  # of the data: a network's own are dealt with batch by batch
        if not split_pass.seen:
            raise MismatchError("errors.data_raised", split=split, error=one_line(error)) from error
        split_pass.broken(error)
    if time.monotonic() - began > _LONG and known is None:
        split_pass.long(time.monotonic() - began)
    return split_pass.observation()


def _peeked(
    samples: Samples, *, sized: bool, split: str
) -> tuple[Inputs, Iterator[tuple[Inputs, Array]]]:
    """Look at a few samples; a stream, which may be read once only, gives them again."""
    batches = samples.batches(_PEEKED if sized else _STREAMED)
    try:
        first = next(batches)
    except StopIteration:
        found = type(samples).__name__
        raise MismatchError("errors.dataset_empty", split=split, found=found) from None
    except (KashikaError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise MismatchError("errors.data_raised", split=split, error=one_line(error)) from error
    return part(first[0], 0, _PEEKED), chain([first], batches)


class _SplitPass:
    """One split, batch by batch."""

    def __init__(
        self,
        module: nn.Module,
        split: str,
        task: Task | None,
        loss: str | Loss | None,
        layers: Collection[str],
        position: int | None,
        rows: int,
        seed: int,
    ) -> None:
        self._module, self._split, self._task, self._loss = module, split, task, loss
        self._wanted, self._position, self._rows, self._seed = layers, position, rows, seed
        self._own = None if isinstance(loss, str) else loss
        self._given = task is not None
        self._trainable = {
            name: one
            for name, one in module.named_parameters()
            if one.requires_grad and torch.is_grad_enabled()
        }
        self._layout: _Layout | None = None
        self._gathering: Gathering | None = None
        self._failures = _Failures()
        self._notes: list[Sentence] = []
        self._layouts: Layouts = {}
        self._batch = 0  # number of the batch, from 1
        self._one_by_one: dict[str, None] = {}
        self._left_out: dict[str, None] = {}

    @property
    def seen(self) -> int:
        """Samples so far."""
        return 0 if self._gathering is None else self._gathering.samples

    def fitting(self, x: Inputs) -> int:
        """Choose the size of the batches by what a few samples need."""
        try:
            self._layout = self._look(x)
        except Exception as error:  # noqa: BLE001  the user's network may raise anything
            # A network for batches of one size only is looked at with the first whole batch.
            return 1 if out_of_memory(error) else BATCH
        numbers = max(1, sum(np.size(one) for one in _flat(x)) // max(1, count(x)))
        size = min(BATCH, INPUTS // numbers, _ACTIVATIONS // max(1, self._layout.numbers))
        return 1 << (max(1, size).bit_length() - 1)

    def take(self, x: Inputs, y: Array, *, size: int) -> int:
        """Look at a batch, at most `size` samples at once; return the size that fitted."""
        self._batch += 1
        start, whole = 0, count(x)
        if len(y) != whole:
            raise MismatchError(
                "errors.lengths", split=self._split, inputs=shapes(x), targets=y.shape
            )
        while start < whole:
            stop = min(whole, start + size)
            failed: Exception | None = None
            try:
                self._step(part(x, start, stop), y[start:stop])
            except KashikaError:
                raise
            except Exception as error:  # noqa: BLE001  the user's network may raise anything
                failed = error.with_traceback(None)  # which holds the memory of the batch
            if failed is not None and out_of_memory(failed) and stop - start > 1:
                size = (stop - start + 1) // 2
                self._said("notes.observe.halved", size=size)
                continue
            if failed is not None:
                if self._gathering is None:
                    raise MismatchError(
                        "errors.forward", split=self._split, shape=shapes(part(x, start, stop)),
                        error=one_line(failed),
                    ) from failed  # fmt: skip
                self._failures.add(self._batch, stop - start, failed)
            start = stop
        return size

    def stopped(self, seen: int, *, of: int) -> None:
        if of != seen:
            self._said("notes.observe.stopped", seen=seen)

    def interrupted(self, known: int | None) -> None:
        all_of = "?" if known is None else known
        self._said("notes.observe.interrupted", seen=self.seen, known=all_of)

    def broken(self, error: Exception) -> None:
        self._said("notes.observe.broken", seen=self.seen, error=one_line(error))

    def long(self, seconds: float) -> None:
        self._said("notes.observe.long", seen=self.seen, minutes=round(seconds / 60))

    def observation(self) -> Observation:
        if self._gathering is None:
            raise MismatchError("errors.dataset_empty", split=self._split, found="0")
        # The first split settles the task of all, and says it.
        task = [] if self._given else [_said(self._gathering.task)]
        slow, unknown = self._one_by_one, self._left_out
        said = []
        if slow:
            said.append(Sentence("notes.observe.one_by_one", names=listed(slow)))
        if unknown:
            said.append(Sentence("notes.observe.left_out", names=listed(unknown)))
        return self._gathering.observation(
            notes=[*task, *said, *self._notes, *self._failures.notes(self._split)],
            one_by_one=slow,
            left_out=unknown,
        )

    def _said(self, key: str, **values: object) -> None:
        self._notes = [one for one in self._notes if one.key != key]
        self._notes.append(Sentence(key, split=self._split, **values))

    def _look(self, x: Inputs) -> _Layout:
        """Run a few samples forward, to see how large everything is."""
        size, nowhere = count(x), Places(np.arange(1), np.zeros(1, dtype=int))
        with torch.no_grad(), self._captured(size, nowhere, nowhere) as captures:
            outputs = answer(self._module, placed(x, self._module))
        layers = {name: one.features.shape[1] for name, one in captures.outputs.items()}
        numbers = sum(one.values.size for one in captures.outputs.values()) + outputs.numel()
        return _Layout(tuple(outputs.shape), layers, numbers // size, captures.last)

    def _captured(self, size: int, some: Places, more: Places) -> AbstractContextManager[Captures]:
        return captured(self._module, samples=size, wanted=self._wanted, some=some, more=more)

    def _start(self, x: Inputs, y: Array) -> Gathering:
        """Find out what the outputs mean, and prepare for what is to be kept."""
        layout = self._layout or self._look(x)
        if self._task is None:
            with torch.no_grad():
                outputs = answer(self._module, placed(x, self._module))
            self._check(outputs, count(x))
            self._task = self._inferred(as_numpy(outputs), x, y, last=layout.last)
        task = self._task
        wanted = sum(layout.layers[name] for name in self._matching(layout.layers))
        keeps = isinstance(x, np.ndarray) and not task.positional
        answers = int(np.prod(layout.outputs[1:])) if not task.classifies else task.classes
        sizes = Sizes(
            inputs=int(np.prod(x.shape[1:])) if keeps else 0,
            outputs=answers,
            wanted=wanted,
            layers=sum(layout.layers.values()) - wanted,
        )
        return Gathering(
            task, sizes=sizes, parameters=self._trainable, rows=self._rows, seed=self._seed
        )

    def _inferred(self, outputs: Array, x: Inputs, y: Array, *, last: str) -> Task:
        ignored = getattr(self._loss, "ignore_index", -100)
        task = infer_task(outputs, y, loss=known_name(self._loss), last=last, ignored=ignored)
        if task.positional and isinstance(x, Mapping):
            # A language model of transformers is given its input as targets, and shifts them.
            here = y != ignored
            same = any(
                one.shape == y.shape and here.any() and np.array_equal(one[here], y[here])
                for one in x.values()
                if isinstance(one, np.ndarray) and one.dtype.kind in "iu"
            )
            task = replace(task, shifted=same)
        return task if self._loss is None else replace(task, loss=shown_name(self._loss))

    def _matching(self, names: Collection[str]) -> list[str]:
        return [n for n in names if any(fnmatchcase(n.partition("#")[0], w) for w in self._wanted)]

    def _step(self, x: Inputs, y: Array) -> None:
        """Run a batch forward and backward, and take over what it showed."""
        gathering = self._gathering or self._start(x, y)
        task, size = gathering.task, count(x)
        asked = Asked.of(task, y)
        keys = gathering.keys(len(asked))
        order = gathering.order(size)
        some, more = (
            self._places(asked, x, rows.wanted(keys), order)
            for rows in (gathering.layers, gathering.answers)
        )
        with ExitStack() as stack:
            captures = stack.enter_context(self._captured(size, some, more))
            records = None
            if self._trainable:
                records = stack.enter_context(
                    recorded(self._module, self._trainable, samples=size, layouts=self._layouts)
                )
            outputs = answer(self._module, placed(x, self._module))
        self._check(outputs, size)
        if outputs.dtype in (torch.float16, torch.bfloat16):
            outputs = outputs.float()  # as a training in mixed precision does for the loss
        scores, wanted = aligned(task, outputs, asked, targets=y, split=self._split)
        gathering.check(scores.shape[1])
        mean, each = loss_of(
            self._own, task, scores, wanted, outputs=outputs, targets=y, split=self._split
        )
        gradients = None
        if records is not None and mean.requires_grad:
            gradients = records.backward(mean * len(asked))
            self._one_by_one |= dict.fromkeys(records.one_by_one)
            self._left_out |= dict.fromkeys(records.left_out)
        gathering.add(
            as_numpy(scores), wanted,
            asked=asked, samples=size, inputs=x if isinstance(x, np.ndarray) else None,
            loss=each, mean=float(mean.detach()), captures=captures, keys=keys,
            wanted=self._matching(captures.outputs),
        )  # fmt: skip
        if gradients is not None:
            gathering.add_gradients(*gradients, asked=asked, samples=size)
        self._gathering = gathering

    def _places(self, asked: Asked, x: Inputs, rows: Array, order: Array) -> Places:
        mask = None
        given = x.get("attention_mask") if isinstance(x, Mapping) else None
        if given is not None and np.ndim(given) == 2:
            mask = torch.as_tensor(np.asarray(given)) > 0
        return Places(
            asked.owner[rows], asked.position[rows], asked.grid, self._position, mask, order
        )  # fmt: skip

    def _check(self, outputs: Tensor, size: int) -> None:
        if len(outputs) != size:
            raise MismatchError(
                "errors.outputs_length",
                split=self._split, samples=size, shape=tuple(outputs.shape),
            )  # fmt: skip


def _said(task: Task) -> Sentence:
    form = "_shifted" if task.shifted else "_positional" if task.positional else ""
    meaning = Sentence(f"words.meaning.{task.outputs}", count=task.classes or task.labels)
    return Sentence(f"notes.observe.task{form}", meaning=meaning, loss=task.loss)


def _flat(inputs: Inputs) -> Iterator[Array]:
    if isinstance(inputs, Mapping | tuple):
        for one in inputs.values() if isinstance(inputs, Mapping) else inputs:
            yield from _flat(one)
    else:
        yield inputs
