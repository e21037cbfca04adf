"""Does every layer, and every sample, give a usable learning signal?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from kashika import figure, table
from kashika.distribution import Distribution, FloatArray, IntArray
from kashika.errors import Missing, need
from kashika.naming import Split
from kashika.observation import Observation
from kashika.parameters import Parameter
from kashika.run import Run
from kashika.view import Picture, Table, View
from kashika.views.gradients.learning_signal import LayerSignal, Pulls, pulls_of, signals_of
from kashika.views.gradients.pictures import (
    draw_by_layer,
    draw_histogram,
    draw_norms,
    draw_samples,
    draw_signal,
)
from kashika.views.gradients.rules import (
    exploding,
    missing,
    nonfinite,
    outliers,
    vanishing,
    zero,
)
from kashika.views.gradients.tables import hardest, parameters, signal, without

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class Gradient:
    """The gradient of the mean loss for one parameter, beside the parameter itself.

    Attributes
    ----------
    parameter : name
    values : of the gradient
    weights : of the parameter
    kind : type of its layer
    """

    parameter: str
    values: Distribution
    weights: Distribution
    kind: str | None = None

    @property
    def relative(self) -> float:
        """Rms of the gradient over rms of the weights; NaN for weights that are all zero.

        Layers can be compared by it, whatever their size and scale.
        """
        return self.values.rms / self.weights.rms if self.weights.rms > 0 else np.nan

    @property
    def layer(self) -> str:
        """Name of the layer that the parameter belongs to."""
        return self.parameter.rpartition(".")[0]

    @property
    def small(self) -> tuple[IntArray, FloatArray]:
        """Histogram without exact zeros: (bins,) counts and (bins + 1,) edges."""
        counts, edges = self.values.histogram(bins=30)
        at_zero = int(np.searchsorted(edges, 0.0, side="right")) - 1
        if self.values.zeros and self.values.finite:
            counts[min(max(at_zero, 0), counts.size - 1)] -= self.values.zeros
        return counts, edges


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Gradients:
    """The gradient of the mean loss over one split.

    Attributes
    ----------
    split : the split that the gradients belong to
    gradients : of every parameter that the loss depends on, input side first
    unused : trainable parameters that the loss does not depend on
    frozen : parameters that ask for no gradient, or that were not to be trained
    unused_share : share of the trainable values that are in `unused`
    norms : {split: norm over all parameters}
    loss : mean loss over the split
    chance_loss : of a constant answer, in the same unit; NaN where that cannot be compared
    classifies : whether the targets are classes
    pulls : how strongly each sample pulls; None where that is not known
    signals : what the samples have in common, by layer, and for all parameters at the end
    agreement : of the gradients of two batches in the order of the data, as in `SampleGradients`
    """

    split: Split
    gradients: tuple[Gradient, ...]
    unused: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    unused_share: float = 0.0
    norms: Mapping[Split, float] = field(default_factory=dict)
    loss: float = np.nan
    chance_loss: float = np.nan
    classifies: bool = True
    pulls: Pulls | None = None
    signals: tuple[LayerSignal, ...] = ()
    agreement: float = np.nan

    @property
    def matrices(self) -> tuple[Gradient, ...]:
        """The gradients of the weight matrices: one for each layer, without biases and norms.

        Embeddings are left out: the rows of words that do not occur have no gradient, and their
        rms says how large the vocabulary is.
        """
        return tuple(
            g
            for g in self.gradients
            if len(g.weights.shape) > 1 and not (g.kind or "").startswith("Embedding")
        )

    @property
    def relative(self) -> dict[str, float]:
        """{layer: rms of the gradient over rms of the weights}, input side first."""
        return {g.parameter: g.relative for g in self.matrices if np.isfinite(g.relative)}

    @property
    def learned(self) -> float:
        """Loss over that of a constant answer, NaN where they cannot be compared."""
        return self.loss / self.chance_loss if self.chance_loss > 0 else np.nan

    @property
    def sizes(self) -> dict[str, float]:
        """{first matrix of a layer: norm of all its matrices}, input side first."""
        squares: dict[str, float] = {}
        first: dict[str, str] = {}
        for g in self.matrices:
            name = first.setdefault(g.layer, g.parameter)
            squares[name] = squares.get(name, 0.0) + g.weights.norm**2
        return {name: float(np.sqrt(square)) for name, square in squares.items()}

    @property
    def pull(self) -> dict[str, float]:
        """{first matrix of a layer: norm of its gradient for a typical sample}, input side first.

        Of the mean loss where single samples are not known: at a plateau, where what the samples
        want adds up to nothing, that says little about how much of each of them arrives.
        """
        typical = {one.layer: one.typical for one in self.signals if one.layer}
        if not typical:
            typical = {g.layer: 0.0 for g in self.matrices}
            for g in self.matrices:
                typical[g.layer] = float(np.hypot(typical[g.layer], g.values.norm))
        layer = {g.parameter: g.layer for g in self.matrices}
        return {
            name: typical[layer[name]]
            for name in self.sizes
            if layer[name] in typical and np.isfinite(typical[layer[name]])
        }

    @property
    def relative_pull(self) -> dict[str, float]:
        """{first matrix of a layer: its pull over the norm of its weights}, input side first."""
        return {
            name: pull / size
            for name, size in self.sizes.items()
            if (pull := self.pull.get(name, np.nan)) >= 0 and size > 0
        }

    @property
    def decades(self) -> tuple[float, float]:
        """Powers of ten around the relative gradients, at least two apart."""
        shown = [*self.relative.values(), *(self.relative_pull.values() if self.signals else ())]
        exponents = np.log10([value for value in shown if value > 0] or [1.0])
        return float(10.0 ** np.floor(exponents.min() - 0.5)), float(
            10.0 ** np.ceil(exponents.max() + 0.5)
        )

    @property
    def by_layer(self) -> tuple[LayerSignal, ...]:
        """The signals of the layers that have one."""
        return tuple(one for one in self.signals if one.layer and np.isfinite(one.ratio))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the gradient of every layer into `ax`, or into a new figure."""
        return figure.plot(draw_by_layer, self, ax)

    def to_frame(self) -> DataFrame:
        """Return one row for each parameter."""
        return table.frame(parameters(self))

    def __repr__(self) -> str:
        return table.plain(VIEW, self)

    def _repr_html_(self) -> str:
        return figure.html(VIEW, self)


