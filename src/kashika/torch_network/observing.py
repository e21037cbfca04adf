"""A split on its way through a network: batches of a size that fits, and what goes wrong."""

from __future__ import annotations

import operator
import time
from collections.abc import Iterator
from itertools import chain

import numpy as np
from torch import nn

from kashika.distribution import Array, IntArray
from kashika.errors import KashikaError, MismatchError, listed, one_line
from kashika.look import Look
from kashika.observation import Observation
from kashika.run import Inputs, Samples
from kashika.task import Task
from kashika.texts import Sentence
from kashika.torch_network.asking import Asking
from kashika.torch_network.batch import chosen, count, part, shapes
from kashika.torch_network.loss import out_of_memory

_PEEKED = 2  # samples that are looked at beforehand; some networks do not take a single one
_STREAMED = 64  # samples that are taken out of a stream at once
_LONG = 600.0  # seconds after which a pass is worth a note


def observed(
    module: nn.Module, samples: Samples, *, split: str, task: Task | None, look: Look
) -> Observation:
    """Run a network once over the samples, forward and, where gradients are on, backward.

    A batch that fails after the first one is left out, one that does not fit in memory is cut in
    two, and an interruption ends the pass; the notes of the observation say so.

    Raises
    ------
    MismatchError
        If the network cannot take the first batch, or the targets do not fit the outputs.
    """
    total = operator.length_hint(samples, -1)
    known, most = None if total < 0 else total, look.max_samples
    if most is not None:
        known = most if known is None else min(known, most)
    asking, happened = Asking(module, split=split, task=task, look=look), _Happened(split)
    peeked, batches = _peeked(samples, sized=total >= 0, split=split)
    size = look.batch_size or asking.fitting(peeked)
    if total >= 0:
        batches = samples.batches(size)
    began, seen = time.monotonic(), 0
    try:
        for number, (x, y) in enumerate(batches, start=1):
            if most is not None and seen + count(x) > most:
                x, y = part(x, 0, most - seen), y[: most - seen]
            size = _taken(asking, x, y, first=seen, number=number, size=size, happened=happened)
            seen += count(x)
            if look.progress is not None:
                look.progress(split, seen, known)
            if seen == most:
                if seen != total:
                    happened.note("notes.observe.stopped", seen=seen)
                break
        asking.try_modes(size=size)
    except KeyboardInterrupt:
        if not asking.seen:
            raise
        said = Sentence("words.samples_seen", seen=asking.seen)
        if known is not None:
            said = Sentence("words.samples_of", seen=asking.seen, known=known)
        happened.note("notes.observe.interrupted", samples=said)
    except KashikaError:
        raise
    except Exception as error:  # of the data: a network's own are dealt with batch by batch
        if not asking.seen:
            raise MismatchError("errors.data_raised", split=split, error=one_line(error)) from error
        happened.note("notes.observe.broken", seen=asking.seen, error=one_line(error))
    taken = time.monotonic() - began
    if taken > _LONG and known is None:
        happened.note("notes.observe.long", seen=asking.seen, minutes=round(taken / 60))
    return asking.observation(happened.notes)


class _Happened:
    """What went otherwise on the way."""

    def __init__(self, split: str) -> None:
        self.split = split
        self._notes: dict[str, Sentence] = {}
        self._failed: list[int] = []  # numbers of batches
        self._samples = 0  # in them
        self._first = ""
        self._unfit = 0  # samples whose targets are no targets
        self._row, self._found = 0, ""  # the first of them

    def note(self, key: str, **values: object) -> None:
        """Say something; what was said with the same key before no longer holds."""
        self._notes.pop(key, None)
        self._notes[key] = Sentence(key, split=self.split, **values)

    def failed(self, batch: int, samples: int, error: Exception) -> None:
        self._failed.append(batch)
        self._samples += samples
        self._first = self._first or _told(error)
        self.note(
            "notes.observe.failed",
            batch=self._failed[0], count=len(self._failed), samples=self._samples,
            error=self._first,
        )  # fmt: skip

    def unfit(self, rows: IntArray, targets: Array) -> None:
        """Note samples that were left out for their targets; `rows` of the data, from 0."""
        if not self._unfit:
            self._row, self._found = int(rows[0]), _shown(targets[0])
        self._unfit += len(rows)
        self.note("notes.observe.unfit", count=self._unfit, row=self._row, found=self._found)

    @property
    def notes(self) -> list[Sentence]:
        return [*self._notes.values()]


def _told(error: Exception) -> str:
    """Say what a network raised on one line."""
    if isinstance(error, KashikaError):
        return str(error)
    *before, last = str(error).strip().split("\n")
    # That of a script begins with its own traceback and ends with what happened.
    return last if any("TorchScript" in line for line in before) else one_line(error)


def _shown(target: Array) -> str:
    """Say a target; of an answer at every position, what is at the first ones."""
    return listed(np.unique(target))


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


def _taken(
    asking: Asking,
    x: Inputs,
    y: Array,
    *,
    first: int,
    number: int,
    size: int,
    happened: _Happened,
) -> int:
    """Ask about a batch, at most `size` samples at once; return the size that fitted.

    Parameters
    ----------
    first : row of the data at which it begins
    number : of the batch
    """
    start, whole = 0, count(x)
    if len(y) != whole:
        raise MismatchError(
            "errors.lengths", split=happened.split, inputs=shapes(x), targets=y.shape
        )
    unfit = asking.unfit(y)
    if unfit.any():
        happened.unfit(first + np.flatnonzero(unfit), y[unfit])
        x, y = chosen(x, ~unfit), y[~unfit]
        whole = len(y)
    while start < whole:
        stop = min(whole, start + size)
        here = part(x, start, stop)
        failed: Exception | None = None
        try:
            asking.take(here, y[start:stop])
        except KashikaError as error:
            if not asking.seen:
                raise
            failed = error.with_traceback(None)
        except Exception as error:  # noqa: BLE001  the user's network may raise anything
            failed = error.with_traceback(None)  # which holds the memory of the batch
        if failed is not None and out_of_memory(failed) and stop - start > 1:
            size = (stop - start + 1) // 2
            happened.note("notes.observe.halved", size=size)
            continue
        if failed is not None:
            if not asking.seen:
                raise MismatchError(
                    "errors.forward",
                    split=happened.split, shape=shapes(here), error=_told(failed),
                ) from failed  # fmt: skip
            happened.failed(number, stop - start, failed)
        start = stop
    return size
