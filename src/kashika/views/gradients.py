"""Does every layer, and every sample, give a usable learning signal?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kashika import figure, table
from kashika.distribution import Distribution, FloatArray, IntArray
from kashika.errors import Missing, need
from kashika.learning_signal import LayerSignal, Pulls, pulls_of, signals_of
from kashika.naming import Split
from kashika.observation import Observation
from kashika.palette import SPLIT_COLOUR, SPLIT_MARKER, VALUES
from kashika.parameters import Parameter
from kashika.run import Run
from kashika.texts import text
from kashika.view import Evidence, Finding, Level, Picture, Row, Table, View

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
    frozen : parameters that ask for no gradient
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
    def decades(self) -> tuple[float, float]:
        """Powers of ten around the relative gradients, at least two apart."""
        exponents = np.log10([value for value in self.relative.values() if value > 0] or [1.0])
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
    observations: Mapping[Split, Observation], weights: Mapping[str, Parameter], *, split: Split
) -> Gradients:
    """Put the gradients of one split beside the weights, and its norm beside the other splits'.

    Parameters
    ----------
    weights : {name: parameter}, frozen ones included
    split : the split that is looked at
    """
    seen = observations[split]
    of_samples = seen.sample_gradients
    found = {name: values for name, values in seen.gradients.items() if values is not None}
    return Gradients(
        split,
        tuple(
            Gradient(name, values, weights[name].values, weights[name].kind)
            for name, values in found.items()
        ),
        unused=tuple(name for name, values in seen.gradients.items() if values is None),
        frozen=tuple(name for name, one in weights.items() if one.trainable is False),
        norms={s: _norm(one.gradients) for s, one in observations.items()},
        loss=seen.mean_loss,
        chance_loss=seen.chance_loss,
        classifies=seen.task.classifies,
        pulls=pulls_of(seen),
        signals=() if of_samples is None else signals_of(of_samples.by_layer, seen.gradients),
        agreement=np.nan if of_samples is None else of_samples.agreement,
    )


# --- rules -------------------------------------------------------------------------------------


def vanishing(gradients: Gradients, *, ratio: float = 1e-3, converged: float = 0.1) -> Finding:
    """The first layer's gradient lies far below the last one's, while the loss is still high.

    Gradients are taken in relation to the weights and compared between layers, not with an
    absolute floor: near a minimum all gradients are small, and that is convergence.

    Parameters
    ----------
    ratio : first layer over last layer, below which the first one counts as standing still
    converged : share of the loss at chance, below which nothing is left to learn

    References
    ----------
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010, section 4; Zhang et al., "AUTOTRAINER", ICSE 2021, for the ratio and
    for judging only what has not converged.
    """
    rule = "gradients.vanishing"
    relative = gradients.relative
    broken = any(g.values.nan + g.values.infinite for g in gradients.matrices)
    if len(relative) < 2 or broken:
        return Finding(rule, Level.UNKNOWN)
    (first, at_first), *_, (last, at_last) = relative.items()
    if not at_last > 0:
        return Finding(rule, Level.UNKNOWN)
    learned = gradients.loss / gradients.chance_loss if gradients.chance_loss > 0 else np.nan
    evidence: tuple[Evidence, ...] = (
        Evidence("first_over_last", at_first / at_last, limit=ratio, where=first),
        Evidence("last", at_last, where=last),
    )
    if np.isfinite(learned):
        evidence += (Evidence("loss_over_chance", learned, limit=converged),)
    if at_first / at_last >= ratio:
        return Finding(rule, Level.OK, evidence)
    if not np.isfinite(learned):
        return Finding(rule, Level.UNKNOWN, evidence)
    return Finding(rule, Level.PROBLEM if learned > converged else Level.OK, evidence)


def outliers(gradients: Gradients, *, few: float = 0.01, share: float = 0.5) -> Finding:
    """A few samples pull harder than all others together: look at their labels.

    A step follows the mean over the samples, so it mostly goes where these few want it.

    Parameters
    ----------
    few : share of the samples, at least one
    share : of the summed norm, above which the few outweigh the others

    References
    ----------
    Paul et al., "Deep learning on a data diet", NeurIPS 2021: the norm of a sample's gradient
    tells examples that are hard or wrongly labelled.
    """
    rule = "gradients.outliers"
    if gradients.pulls is None or len(gradients.pulls.norms) * few < 1:
        return Finding(rule, Level.UNKNOWN)
    count = int(len(gradients.pulls.norms) * few)
    held = gradients.pulls.share_of(count)
    if not np.isfinite(held):
        return Finding(rule, Level.UNKNOWN)
    evidence = (
        Evidence("share_of_few", held, limit=share, where=f"sample {gradients.pulls.index[0]}"),
        Evidence("few", count),
        Evidence("samples", len(gradients.pulls.norms)),
    )
    return Finding(rule, Level.NOTE if held > share else Level.OK, evidence)


# --- pictures ----------------------------------------------------------------------------------


def draw_by_layer(gradients: Gradients, axes: Axes) -> None:
    """Gradient over weights of every layer, from the input side to the output side."""
    relative = gradients.relative
    axes.plot(
        range(len(relative)), list(relative.values()),
        color=SPLIT_COLOUR[gradients.split], marker=SPLIT_MARKER[gradients.split],
    )  # fmt: skip
    axes.set_yscale("log", nonpositive="mask")
    axes.set(ylabel=text("labels.gradient_over_weight"), ylim=gradients.decades)
    axes.set_xticks(
        range(len(relative)), list(relative), rotation=30, ha="right", rotation_mode="anchor"
    )


def draw_norms(gradients: Gradients, axes: Axes) -> None:
    """Norm of the whole gradient on every split."""
    for split, norm in gradients.norms.items():
        axes.bar(text(f"labels.{split}"), norm, color=SPLIT_COLOUR[split], width=0.5)
    axes.set_ylabel(text("labels.gradient_norm"))


def draw_samples(pulls: Pulls, axes: Axes) -> None:
    """Gradient norm of every sample, the greatest first."""
    ranks, norms = pulls.ranked
    axes.plot(ranks, norms, color=VALUES)
    axes.set_yscale("log", nonpositive="mask")
    axes.set_xscale("log")
    axes.set(xlabel=text("labels.rank_of_sample"), ylabel=text("labels.gradient_norm"))


def draw_signal(gradients: Gradients, axes: Axes) -> None:
    """Signal over noise of a single sample's gradient, by layer."""
    by_layer = gradients.by_layer
    axes.plot(
        range(len(by_layer)), [one.ratio for one in by_layer],
        color=SPLIT_COLOUR[gradients.split], marker=SPLIT_MARKER[gradients.split],
    )  # fmt: skip
    axes.set_yscale("log", nonpositive="mask")
    axes.set_ylabel(text("labels.signal_over_noise"))
    axes.set_xticks(
        range(len(by_layer)), [one.layer for one in by_layer],
        rotation=30, ha="right", rotation_mode="anchor",
    )  # fmt: skip


