"""Run: what a training left behind, as values that everything else reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol

import numpy as np

from kashika.distribution import Array, Distribution, FloatArray
from kashika.errors import Interrupted, MismatchError
from kashika.history import History
from kashika.naming import SPLITS, Split
from kashika.observation import Observation
from kashika.parameters import Parameter
from kashika.task import Task
from kashika.texts import Sentence

Inputs = Any
"""One array, a tuple of arrays, or a mapping from argument to array, for some samples."""

TARGETS = ("labels", "label", "label_ids", "targets", "target", "y")
"""Names of the targets in a batch that is a mapping."""


class Samples(Protocol):
    """One split of the data: where its batches come from."""

    def __len__(self) -> int:
        """Return the number of samples; raise TypeError where nobody knows it."""

    def batches(self, size: int) -> Iterator[tuple[Inputs, Array]]:
        """Give inputs and targets in the same order every time, about `size` samples at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Arrays:
    """Samples that lie in memory.

    Attributes
    ----------
    inputs : (n, …), a tuple of such, or a mapping from argument to such
    targets : (n,) or (n, targets); words until they are understood as classes
    class_names : of the classes 0, 1, …; empty where they have none
    columns : names of the columns of the inputs; empty where they have none
    """

    inputs: Inputs
    targets: Array
    class_names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    @classmethod
    def of(cls, inputs: object, targets: object, *, split: str) -> Arrays:
        """Take NumPy arrays, tensors, lists and pandas objects alike.

        Parameters
        ----------
        inputs : one of them; a tuple, or a mapping from argument to such, for several inputs. What
            is no numbers in a mapping, such as texts, is left out.

        Raises
        ------
        MismatchError
            If they are not numbers, are empty, or differ in length; targets may be words.
        """
        y = as_array(targets, split=split, words=True)
        x: Inputs
        if isinstance(inputs, Mapping):
            x = {str(key): as_array(one, split=split) for key, one in inputs.items() if _held(one)}
        elif isinstance(inputs, tuple | list) and _several(inputs, samples=y.shape[:1]):
            x = tuple(as_array(one, split=split) for one in inputs)
        else:
            x = as_array(inputs, split=split)
        parts = _parts(x)
        if (
            not parts
            or not y.ndim
            or not len(y)
            or any(one.shape[:1] != y.shape[:1] for one in parts)
        ):
            found = ", ".join(str(one.shape) for one in parts) or "{}"
            raise MismatchError("errors.lengths", split=split, inputs=found, targets=y.shape)
        names = map(str, getattr(inputs, "columns", ()))
        return cls(x, y, columns=tuple(names))

    def __len__(self) -> int:
        return len(self.targets)

    def at(self, rows: slice | Array) -> Arrays:
        """Return some of the samples."""
        x = self.inputs
        if isinstance(x, Mapping):
            x = {key: one[rows] for key, one in x.items()}
        elif isinstance(x, tuple):
            x = tuple(one[rows] for one in x)
        else:
            x = x[rows]
        return replace(self, inputs=x, targets=self.targets[rows])

    def batches(self, size: int) -> Iterator[tuple[Inputs, Array]]:
        """Give inputs and targets, `size` samples at once."""
        for start in range(0, len(self), size):
            some = self.at(slice(start, start + size))
            yield some.inputs, some.targets


def columns_of(samples: Mapping[Split, Samples]) -> tuple[str, ...]:
    """Return the names of the columns of the inputs; () where none of the splits has any."""
    names: Iterator[tuple[str, ...]] = (getattr(one, "columns", ()) for one in samples.values())
    return next(filter(None, names), ())


class Network(Protocol):
    """A trained network, whatever it is made with."""

    def parameters(self) -> Iterator[Parameter]:
        """Give every parameter, in the order of the state_dict."""

    def statistics(self) -> Iterator[tuple[str, Distribution]]:
        """Give the running statistics of its batch norms, each with its name in the state_dict."""

    def predict(self, inputs: Array) -> FloatArray:
        """Return the (n, outputs) outputs for (n, …) inputs, in evaluation mode."""

    def slopes(self, inputs: Array, task: Task) -> FloatArray:
        """Return (n, …) how the lead of the predicted class over the next one changes.

        The gradient of the difference of their scores with respect to each input, in logits where
        the outputs are logits; zeros where there are no classes.
        """

    def observe(self, samples: Samples, *, split: str, task: Task | None = None) -> Observation:
        """Run once over the samples, forward and backward; `task` is inferred if not given."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The weights in a file.

    Attributes
    ----------
    path : of the file
    parameters : in the order of the file
    statistics : {name: running mean or variance of a batch norm}
    epoch, step : of the training, where the file says when it was saved
    """

    path: Path
    parameters: tuple[Parameter, ...]
    epoch: int | None = None
    step: int | None = None
    statistics: Mapping[str, Distribution] = field(default_factory=dict)


