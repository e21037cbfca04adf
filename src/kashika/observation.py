"""Observation: what one pass of a network over one split of the data saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kashika.distribution import Array, Distribution, FloatArray, IntArray
from kashika.fingerprint import fingerprints
from kashika.task import Task
from kashika.texts import Sentence

RELU_LIKE = ("ReLU", "ReLU6")
"""Types of layers whose units are exactly zero while they are not active."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What one layer put out.

    Attributes
    ----------
    name : of the module; "act#2" for its second call, "relu(fc1)" for a function applied to fc1
    kind : type of the module, "ReLU"
    values : its outputs on all samples; of a batch with more than 131,072 of them, on a seeded
        choice of its samples
    active : (units,) int, in how many samples the unit was above zero, at any position; (0,) for
        types that are not in `RELU_LIKE`
    features : (rows, units) its output for some of the samples
    rows : (rows,) int, increasing, which entries of `Observation.targets` these are
    positions : of one sample in its output: 49 for a map of 7 x 7, 1 where there are none
    pooled : which of them the features are: "mean", "own" where each position has a target of its
        own, or the number of the one that was asked for
    """

    name: str
    kind: str
    values: Distribution
    active: IntArray
    features: FloatArray
    rows: IntArray
    positions: int = 1
    pooled: str = "mean"


@dataclass(frozen=True, slots=True, eq=False)
class SampleGradients:
    """The gradient of every sample's own loss, without the gradients themselves.

    Attributes
    ----------
    norms : (samples,) Euclidean norm over all trainable parameters
    by_layer : {layer: the norms of the samples' gradients for its parameters}, input side first
    agreement : mean inner product of the gradients of two batches over their mean square: 1 where
        all agree, 0 where they have nothing in common; NaN for one batch
    one_by_one : layers whose gradients had to be formed for each sample, which is slow
    left_out : layers whose gradients could not be told apart by sample; not in the norms
    """

    norms: FloatArray
    by_layer: Mapping[str, Distribution]
    agreement: float = np.nan
    one_by_one: Sequence[str] = ()
    left_out: Sequence[str] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Modes:
    """The loss of the same samples, in evaluation mode and as it is while training.

    Attributes
    ----------
    kinds : types of the modules that act otherwise while training, "BatchNorm2d", in the order of
        their names in the network
    evaluating : mean loss in evaluation mode
    training : (repetitions,) mean loss with these modules in training mode; dropout draws anew each
        time, and batch norm takes the statistics of these samples
    samples : how many there were
    """

    kinds: Sequence[str]
    evaluating: float
    training: FloatArray
    samples: int


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What one pass over a split saw.

    A sample has one answer, or one at each of its positions (a word of a text, a pixel of an
    image); n counts the answers, without those that the loss ignores.

    Attributes
    ----------
    task : what the outputs mean
    targets : (n,) int classes; values of a regression, the mean where there are several; how many
        labels apply
    predicted : (n,) the answers to them: class, -1 for NaN; value; number of labels
    confidence : (n,) probability of the predicted class; NaN where there are no classes
    probability : (n,) of the true class; NaN where there are no classes
    loss : (n,) of every answer; NaN where the user's own loss gives a mean only
    rows : (rows,) int, increasing, which of the n are kept with their outputs: all, or a seeded
        choice
    outputs : (rows, outputs) of the network
    wanted : (rows, targets) targets for them, all columns of a regression
    input_rows : (kept,) int, increasing, which of the n are kept with their inputs; none where an
        input is not a single array
    inputs : (kept, …)
    layers : in the order in which the network calls them
    gradients : {parameter: gradient of the mean loss}, None for a parameter that the loss does
        not depend on; without frozen ones; in the order in which the network calls the layers
    sample_gradients : of the single samples, where the network can tell
    mean_loss : as the loss gives it for whole batches; a weighted mean is not that of `loss`
    rmse : root mean squared error over all columns of a regression, else NaN
    chance_loss : mean loss of the best answer that does not look at the input: the entropy of the
        classes in nat, the variance of a regression's targets; NaN where the loss is another one
    labels : (labels, 4) int, for tasks with several labels: rightly given, wrongly given, missed,
        rightly not given; else (0, 4)
    samples : number of samples
    owner, place : (n,) int, the sample and the position in it that an answer belongs to; empty
        where a sample has one answer
    fingerprints : (samples,) int64, the same where the inputs of two samples are the same bytes
    modes : of some samples of the training split; None where no module acts otherwise in training
        mode, or the network does not run in it
    notes : what was left out or went otherwise
    """

    task: Task
    targets: Array
    predicted: Array
    confidence: FloatArray
    probability: FloatArray
    loss: FloatArray
    rows: IntArray
    outputs: FloatArray
    wanted: Array
    input_rows: IntArray
    inputs: Array
    layers: tuple[Layer, ...]
    gradients: Mapping[str, Distribution | None]
    mean_loss: float
    samples: int
    sample_gradients: SampleGradients | None = None
    rmse: float = np.nan
    chance_loss: float = np.nan
    labels: IntArray = field(default_factory=lambda: np.empty((0, 4), dtype=np.int64))
    owner: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    place: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    fingerprints: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    modes: Modes | None = None
    notes: Sequence[Sentence] = ()

    @classmethod
    def of(
        cls,
        task: Task,
        *,
        inputs: Array,
        outputs: FloatArray,
        targets: Array,
        loss: FloatArray,
        layers: tuple[Layer, ...] = (),
        gradients: Mapping[str, Distribution | None] | None = None,
    ) -> Observation:
        """Put together what is known of samples with one answer each, all of them kept.

        Parameters
        ----------
        inputs : (n, …)
        outputs : (n, …)
        targets : (n,) or (n, targets)
        loss : (n,)
        """
        flat, wanted = outputs.reshape(len(outputs), -1), targets.reshape(len(targets), -1)
        answers = Answers.of(task, flat, wanted)
        every = np.arange(len(flat))
        values = np.empty(0) if task.classifies else wanted
        return cls(
            task, answers.targets, answers.predicted, answers.confidence, answers.probability,
            loss, every, flat, wanted, every, inputs, layers, gradients or {},
            mean_loss=float(np.mean(loss)),
            samples=len(flat),
            rmse=np.nan if task.classifies else float(np.sqrt(np.mean((flat - wanted) ** 2))),
            chance_loss=task.chance_loss(
                counts=np.bincount(answers.targets) if task.classifies else np.empty(0, dtype=int),
                variance=float(np.mean(np.var(values, axis=0))) if values.size else np.nan,
            ),
            labels=answers.labels,
            fingerprints=fingerprints([inputs]),
        )  # fmt: skip

    @property
    def probabilities(self) -> FloatArray:
        """(rows, classes) probabilities of a classifier, for the kept outputs."""
        return self.task.probabilities(self.outputs)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What outputs say, beside what was asked for; the fields are those of `Observation`."""

    targets: Array
    predicted: Array
    confidence: FloatArray
    probability: FloatArray
    labels: IntArray

    @classmethod
    def of(cls, task: Task, outputs: FloatArray, targets: Array) -> Answers:
        """Compare (n, outputs) outputs with (n, 1) classes or (n, outputs) values or labels."""
        none = np.empty((0, 4), dtype=np.int64)
        unknown = np.full(len(outputs), np.nan, dtype=np.float32)
        if task.labels:
            given, right = task.given(outputs), targets > 0.5
            labels = [given & right, given & ~right, ~given & right, ~given & ~right]
            counts = np.column_stack([one.sum(axis=0) for one in labels])
            return cls(right.sum(axis=1), given.sum(axis=1), unknown, unknown, counts)
        if not task.classifies:
            return cls(targets.mean(axis=1), outputs.mean(axis=1), unknown, unknown, none)
        true = targets.reshape(len(targets)).astype(np.int64)
        confidence, probability = task.chances(outputs, true)
        return cls(true, task.predicted(outputs), confidence, probability, none)
