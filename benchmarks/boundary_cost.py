"""What the boundary over two inputs costs, beside the usual ways to draw it, in one run.

All ways ask the same network at the same resolution, in turn, `--rounds` times, in this process;
the best time of each counts, since whatever disturbs a process makes it slower. Dense means every
point of the grid in batches, and all that kashika makes of an answer; the peers draw hard labels.

    pip install 'kashika[bench]'   (scikit-learn comes with kashika; mlxtend does not)
    python benchmarks/boundary_cost.py [--rounds 3] [--size 1000] [--json]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from mlxtend.plotting import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
    plot_decision_regions,
)
from row import Row, as_json
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_moons
from sklearn.inspection import DecisionBoundaryDisplay
from torch import nn

from kashika.distribution import Array, FloatArray, IntArray
from kashika.task import Task
from kashika.texts import Sentence
from kashika.torch_network import TorchNetwork
from kashika.views.boundary import grid, landscape

TASK = Task("logits", 2, "cross_entropy")
KASHIKA, DENSE = "kashika, refined", "kashika, dense"
SKLEARN, MLXTEND = "DecisionBoundaryDisplay", "plot_decision_regions"

WIDE, SEED = "4 layers of 1,024 units", "the seed's network"
"""What is asked, and how wide its layers are."""
ASKED, SAME, FASTER = 0.15, 0.999, 4.0
"""At most so much of the dense evaluations; at least so many equal pixels; so many times faster."""


@dataclass
class Asked(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A network as scikit-learn's and mlxtend's classifiers are, that counts what it is asked."""

    network: TorchNetwork
    count: int = 0
    classes_: IntArray = field(default_factory=lambda: np.arange(2))

    def fit(self, X: Array, y: Array) -> Asked:  # noqa: ARG002
        """Do nothing: the network is trained."""
        return self

    def outputs(self, inputs: Array) -> FloatArray:
        """Return the outputs, and count."""
        self.count += len(inputs)
        return self.network.predict(inputs)

    def predict(self, X: Array) -> IntArray:
        """Return the classes."""
        return TASK.predicted(self.outputs(np.asarray(X)))


def trained(widths: tuple[int, ...], X: Array, y: Array, *, epochs: int) -> TorchNetwork:
    """Train a network with ReLU on the two moons."""
    torch.manual_seed(0)
    sizes = (2, *widths, 2)
    layers: list[nn.Module] = []
    for wide, next_wide in pairwise(sizes):
        layers += [nn.Linear(wide, next_wide), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    inputs, targets = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(epochs):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return TorchNetwork(model)


def ways(network: Asked, X: Array, y: Array, *, size: int) -> Mapping[str, Callable[[], object]]:
    """Return the ways to find, and for the peers to draw, the boundary; all over the same area."""
    x, y_axis = (np.linspace(v.min() - 1, v.max() + 1, size) for v in X.T)
    labels = Sentence("labels.input", k=1), Sentence("labels.input", k=2)
    classes = TASK.predicted(network.network.predict(X))
    points = landscape.Points(X, y, classes, classes != y)

    def survey(step: int) -> landscape.Map:
        return landscape.survey(
            network.outputs, TASK, {"train": points}, lambda places: places,
            x=x, y=y_axis, kind="inputs", labels=labels, step=step,
        )  # fmt: skip

    def display() -> object:
        return DecisionBoundaryDisplay.from_estimator(
            network, X, grid_resolution=size, eps=1.0, response_method="predict",
            ax=Figure().subplots(),
        )  # fmt: skip

    def regions() -> object:
        # The grid has one point for each pixel of pyplot's present figure.
        figure = plt.figure(figsize=(size / 100, size / 100), dpi=100)
        plot_decision_regions(X, y.astype(int), clf=network, ax=figure.subplots())
        plt.close(figure)
        return None

    return {
        KASHIKA: lambda: survey(grid.STEP), DENSE: lambda: survey(1),
        SKLEARN: display, MLXTEND: regions,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """What one network gave.

    Attributes
    ----------
    seconds : {way: the least of all rounds}
    asked : {way: points that the network was asked at}
    same : share of the pixels with the class of the dense grid
    """

    seconds: Mapping[str, float]
    asked: Mapping[str, int]
    same: float


def measured(network: TorchNetwork, X: Array, y: Array, *, size: int, rounds: int) -> Measured:
    """Take all ways in turn, `rounds` times."""
    best: dict[str, float] = {}
    asked: dict[str, int] = {}
    maps: dict[str, IntArray] = {}
    counting = Asked(network)
    for _ in range(rounds):
        for name, way in ways(counting, X, y, size=size).items():
            counting.count = 0
            start = time.perf_counter()
            made = way()
            taken = time.perf_counter() - start
            best[name] = min(best.get(name, np.inf), taken)
            asked[name] = counting.count
            if isinstance(made, landscape.Map):
                maps[name] = made.predicted
    return Measured(best, asked, float(np.mean(maps[KASHIKA] == maps[DENSE])))


def table(found: Mapping[str, Measured], *, size: int) -> str:
    """Return the times, and the limits with what came out."""
    lines = [f"{size} x {size} points", ""]
    for what, one in found.items():
        lines += [f"{what:27}  seconds     asked"]
        lines += [f"  {name:25}  {t:7.3f}  {one.asked[name]:8}" for name, t in one.seconds.items()]
    return "\n".join([*lines, "", "limits", *map(str, rows(found, size=size))])


def rows(found: Mapping[str, Measured], *, size: int) -> list[Row]:
    """Return the limits, with what came out."""
    made = []
    for what, one in found.items():
        job = f"boundary of {what} at {size:,} x {size:,}"
        ratios = {way: one.seconds[way] / one.seconds[KASHIKA] for way in one.seconds}
        if what != WIDE:
            dense = Row(job, "every point asked", "at least", 1, ratios[DENSE], "times faster")
            made.append(dense)
            continue
        share, same = 100 * one.asked[KASHIKA] / size**2, 100 * one.same
        made += [
            Row(job, "every point asked: evaluations", "at most", 100 * ASKED, share, "%"),
            Row(job, "every point asked: equal classes", "at least", 100 * SAME, same, "%"),
            *(
                Row(job, way, "at least", FASTER, ratios[way], "times faster")
                for way in (SKLEARN, MLXTEND)
            ),
        ]
    return made


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="What the boundary over two inputs costs.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    X, y = make_moons(500, noise=0.2, random_state=0)
    networks = {
        SEED: trained((32, 32), X, y, epochs=1_000),
        WIDE: trained((1024,) * 4, X, y, epochs=100),
    }
    found = {
        what: measured(network, X, y, size=given.size, rounds=given.rounds)
        for what, network in networks.items()
    }
    if given.json:
        print(as_json(rows(found, size=given.size)))
    else:
        print(table(found, size=given.size))


if __name__ == "__main__":
    main()
