"""How are the parameters of each layer distributed?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kashika import figure, table
from kashika.distribution import Distribution, FloatArray, IntArray
from kashika.errors import LoadError, Missing
from kashika.parameters import Parameter
from kashika.run import Run
from kashika.view import Picture, Table, View
from kashika.views.weights.pictures import draw_histogram
from kashika.views.weights.rules import identical_units, large, nonfinite, untrained, zero
from kashika.views.weights.starts import Start, starts_of
from kashika.views.weights.tables import parameters

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """How one parameter is spread, and how it was before training.

    Attributes
    ----------
    parameter : the parameter
    counts : (bins,) int
    edges : (bins + 1,)
    x, initial : (points,) where the initial distribution is drawn, and how many values it would
        have put into a bin there; empty where it is not known
    """

    parameter: Parameter
    counts: IntArray
    edges: FloatArray
    x: FloatArray
    initial: FloatArray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Weights:
    """All parameters of a network.

    Attributes
    ----------
    parameters : in the order of the state_dict
    starts : the layers whose start is known, beside it
    statistics : {name: running mean or variance of a batch norm}
    """

    parameters: tuple[Parameter, ...]
    starts: tuple[Start, ...] = ()
    statistics: Mapping[str, Distribution] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Parameter:
        """Return a parameter by its name, or the weight of a layer by the layer's.

        Raises
        ------
        LoadError
            If there is none of that name.
        """
        named = {one.name: one for one in self.parameters}
        found = named.get(name) or named.get(f"{name}.weight")
        if found is None:
            raise LoadError("errors.no_such_parameter", found=name, names=", ".join(named))
        return found

    def histogram(self, name: str, *, bins: int = 20) -> tuple[IntArray, FloatArray]:
        """Count the values of a parameter in equal bins, as `numpy.histogram` does.

        Returns
        -------
        (bins,) counts and (bins + 1,) edges
        """
        return self[name].values.histogram(bins=bins)

    def plot(self, ax: Axes | None = None, *, layer: str | None = None) -> Axes:
        """Draw the histogram of a layer's weight, or of the largest parameter."""
        largest = max(self.parameters, key=lambda one: one.values.size)
        one = largest if layer is None else self[layer]
        return figure.plot(draw_histogram, histogram_of(one), ax)

    def to_frame(self) -> DataFrame:
        """Return one row for each parameter."""
        return table.frame(parameters(self))

    def __repr__(self) -> str:
        return table.plain(VIEW, self)

    def _repr_html_(self) -> str:
        return figure.html(VIEW, self)


def histogram_of(parameter: Parameter, *, bins: int = 20) -> Histogram:
    """Count the values of a parameter, and lay its initial distribution over them."""
    counts, edges = parameter.values.histogram(bins=bins)
    edges = edges.astype(np.float64)  # matplotlib adds them up, and float32 ends at 3.4e38
    x = initial = np.empty(0)
    start = parameter.initial
    if start is not None and start.width > 0 and counts.size > 1:
        # A uniform distribution ends at an edge: both sides of it are drawn.
        reach = start.width * (4 if start.family == "normal" else 1)
        ends = (start.centre - reach, start.centre + reach)
        low, high = min(edges[0], ends[0]), max(edges[-1], ends[1])
        near = [np.nextafter(end, end + side) for end in ends for side in (-1, 1)]
        x = np.sort(np.concatenate([np.linspace(low, high, 201), near]))
        initial = start.density(x) * parameter.values.finite * (edges[1] - edges[0])
    return Histogram(parameter, counts, edges, x, initial)


def measure(
    parameters: Sequence[Parameter],
    *,
    frozen: Sequence[str] = (),
    statistics: Mapping[str, Distribution] | None = None,
) -> Weights:
    """Look at all parameters of a network.

    Parameters
    ----------
    frozen : patterns of those that were not to be trained
    """
    return Weights(tuple(parameters), starts_of(parameters, frozen=frozen), statistics or {})


def _of_run(run: Run) -> Weights:
    if run.network is not None:
        found, kept = tuple(run.network.parameters()), dict(run.network.statistics())
    elif run.checkpoint is not None:
        found, kept = run.checkpoint.parameters, dict(run.checkpoint.statistics)
    else:
        raise Missing("missing.weights")
    if not found:
        raise Missing("missing.parameters")
    return measure(found, frozen=run.frozen, statistics=kept)


VIEW = View(
    "weights",
    measure=_of_run,
    rules=(nonfinite, large, untrained, identical_units, zero),
    pictures=(
        Picture(
            "histogram",
            draw_histogram,
            each=lambda w: [histogram_of(p) for p in w.parameters if p.values.finite],
            shows=("nonfinite", "large", "untrained", "identical_units", "zero"),
        ),
    ),
    tables=(Table("parameters", parameters),),
    gradients=False,
)