def draw_histogram(gradient: Gradient, axes: Axes) -> None:
    """How the entries of one gradient are spread; exact zeros stand apart, in the title."""
    counts, edges = gradient.small
    axes.stairs(counts, edges, fill=True, color=VALUES)
    axes.set_title(
        text("labels.zeros_of", name=gradient.parameter, share=gradient.values.zero_share)
    )  # fmt: skip
    axes.ticklabel_format(axis="x", style="sci", scilimits=(-2, 2))
    axes.locator_params(axis="x", nbins=5)


# --- tables ------------------------------------------------------------------------------------


def parameters(gradients: Gradients) -> list[Row]:
    """Return one row for each parameter that the loss depends on."""
    return [
        {
            "parameter": g.parameter,
            "rms": g.values.rms,
            "relative": g.relative,
            "max_abs": max(abs(g.values.least), abs(g.values.greatest)),
            "zero_share": g.values.zero_share,
            "nonfinite": g.values.nan + g.values.infinite,
        }
        for g in gradients.gradients
    ]


def signal(gradients: Gradients) -> list[Row]:
    """Return one row for each layer, and one for all: signal and noise of the samples."""
    return [
        {
            "layer": one.layer or text("words.all_layers"),
            "typical": one.typical,
            "signal": _or_none(one.signal),
            "noise": _or_none(one.noise),
            "signal_over_noise": _or_none(one.ratio),
            "critical_batch": _or_none(one.critical_batch),
            "agreement": None if one.layer else _or_none(gradients.agreement),
        }
        for one in gradients.signals
    ]


def hardest(gradients: Gradients) -> list[Row]:
    """Return one row for each of the samples that pull hardest."""
    pulls = gradients.pulls
    if pulls is None:
        return []
    name = "true_class" if gradients.classifies else "true"
    return [
        {
            "index": int(index),
            name: None if np.isnan(target) else int(target) if gradients.classifies else target,
            "loss": _or_none(loss),
            "norm": _or_none(float(pulls.norms[index])),
            "share_of_norms": _or_none(share),
        }
        for index, target, loss, share in zip(
            pulls.index, pulls.target.tolist(), pulls.loss.tolist(), pulls.shares.tolist(),
            strict=True,
        )
    ]  # fmt: skip


def without(gradients: Gradients) -> list[Row]:
    """Return one row for each parameter without a gradient, and why it has none."""
    rows: list[Row] = [
        {"parameter": name, "why": text("words.unused")} for name in gradients.unused
    ]
    return rows + [{"parameter": name, "why": text("words.frozen")} for name in gradients.frozen]


# --- how it is computed --------------------------------------------------------------------------


def _of_run(run: Run) -> Gradients:
    network = need(run.network, "network")
    split, seen = need(run.observation("train", "valid", "test"), "data")
    if not seen.gradients:
        raise Missing("missing.trainable")
    weights = {parameter.name: parameter for parameter in network.parameters()}
    return measure(run.observations, weights, split=split)


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _norm(gradients: Mapping[str, Distribution | None]) -> float:
    return float(np.sqrt(sum(g.norm**2 for g in gradients.values() if g is not None)))


VIEW = View(
    "gradients",
    measure=_of_run,
    rules=(vanishing, outliers),
    pictures=(
        Picture("by_layer", draw_by_layer, each=lambda g: (g,) if len(g.relative) > 1 else ()),
        Picture("norms", draw_norms, each=lambda g: (g,) if len(g.norms) > 1 else ()),
        Picture("signal", draw_signal, each=lambda g: (g,) if len(g.by_layer) > 1 else ()),
        Picture("samples", draw_samples, each=lambda g: () if g.pulls is None else (g.pulls,)),
        Picture("histogram", draw_histogram, each=lambda g: g.gradients),
    ),
    tables=(
        Table("parameters", parameters),
        Table("signal", signal),
        Table("hardest", hardest),
        Table("without", without),
    ),
)
