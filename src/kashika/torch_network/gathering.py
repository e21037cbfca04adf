"""One pass over a split: what its batches showed, gathered into an Observation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kashika.distribution import Array, Distribution, FloatArray, IntArray
from kashika.observation import Answers, Layer, Observation, SampleGradients
from kashika.reservoir import Reservoir
from kashika.task import Task
from kashika.texts import Sentence
from kashika.torch_network.capture import Captures, Output, as_numpy
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
        self._outputs: dict[str, Output] = {}
        self._gone: set[str] = set()  # layers that a batch did without
        self._refused: dict[str, None] = {}
        self._order: dict[str, None] = {}
        self._width: int | None = None  # outputs for each answer
        self._errors = 0.0  # squared, summed over the answers and their columns
        self._columns = _Columns()
        self._gradients = _Gradients(parameters)

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
        loss : (n,) of every answer
        mean : loss of the whole batch
        keys : (n,) as `keys` gave them
        wanted : layers whose features are kept for more answers than those of the others
        """
        ids = np.arange(len(keys)) + sum(len(one) for one in self._loss)
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

    def observation(
        self,
        *,
        notes: Sequence[Sentence],
        one_by_one: Collection[str] = (),
        left_out: Collection[str] = (),
    ) -> Observation:
        """Put everything together."""
        task, order = self.task, self._order
        targets = np.concatenate([one.targets for one in self._answers])
        kept, sizes = self.answers.columns, [len(one) for one in self._loss]
        labels = sum((one.labels for one in self._answers), start=np.zeros((1, 4), dtype=np.int64))
        counts = np.bincount(targets) if task.classifies else np.empty(0, dtype=np.int64)
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
                order, one_by_one=one_by_one, left_out=left_out
            ),
            rmse=self._rmse(sum(sizes)),
            chance_loss=task.chance_loss(
                counts=counts, variance=self._columns.variance, shares=self._columns.mean
            ),
            labels=labels if task.labels else np.empty((0, 4), dtype=np.int64),
            owner=_joined(self._owner),
            place=_joined(self._position),
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


class _Gradients:
    """Gradients summed over the answers, and the norms of those of the samples."""

    def __init__(self, parameters: Collection[str]) -> None:
        self._total: dict[str, Tensor | None] = dict.fromkeys(parameters)
        self._norms: list[FloatArray] = []
        self._by_layer: dict[str, Distribution] = {}
        self._squares: list[float] = []  # of the gradient of each batch's mean loss
        self._weights: list[int] = []

    def add(
        self,
        summed: Mapping[str, Tensor | None],
        squares: Mapping[str, Tensor],
        *,
        samples: int,
        counts: IntArray,
    ) -> None:
        square = 0.0
        for name, gradient in summed.items():
            if gradient is None:
                continue
            before = self._total[name]
            if before is None:
                wide = torch.float64 if gradient.device.type != "mps" else torch.float32
                self._total[name] = gradient.to(wide, copy=True)
            else:
                before.add_(gradient)
            square += float(torch.linalg.vector_norm(gradient.float())) ** 2
        self._squares.append(square)
        self._weights.append(samples)
        if not squares:
            return
        # A sample with several answers has the mean of their losses.
        share = 1.0 / np.maximum(counts, 1)
        layers: dict[str, FloatArray] = {}
        for name, square_of in squares.items():
            layer = name.rpartition(".")[0]
            layers[layer] = layers.get(layer, 0.0) + square_of.double().cpu().numpy()
        for layer, one in layers.items():
            here = Distribution.of(np.sqrt(one) * share)
            before_here = self._by_layer.get(layer)
            self._by_layer[layer] = here if before_here is None else before_here + here
        self._norms.append(np.sqrt(np.sum([*layers.values()], axis=0)) * share)

    def by_parameter(
        self, order: Collection[str], *, answers: int
    ) -> dict[str, Distribution | None]:
        """Divide the summed gradients by the answers, input side first."""
        place = {name: index for index, name in enumerate(order)}
        names = sorted(self._total, key=lambda name: place.get(name.rpartition(".")[0], len(place)))
        means = {
            name: None if (total := self._total[name]) is None else total / answers
            for name in names
        }
        return {
            name: None if mean is None else Distribution.of(as_numpy(mean))
            for name, mean in means.items()
        }

    def by_sample(
        self, order: Collection[str], *, one_by_one: Collection[str], left_out: Collection[str]
    ) -> SampleGradients | None:
        if not self._norms:
            return None
        place = {name: index for index, name in enumerate(order)}
        names = sorted(self._by_layer, key=lambda name: place.get(name, len(place)))
        return SampleGradients(
            np.concatenate(self._norms),
            {name: self._by_layer[name] for name in names},
            agreement=self._agreement(),
            one_by_one=tuple(one_by_one),
            left_out=tuple(left_out),
        )

    def _agreement(self) -> float:
        """Return the mean inner product of two batches' gradients over their mean square."""
        # As many batches as there would be if all were of one size: 1 for equal gradients.
        batches = sum(self._weights) ** 2 / sum(n**2 for n in self._weights)
        every = (one for one in self._total.values() if one is not None)
        total = sum(float(torch.linalg.vector_norm(one)) ** 2 for one in every)
        squares = sum(self._squares)
        if batches <= 1 or not squares > 0:
            return np.nan
        return float((total - squares) / (squares * (batches - 1)))


def listed(names: Collection[str], *, most: int = 10) -> str:
    """Name some things, and say how many more there are."""
    shown = [*names][:most]
    return ", ".join(shown) + (f", … ({len(names)})" if len(names) > most else "")


def _most(numbers: int, each: int) -> int:
    return max(numbers // max(each, 1), 1)


def _joined(parts: Sequence[IntArray]) -> IntArray:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
