"""One pass over a split: what its batches showed, gathered into an Observation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from kashika.distribution import Array, FloatArray, IntArray
from kashika.errors import listed
from kashika.observation import Answers, Layer, Modes, Observation
from kashika.reservoir import Reservoir
from kashika.task import Task, are_shares
from kashika.texts import Sentence
from kashika.torch_network.capture import Captures, Output
from kashika.torch_network.gradients import Gradients
from kashika.torch_network.loss import Asked

_NUMBERS = 1 << 24
"""So many numbers of inputs are kept, and of outputs: fewer rows where one of them is wide."""

_FEATURES = 1 << 25  # so many numbers of features of all layers together


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """How many numbers belong to one answer, which settles how many are kept.

    Attributes
    ----------
    inputs : of one input; 0 where inputs are not kept
    outputs : of one answer
    wanted : units of the layers that were asked for
    layers : units of all others
    """

    inputs: int
    outputs: int
    wanted: int
    layers: int


class Gathering:
    """What has been seen of a split so far, batch by batch.

    Parameters
    ----------
    task : what the outputs mean
    sizes : how many numbers belong to one answer
    parameters : names of the trainable parameters
    rows : at most so many answers are kept with what belongs to them
    seed : of the choice of rows
    """

    def __init__(
        self, task: Task, *, sizes: Sizes, parameters: Collection[str], rows: int, seed: int
    ) -> None:
        self.task = task
        self.samples = 0  # seen so far
        most = min(rows, _most(_NUMBERS, sizes.outputs + sizes.wanted))
        self.answers = Reservoir(most)
        self.layers = Reservoir(min(most, _most(_FEATURES, sizes.layers)))
        self.inputs = Reservoir(min(rows, _most(_NUMBERS, sizes.inputs)))
        self._keeps_inputs = sizes.inputs > 0
        self._random = np.random.default_rng(seed)
        self._answers: list[Answers] = []
        self._loss: list[FloatArray] = []
        self._means: list[float] = []
        self._owner: list[IntArray] = []
        self._position: list[IntArray] = []
        self._fingerprints: list[IntArray] = []
        self._outputs: dict[str, Output] = {}
        self._gone: set[str] = set()  # layers that a batch did without
        self._refused: dict[str, None] = {}
        self._order: dict[str, None] = {}
        self._width: int | None = None  # outputs for each answer
        self._errors = 0.0  # squared, summed over the answers and their columns
        self._columns = _Columns()
        self._chances = np.zeros(task.classes)  # summed, of targets that are probabilities
        self.shares = 0  # answers with such targets
        self._gradients = Gradients(parameters)

    @property
    def seen_answers(self) -> int:
        """How many answers there were so far."""
        return sum(map(len, self._loss))

    def has_target(self, value: int) -> bool:
        """Tell whether an answer with this target was seen."""
        return any(bool((one.targets == value).any()) for one in self._answers)

    def keys(self, count: int) -> FloatArray:
        """Draw the keys of the next answers, by which the reservoirs choose."""
        return self._random.random(count)

    def order(self, samples: int) -> IntArray:
        """Draw the order in which the samples of a batch are looked at, where not all can be."""
        return self._random.permutation(samples)

    def check(self, outputs: int) -> None:
        """Raise ValueError where a batch has another number of outputs than those before it."""
        if self._width not in (None, outputs):
            raise ValueError(f"expected {self._width} outputs for each answer, found {outputs}")
        self._width = outputs

    def add(
        self,
        outputs: FloatArray,
        targets: Array,
        *,
        asked: Asked,
        samples: int,
        inputs: Array | None,
        fingerprints: IntArray,
        loss: FloatArray,
        mean: float,
        captures: Captures,
        keys: FloatArray,
        wanted: Collection[str],
    ) -> None:
        """Take over what a batch showed.

        Parameters
        ----------
        outputs, targets : (n, outputs) and (n, …) of the answers
        asked : where they stand
        samples : size of the batch
        inputs : (samples, …); None where they are not kept
        fingerprints : (samples,) of the inputs
        loss : (n,) of every answer
        mean : loss of the whole batch
        keys : (n,) as `keys` gave them
        wanted : layers whose features are kept for more answers than those of the others
        """
        ids = np.arange(len(keys)) + self.seen_answers
        here = Answers.of(self.task, outputs, targets)
        self._answers.append(here)
        self._loss.append(loss)
        self._means.append(mean)
        if asked.grid:
            self._owner.append(asked.owner + self.samples)
            self._position.append(asked.position)
        if not self.task.classifies and not self.task.labels:
            self._errors += float(np.sum((outputs - targets) ** 2, dtype=np.float64))
        if not self.task.classifies:
            self._columns.add(targets)
        elif are_shares(asked.targets, classes=self.task.classes):
            self._chances += asked.targets.sum(axis=0, dtype=np.float64)
            self.shares += len(targets)
        found = captures.outputs
        rows = self.answers.wanted(keys)
        features = {f"layer {name}": found[name].features for name in wanted if name in found}
        given = {"outputs": outputs[rows], "wanted": targets[rows]}
        self.answers.add(keys[rows], ids[rows], given | features)
        rows = self.layers.wanted(keys)
        others = {name: one.features for name, one in found.items() if name not in wanted}
        self.layers.add(keys[rows], ids[rows], others)
        if inputs is not None and self._keeps_inputs:
            rows = self.inputs.wanted(keys)
            self.inputs.add(keys[rows], ids[rows], {"inputs": np.array(inputs[rows])})
        self._fingerprints.append(fingerprints)
        self._merge(captures)
        self.samples += samples

    def add_gradients(
        self,
        summed: Mapping[str, Tensor | None],
        squares: Mapping[str, Tensor],
        *,
        asked: Asked,
        samples: int,
    ) -> None:
        """Take over the gradients of a batch, as `torch_sample_gradients` gives them."""
        counts = np.bincount(asked.owner, minlength=samples)
        self._gradients.add(summed, squares, samples=samples, counts=counts)

    def lose_gradients(self, names: Collection[str]) -> None:
        """Expect none of some parameters any more: they cannot be had."""
        self._gradients.lose(names)

    def observation(
        self,
        *,
        notes: Sequence[Sentence],
        modes: Modes | None = None,
        one_by_one: Collection[str] = (),
        left_out: Collection[str] = (),
    ) -> Observation:
        """Put everything together."""
        task, order = self.task, self._order
        targets = np.concatenate([one.targets for one in self._answers])
        kept, sizes = self.answers.columns, [len(one) for one in self._loss]
        labels = sum((one.labels for one in self._answers), start=np.zeros((1, 4), dtype=np.int64))
        counts: Array = np.bincount(targets) if task.classifies else np.empty(0, dtype=np.int64)
        if self._refused:
            notes = [*notes, Sentence("notes.observe.refused", names=listed(self._refused))]
        return Observation(
            task=task,
            targets=targets,
            predicted=np.concatenate([one.predicted for one in self._answers]),
            confidence=np.concatenate([one.confidence for one in self._answers]),
            probability=np.concatenate([one.probability for one in self._answers]),
            loss=np.concatenate(self._loss),
            rows=self.answers.ids,
            outputs=kept["outputs"],
            wanted=kept["wanted"],
            input_rows=self.inputs.ids,
            inputs=self.inputs.columns.get("inputs", np.empty((0,))),
            layers=tuple(self._layers(kept)),
            gradients=self._gradients.by_parameter(order, answers=sum(sizes)),
            mean_loss=float(np.average(self._means, weights=sizes)) if sum(sizes) else np.nan,
            samples=self.samples,
            sample_gradients=self._gradients.by_sample(
                order, samples=self.samples, one_by_one=one_by_one, left_out=left_out
            ),
            rmse=self._rmse(sum(sizes)),
            chance_loss=task.chance_loss(
                counts=self._chances if self.shares else counts,
                variance=self._columns.variance,
                shares=self._columns.mean,
            ),
            labels=labels if task.labels else np.empty((0, 4), dtype=np.int64),
            owner=_joined(self._owner),
            place=_joined(self._position),
            fingerprints=_joined(self._fingerprints),
            modes=modes,
            notes=notes,
        )

    def _rmse(self, answers: int) -> float:
        numbers = answers * self._columns.width
        regression = not self.task.classifies and not self.task.labels
        return float(np.sqrt(self._errors / numbers)) if regression and numbers else np.nan

    def _merge(self, captures: Captures) -> None:
        first = not self._outputs and not self._gone
        for name, one in captures.outputs.items():
            before = self._outputs.get(name)
            if before is None and first:
                self._outputs[name] = one
            elif before is None or before.active.shape != one.active.shape:
                self._gone.add(name)
            else:
                self._outputs[name] = Output(
                    one.kind, before.values + one.values, before.active + one.active,
                    one.features[:0], one.positions, one.pooled,
                )  # fmt: skip
        self._gone |= self._outputs.keys() - captures.outputs.keys()
        self._order |= captures.order
        self._refused |= captures.refused

    def _layers(self, kept: Mapping[str, Array]) -> list[Layer]:
        """Return the layers that were seen in every batch, in the order of their calls."""
        others, made = self.layers.columns, []
        for name, one in self._outputs.items():
            if name in self._gone:
                continue
            wanted = f"layer {name}" in kept
            features = kept[f"layer {name}"] if wanted else others.get(name)
            if features is None:
                continue
            kept_by = self.answers if wanted else self.layers
            layer = Layer(
                name, one.kind, one.values, one.active, features, kept_by.ids,
                one.positions, one.pooled,
            )  # fmt: skip
            made.append(layer)
        return made


class _Columns:
    """Mean and variance of every column of the targets, of any number of rows."""

    def __init__(self) -> None:
        self._count = 0
        self._mean: FloatArray = np.empty(0)
        self._deviations: FloatArray = np.empty(0)  # summed squares of them

    def add(self, values: Array) -> None:
        values = values.astype(np.float64)
        count, mean = len(values), values.mean(axis=0)
        deviations = ((values - mean) ** 2).sum(axis=0)
        if not self._count:
            self._count, self._mean, self._deviations = count, mean, deviations
            return
        total = self._count + count
        step = mean - self._mean
        self._deviations += deviations + step**2 * (self._count * count / total)
        self._mean += step * (count / total)
        self._count = total

    @property
    def width(self) -> int:
        return len(self._mean)

    @property
    def mean(self) -> FloatArray:
        return self._mean

    @property
    def variance(self) -> float:
        """Mean over the columns; NaN without any."""
        return float(np.mean(self._deviations / self._count)) if self._count else np.nan


def _most(numbers: int, each: int) -> int:
    return max(numbers // max(each, 1), 1)


def _joined(parts: Sequence[IntArray]) -> IntArray:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