class Observations(Mapping[Split, Observation]):
    """Every split is observed when it is first asked for, and only once.

    After an interruption the splits that were not begun are gone.
    """

    def __init__(self, network: Network, samples: Mapping[Split, Samples]) -> None:
        self._network = network
        self._samples = {split: samples[split] for split in SPLITS if split in samples}
        self._seen: dict[Split, Observation | Exception] = {}

    def __getitem__(self, split: Split) -> Observation:
        samples = self._samples[split]
        if split not in self._seen:
            # All splits are read with the task of the first one: a small test split may hold one
            # class only.
            first = next(iter(self._samples))
            task = None if split == first else self[first].task
            if split not in self._samples:
                raise Interrupted("missing.interrupted", split=split)
            try:
                seen = self._network.observe(samples, split=split, task=task)
                self._seen[split] = seen
                if any(note.key == "notes.observe.interrupted" for note in seen.notes):
                    self._samples = {s: self._samples[s] for s in self._samples if s in self._seen}
            except Exception as error:  # noqa: BLE001  raised below, to every view that asks
                self._seen[split] = error
        seen_or_error = self._seen[split]
        if isinstance(seen_or_error, Exception):
            raise seen_or_error
        return seen_or_error

    def __contains__(self, split: object) -> bool:
        return split in self._samples  # Mapping's own would observe it

    def __iter__(self) -> Iterator[Split]:
        for split in tuple(self._samples):
            if split in self._samples:  # none was interrupted since
                yield split

    def __len__(self) -> int:
        return len(self._samples)

    @property
    def notes(self) -> list[Sentence]:
        """What was left out or went otherwise so far, each said once."""
        seen = (one for one in self._seen.values() if isinstance(one, Observation))
        said = [note for one in seen for note in one.notes]
        # Data that are read batch by batch know only afterwards what could not be read.
        said += [
            note
            for split in self._seen
            if split in self._samples
            for note in getattr(self._samples[split], "notes", ())
        ]
        return [*{str(note): note for note in said}.values()]


@dataclass(frozen=True, slots=True)
class Cut:
    """Where the inputs of a network are cut to show its boundary; in the usual ways if all None.

    Attributes
    ----------
    through : three rows, whose plane is shown
    features : two columns of the flattened inputs, from 0
    at : row that gives the values of the other columns
    projection : of all samples: "pca" or "tsne"
    """

    through: tuple[int, ...] | None = None
    features: tuple[int, ...] | None = None
    at: int | None = None
    projection: Literal["pca", "tsne"] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A finished training.

    Attributes
    ----------
    name : as the user calls it, usually the directory
    history : what was logged
    network : the trained network
    checkpoint : the file with its weights, readable without the network's code
    observations : {split: what the network did on it}
    layer : name or pattern of the layers whose features are looked at; the outputs if None
    columns : names of the columns of the inputs; empty where they have none
    cut : where the inputs are cut to show the boundary
    frozen : patterns of the parameters that were not to be trained
    notes : every repair and choice that loading made
    unread : what was there and could not be read, as errors say it
    provenance : (what, value) of the inputs: files with their hash, seeds, versions
    """

    name: str
    history: History | None = None
    network: Network | None = None
    checkpoint: Checkpoint | None = None
    observations: Mapping[Split, Observation] = field(default_factory=lambda: MappingProxyType({}))
    layer: str | None = None
    columns: tuple[str, ...] = ()
    cut: Cut = Cut()
    frozen: tuple[str, ...] = ()
    notes: Sequence[Sentence] = ()
    unread: Sequence[Sentence] = ()
    provenance: Sequence[tuple[str, str]] = ()

    def observation(self, *preferred: Split) -> tuple[Split, Observation] | None:
        """Return the first of the preferred splits that there is, with what was seen on it."""
        for split in preferred:
            if split in self.observations:
                # The first split, which gives the task to all others, may be interrupted.
                with suppress(Interrupted):
                    return split, self.observations[split]
        return None

    @property
    def observed(self) -> Sequence[Sentence]:
        """What was left out or went otherwise in the observations that were made so far."""
        return self.observations.notes if isinstance(self.observations, Observations) else ()


def _held(value: object) -> bool:
    """Tell an array, a tensor or a column of numbers, of which there is one for each sample."""
    kind = str(getattr(value, "dtype", "object"))
    return getattr(value, "shape", ()) != () and not kind.startswith(("object", "str", "<U", "|S"))


def _several(inputs: Sequence[object], *, samples: tuple[int, ...]) -> bool:
    """Tell the arrays of several inputs from the rows of one."""
    shapes = [tuple(getattr(one, "shape", ())) for one in inputs]
    rows = (len(inputs),) == samples and len(set(shapes)) == 1
    arrays = all(shape != () for shape in shapes)
    return not rows and arrays and any(shape[:1] == samples for shape in shapes)


def _parts(inputs: Inputs) -> list[Array]:
    """Return the arrays of inputs."""
    if isinstance(inputs, Mapping):
        return [*inputs.values()]
    return [*inputs] if isinstance(inputs, tuple) else [inputs]


def as_array(values: object, *, split: str, words: bool = False) -> Array:
    """Return lists, tensors and pandas objects as an array of numbers.

    Parameters
    ----------
    words : take words as well; a missing one becomes ""

    Raises
    ------
    MismatchError
        If they are not numbers.
    """
    detach = getattr(values, "detach", None)  # a tensor; torch itself need not be imported
    try:
        if detach is not None:
            tensor = detach().cpu()
            values = (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
        array = np.asarray(values)
        if array.dtype == object and all(isinstance(one, Real) for one in array.flat):
            array = np.asarray(array.tolist())  # a data frame of several types of numbers
    except (RuntimeError, TypeError, ValueError):  # rows of different lengths, a sparse tensor
        array = np.empty(0, dtype=object)
    if words and array.dtype.kind in "USO" and (text := _words(array)) is not None:
        return text
    if array.dtype.kind not in "fiub":
        raise MismatchError("errors.not_numbers", split=split, found=array.dtype)
    return array


def _words(values: Array) -> Array | None:
    """Return words as an array of text, with "" for a missing one; None if they are none."""
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind == "U":
        return values
    texts = [one if isinstance(one, str) else "" for one in values.flat]
    other = [one for one in values.flat if not isinstance(one, str)]
    # None, NaN, or the NA of pandas, which is not imported here.
    missing = all(one is None or str(one) in ("nan", "<NA>") for one in other)
    return np.array(texts).reshape(values.shape) if missing and any(texts) else None
