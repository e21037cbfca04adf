"""A network of a few lines of NumPy, for tests that need none of torch's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from kashika.distribution import Array, Distribution, FloatArray
from kashika.naming import SPLITS
from kashika.observation import Layer, Observation
from kashika.parameters import Initial, Parameter
from kashika.run import Arrays, Samples
from kashika.task import Task, infer_task


@dataclass
class Toy:
    """One linear layer, then ReLU, trained with cross entropy; it says what it was asked."""

    weight: FloatArray = field(default_factory=lambda: np.array([[1.0, -0.5], [-1.0, 2.0]]))
    asked: list[int] = field(default_factory=list)
    observed: list[str] = field(default_factory=list)

    def parameters(self) -> Iterator[Parameter]:
        values, start = Distribution.of(self.weight), Initial("uniform", 0.0, 0.7)
        yield Parameter("line.weight", "Linear", values, start, trainable=True)

    def statistics(self) -> Iterator[tuple[str, Distribution]]:
        return iter(())

    def predict(self, inputs: Array) -> FloatArray:
        self.asked.append(len(inputs))
        return np.maximum(inputs @ self.weight.T, 0.0)

    def observe(self, samples: Samples, *, split: str, task: Task | None = None) -> Observation:
        assert split in SPLITS
        self.observed.append(split)
        x, y = (np.concatenate(parts) for parts in zip(*samples.batches(64), strict=True))
        outputs = self.predict(x)
        task = task or infer_task(outputs, y)
        chances = task.probabilities(outputs)
        pull = (chances - np.eye(task.classes)[y]) * (outputs > 0)
        layer = Layer(
            "act", "ReLU", Distribution.of(outputs), (outputs > 0).sum(axis=0), outputs,
            np.arange(len(y)),
        )  # fmt: skip
        return Observation.of(
            task,
            inputs=x,
            outputs=outputs,
            targets=y,
            loss=-np.log(chances[np.arange(len(y)), y]),
            layers=(layer,),
            gradients={"line.weight": Distribution.of(pull.T @ x / len(y))},
        )

    def slopes(self, inputs: Array, task: Task) -> FloatArray:  # noqa: ARG002
        outputs = inputs @ self.weight.T
        order = np.argsort(np.maximum(outputs, 0.0), axis=1)
        active = (outputs > 0)[:, :, None] * self.weight
        every = np.arange(len(inputs))
        return np.asarray(active[every, order[:, -1]] - active[every, order[:, -2]])


def two_clouds(samples: int = 40, *, seed: int = 0) -> Arrays:
    """Two classes of points in the plane that overlap a little."""
    generator = np.random.default_rng(seed)
    y = np.arange(samples) % 2
    return Arrays(generator.normal(size=(samples, 2)) + np.column_stack([2 - 3 * y, y]), y)
