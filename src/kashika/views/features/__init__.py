"""How are the classes separated inside?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from kashika import figure, table
from kashika.errors import need
from kashika.naming import Split
from kashika.observation import RELU_LIKE, Observation
from kashika.projection import Embedding, Projection, principal
from kashika.run import Run
from kashika.texts import Sentence
from kashika.view import Picture, Table, View
from kashika.views.features.baseline import quadratic_left
from kashika.views.features.layer_features import LayerFeatures, alike, layer_features, named
from kashika.views.features.outcome import directions, unlearned
from kashika.views.features.pictures import (
    draw_by_target,
    draw_depth,
    draw_layer,
    draw_projection,
    draw_train_test,
)
from kashika.views.features.projecting import Projected, keys, once
from kashika.views.features.rules import (
    collapsed,
    dead_units,
    saturated_units,
    unscaled_input,
    unscaled_target,
)
from kashika.views.features.scales import SEEN_THROUGH, Scale, inputs_of, targets_of
from kashika.views.features.separation import effective_rank, separation, variation
from kashika.views.features.tables import layers, projections

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


T = TypeVar("T")


IN_REPORT = 2_000
"""Rows that a report projects: t-SNE takes 15 seconds and more for 5,000."""


SMALL = 9
"""So many layers are shown beside each other: three rows of three."""


ENDS = {"Tanh": (-0.97, 0.97), "Sigmoid": (0.015, 0.985), "Hardtanh": (-0.97, 0.97)}
"""Beyond these a type of layer hardly has a slope: 6 % of its greatest."""


TICKS = 20
"""So many layers are named on the axis of a curve by depth."""


SHOWN = 1_000
"""So many samples are shown in each of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Separation:
    """How far one layer keeps the classes apart.

    Attributes
    ----------
    layer, kind : name and type
    units : number of units; of channels, for a map
    pooled : what became of its positions, where it has several
    silhouette : -1 to 1, how much nearer samples are to their own class than to the next one
    purity : 0 to 1, share of the ten nearest neighbours that are of the sample's own class
    effective_rank : over how many directions the features spread; NaN where all are the same
    full_rank : over how many they could, with so many units and samples
    dead : units that were active on no sample of any split; None where the type has no such
        state, or an output is not finite
    samples : number of samples of all splits that `dead` was judged on
    hidden : whether its outputs are not those of the network
    saturated : share of its outputs on all splits that lie at an end of what it can put out, where
        it hardly has a slope; None where the type has no ends
    variation : share of the mean square of the features that is variance between samples: 0 where
        the layer puts out the same for all of them; NaN without two rows
    """

    layer: str
    kind: str
    units: int
    pooled: Sentence | None
    silhouette: float
    purity: float
    effective_rank: float
    full_rank: int
    dead: int | None
    samples: int
    hidden: bool = False
    saturated: float | None = None
    variation: float = np.nan

    @property
    def rank_share(self) -> float:
        """Effective rank in relation to what it could be, 0 to 1."""
        return self.effective_rank / self.full_rank if self.full_rank else np.nan


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One layer in a small picture.

    Attributes
    ----------
    projection : into the plane of the largest variance
    purity : of the layer
    """

    projection: Projection
    purity: float


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Features:
    """What the layers make of the samples of one split.

    Attributes
    ----------
    split : the split
    separations : of every layer in the order of their calls; the outputs last
    planes : of up to nine layers that differ, spread evenly from the input side to the outputs
    projected : the layers that were asked for, in two dimensions
    inputs, targets : how large they are, of the training samples if there are any; None where they
        are no numbers, or there are classes
    unlearned : what is wrong over what chance gets wrong, of the same samples
    directions : over how many directions features must spread that tell the targets apart
    quadratic : share of the variance that a quadratic fit would leave on new samples, of a
        regression whose inputs are a table; else NaN
    """

    split: Split
    separations: tuple[Separation, ...]
    planes: tuple[Plane, ...]
    projected: Projected
    inputs: Scale | None = None
    targets: Scale | None = None
    unlearned: float = np.nan
    directions: int = 0
    quadratic: float = np.nan

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that are projected; "" for the outputs."""
        return tuple(self.projected.layers)

    @property
    def projections(self) -> tuple[Projection, ...]:
        """Of the layers that were asked for."""
        return self.projected.projections

    @property
    def embeddings(self) -> tuple[Embedding, ...]:
        """Of the split in the picture of the training samples, for the same layers."""
        return self.projected.embeddings

    @property
    def ticks(self) -> list[int]:
        """Which of the separations are named on an axis."""
        return _evenly(len(self.separations), most=TICKS)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the last projection into `ax`, or into a new figure."""
        last = self.projections[-1]
        return figure.plot(draw_projection if last.classifies else draw_by_target, last, ax)

    def to_frame(self) -> DataFrame:
        """Return one row for each layer."""
        return table.frame(layers(self))

    def __repr__(self) -> str:
        return table.plain(VIEW, self)

    def _repr_html_(self) -> str:
        return figure.html(VIEW, self)


def measure(
    observations: Mapping[Split, Observation],
    *,
    split: Split,
    layer: str | None = None,
    most: int | None = None,
    seed: int = 0,
) -> Features:
    """Compare the layers; some of them are projected as soon as somebody looks.

    Parameters
    ----------
    split : the split whose features are looked at; dead units are judged on all splits
    layer : the layers that are projected, by name or by a pattern such as "layer*.conv2"; the
        outputs if None
    most : rows that are projected, since t-SNE takes its time; all that were kept if None
    seed : of t-SNE, and of the choice of samples where there are many

    Raises
    ------
    LoadError
        If there is no such layer.
    """
    seen = observations[split]
    asked = [""] if layer is None else named([one.name for one in seen.layers], layer)
    shown = layer_features(seen)
    hidden = _hidden(seen)
    separations = tuple(
        _separation(one, observations, hidden=name in hidden, seed=seed)
        for name, one in shown.items()
    )
    learned_on: Split = "train" if "train" in observations else split
    learned = observations[learned_on]
    purity = {one.layer: one.purity for one in separations}
    groups = alike(shown)
    small = [groups[i] for i in _evenly(len(groups), most=SMALL)]
    both = split == "test" and "train" in observations
    fitted = layer_features(observations["train"]) if both else {}
    few, fitted = (_few(one, asked, most=most, seed=seed) for one in (shown, fitted))
    return Features(
        split,
        separations,
        tuple(
            Plane(replace(_plane(shown[first], seed), alike=tuple(others)), purity[first])
            for first, *others in small
        ),
        Projected(few, fitted, seed),
        inputs_of(learned, split=learned_on),
        targets_of(learned, split=learned_on),
        unlearned(learned),
        directions(learned),
        quadratic_left(learned) if learned.task.outputs == "values" else np.nan,
    )


def _of_run(run: Run) -> Features:
    need(run.network, "network")
    split, _ = need(run.observation("test", "valid", "train"), "data")
    return measure(run.observations, split=split, layer=run.layer, most=IN_REPORT)


def _separation(
    shown: LayerFeatures, observations: Mapping[Split, Observation], *, hidden: bool, seed: int
) -> Separation:
    features = np.asarray(shown.features, dtype=np.float64)
    silhouette, purity = (
        separation(features, shown.targets, seed=seed) if shown.classifies else (np.nan, np.nan)
    )
    rank, full = effective_rank(features, seed=seed)
    dead, samples = _dead(observations, shown.name)
    return Separation(
        shown.name, shown.kind, features.shape[1], shown.pooled, silhouette, purity, rank, full,
        dead, samples, hidden, _saturated(observations, shown.name), variation(features),
    )  # fmt: skip


def _few(
    layers: Mapping[str, LayerFeatures], names: Sequence[str], *, most: int | None, seed: int
) -> dict[str, LayerFeatures]:
    """Return those of the named layers that there are, with a choice of rows."""
    there = {name: layers[name] for name in names if name in layers}
    if most is None:
        return there
    return {name: one.few(most, seed=seed) for name, one in there.items()}


def _plane(shown: LayerFeatures, seed: int) -> Projection:
    few = shown.few(SHOWN, seed=seed)
    return few.told(principal(few.features, seed=seed))


def _dead(observations: Mapping[Split, Observation], name: str) -> tuple[int | None, int]:
    """Count the units of a layer that no split ever activates, and the samples of all splits."""
    found = [
        one
        for seen in observations.values()
        for one in seen.layers
        if one.name == name and one.kind in RELU_LIKE and one.values.finite == one.values.size
    ]
    samples = sum(seen.samples for seen in observations.values())
    if not found:
        return None, samples
    return int((np.sum([one.active for one in found], axis=0) == 0).sum()), samples


def _saturated(observations: Mapping[Split, Observation], name: str) -> float | None:
    """Return which share of the outputs of a layer lies at the ends of its range."""
    found = [
        one
        for seen in observations.values()
        for one in seen.layers
        if one.name == name and one.kind in ENDS and one.values.finite
    ]
    if not found:
        return None
    return reduce(add, (one.values for one in found)).beyond(*ENDS[found[0].kind])


def _hidden(seen: Observation) -> set[str]:
    """Return the layers whose outputs are not those of the network: all before the last one."""
    names = [one.name for one in seen.layers]
    last = [i for i, one in enumerate(seen.layers) if not one.kind.startswith(SEEN_THROUGH)]
    return set(names[: last[-1]]) if last else set()


def _evenly(count: int, *, most: int) -> list[int]:
    """Return up to so many of the numbers from 0 to count - 1, first and last among them."""
    places = np.linspace(0, count - 1, min(count, most)).round().astype(int)
    return [int(place) for place in places]


def _panels(projections: Iterable[Projection]) -> list[Projection]:
    shown = once([one for one in projections if len(one.coordinates)])
    return [replace(one, key=key) for one, key in zip(shown, keys(len(shown)), strict=True)]


def _embedded(embeddings: Iterable[Embedding]) -> list[Embedding]:
    shown = once([one for one in embeddings if len(one.test.coordinates)])
    return [
        replace(one, test=replace(one.test, key=key))
        for one, key in zip(shown, keys(len(shown)), strict=True)
    ]


def _several(ones: tuple[T, ...]) -> tuple[T, ...]:
    """Return what can be compared: a single layer cannot."""
    return ones if len(ones) > 1 else ()


VIEW = View(
    "features",
    measure=_of_run,
    rules=(unscaled_input, unscaled_target, dead_units, saturated_units, collapsed),
    pictures=(
        Picture(
            "projection",
            draw_projection,
            each=lambda f: _panels(p for p in f.projections if p.classifies),
        ),
        Picture(
            "by_target",
            draw_by_target,
            each=lambda f: _panels(p for p in f.projections if not p.classifies),
        ),
        Picture(
            "train_test",
            draw_train_test,
            each=lambda f: _embedded(f.embeddings),
        ),
        Picture(
            "layers",
            draw_layer,
            each=lambda f: tuple(p for p in _several(f.planes) if len(p.projection.coordinates)),
            shows=("dead_units", "saturated_units", "collapsed"),
        ),
        Picture(
            "depth",
            draw_depth,
            each=lambda f: (f,) if any(s.full_rank for s in _several(f.separations)) else (),
            shows=("dead_units", "saturated_units", "collapsed"),
        ),
    ),
    tables=(Table("layers", layers), Table("projections", projections)),
    gradients=False,
)