def measure(
    observations: Mapping[Split, Observation],
    weights: Mapping[str, Parameter],
    *,
    split: Split,
    frozen: Sequence[str] = (),
) -> Gradients:
    """Put the gradients of one split beside the weights, and its norm beside the other splits'.

    Parameters
    ----------
    weights : {name: parameter}, frozen ones included
    split : the split that is looked at
    frozen : patterns of the parameters that were not to be trained
    """
    seen = observations[split]
    meant = {name for name in weights if any(fnmatchcase(name, one) for one in frozen)}
    unused = [name for name, one in seen.gradients.items() if one is None and name not in meant]
    still = {name for name, one in weights.items() if one.trainable is False} | (
        {name for name, one in seen.gradients.items() if one is None} & meant
    )
    trained = sum(weights[name].values.size for name in seen.gradients)
    of_samples = seen.sample_gradients
    found = {name: values for name, values in seen.gradients.items() if values is not None}
    return Gradients(
        split,
        tuple(
            Gradient(name, values, weights[name].values, weights[name].kind)
            for name, values in found.items()
        ),
        unused=tuple(unused),
        frozen=tuple(name for name in weights if name in still),
        unused_share=sum(weights[name].values.size for name in unused) / max(trained, 1),
        norms={s: _norm(one.gradients) for s, one in observations.items()},
        loss=seen.mean_loss,
        chance_loss=seen.chance_loss,
        classifies=seen.task.classifies,
        pulls=pulls_of(seen),
        signals=() if of_samples is None else signals_of(of_samples.by_layer, seen.gradients),
        agreement=np.nan if of_samples is None else of_samples.agreement,
    )


def _of_run(run: Run) -> Gradients:
    network = need(run.network, "network")
    split, seen = need(run.observation("train", "valid", "test"), "data")
    if not seen.gradients:
        raise Missing("missing.trainable")
    weights = {parameter.name: parameter for parameter in network.parameters()}
    return measure(run.observations, weights, split=split, frozen=run.frozen)


def _norm(gradients: Mapping[str, Distribution | None]) -> float:
    return float(np.sqrt(sum(g.norm**2 for g in gradients.values() if g is not None)))


VIEW = View(
    "gradients",
    measure=_of_run,
    rules=(nonfinite, missing, zero, vanishing, exploding, outliers),
    pictures=(
        Picture(
            "by_layer",
            draw_by_layer,
            each=lambda g: (g,) if len(g.relative) > 1 else (),
            shows=("nonfinite", "zero", "vanishing", "exploding"),
        ),
        Picture("norms", draw_norms, each=lambda g: (g,) if len(g.norms) > 1 else ()),
        Picture("signal", draw_signal, each=lambda g: (g,) if len(g.by_layer) > 1 else ()),
        Picture(
            "samples",
            draw_samples,
            each=lambda g: () if g.pulls is None else (g.pulls,),
            shows=("outliers",),
        ),
        Picture("histogram", draw_histogram, each=lambda g: g.gradients, shows=("nonfinite",)),
    ),
    tables=(
        Table("parameters", parameters),
        Table("signal", signal),
        Table("hardest", hardest),
        Table("without", without),
    ),
)
