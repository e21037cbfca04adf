"""Observation: what one pass of a network over one split of the data saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kashika.distribution import Array, Distribution, FloatArray, IntArray
from kashika.task import Task


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What one layer put out.

    Attributes
    ----------
    name : of the module; "act#2" for its second call, "relu(fc1)" for a function applied to fc1
    kind : type of the module, "ReLU"
    values : all its outputs on all samples
    active : (units,) int, in how many samples the unit was above zero, at any position
    features : (rows, units) its output for the sampled rows, averaged over positions
    """

    name: str
    kind: str
    values: Distribution
    active: IntArray
    features: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What one pass over a split saw.

    Attributes
    ----------
    task : what the outputs mean
    outputs : (n, outputs) of every sample
    targets : (n,) int classes, or (n, targets) float
    loss : (n,) of every sample; NaN where the user's own loss gives a mean only
    rows : (rows,) int, which samples are kept with inputs and features: all, or a seeded choice
    inputs : (rows, …) of those samples; (0, …) where one input is too large to be kept
    layers : in the order in which the network calls them
    gradients : {parameter: gradient of the mean loss}, None for a parameter that the loss does
        not depend on; without frozen ones; in the order in which the network calls the layers
    batch_loss : mean loss as the loss gives it for whole batches, if that is known; a weighted
        mean is not the mean over the samples
    """

    task: Task
    outputs: FloatArray
    targets: Array
    loss: FloatArray
    rows: IntArray
    inputs: Array
    layers: tuple[Layer, ...]
    gradients: Mapping[str, Distribution | None]
    batch_loss: float | None = None

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.outputs)

    @property
    def mean_loss(self) -> float:
        """Mean loss over the samples."""
        return float(np.mean(self.loss)) if self.batch_loss is None else self.batch_loss

    @property
    def probabilities(self) -> FloatArray:
        """(n, classes) probabilities of a classifier."""
        return self.task.probabilities(self.outputs)

    @property
    def predicted(self) -> IntArray:
        """(n,) predicted classes of a classifier."""
        return self.task.predicted(self.outputs)

    @property
    def chance_loss(self) -> float:
        """Mean loss of the best answer that does not look at the input.

        The entropy of the classes in nat for a classifier, the variance of the targets for a
        regression: comparable with the loss only where that is the cross entropy or the mean
        squared error, else NaN.
        """
        if not self.task.classifies:
            spread = float(np.mean(np.var(self.targets, axis=0)))
            return spread if self.task.loss == "mse_loss" else np.nan
        if "cross_entropy" not in self.task.loss and self.task.loss != "nll_loss":
            return np.nan
        share = np.bincount(self.targets, minlength=self.task.classes) / len(self.targets)
        return float(-np.sum(share[share > 0] * np.log(share[share > 0])))
