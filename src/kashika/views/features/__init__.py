"""How are the classes separated inside?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from kashika import figure, table
from kashika.errors import need
from kashika.naming import Split
from kashika.observation import RELU_LIKE, Observation
from kashika.projection import MAPPED, Embedding, Projection, embed, principal, project
from kashika.run import Run
from kashika.texts import Sentence
from kashika.view import Picture, Table, View
from kashika.views.features.layer_features import LayerFeatures, layer_features, named
from kashika.views.features.pictures import (
    draw_by_target,
    draw_depth,
    draw_layer,
    draw_projection,
    draw_train_test,
)
from kashika.views.features.rules import dead_units
from kashika.views.features.separation import effective_rank, separation
from kashika.views.features.tables import layers, projections

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


T = TypeVar("T")


IN_REPORT = 2_000
"""Rows that a report projects: t-SNE takes 15 seconds and more for 5,000."""


SMALL = 9
"""So many layers are shown beside each other: three rows of three."""


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
    planes : of up to nine layers, spread evenly from the input side to the outputs
    projections : of the layers that were asked for
    embeddings : of the split in the t-SNE of the training samples, for the same layers
    """

    split: Split
    separations: tuple[Separation, ...]
    planes: tuple[Plane, ...]
    projections: tuple[Projection, ...]
    embeddings: tuple[Embedding, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that are projected; "" for the outputs."""
        return tuple(dict.fromkeys(one.layer for one in self.projections))

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
    """Compare the layers, and project some of them.

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
    separations = tuple(_separation(one, observations, seed) for one in shown.values())
    purity = {one.layer: one.purity for one in separations}
    small = [list(shown)[i] for i in _evenly(len(shown), most=SMALL)]
    both = split == "test" and "train" in observations
    fitted = layer_features(observations["train"]) if both else {}
    if most is not None:
        fitted = {name: fitted[name].few(most, seed=seed) for name in asked if name in fitted}
    few = {
        name: shown[name] if most is None else shown[name].few(most, seed=seed) for name in asked
    }
    return Features(
        split,
        separations,
        tuple(Plane(_plane(shown[name], seed), purity[name]) for name in small),
        tuple(
            one.told(projection)
            for one in few.values()
            for projection in project(one.features, seed=seed)
        ),
        tuple(_embedding(fitted[name], few[name], seed) for name in asked if name in fitted),
    )


def _of_run(run: Run) -> Features:
    need(run.network, "network")
    split, _ = need(run.observation("test", "valid", "train"), "data")
    return measure(run.observations, split=split, layer=run.layer, most=IN_REPORT)


def _separation(
    shown: LayerFeatures, observations: Mapping[Split, Observation], seed: int
) -> Separation:
    features = np.asarray(shown.features, dtype=np.float64)
    silhouette, purity = (
        separation(features, shown.targets, seed=seed) if shown.classifies else (np.nan, np.nan)
    )
    rank, full = effective_rank(features, seed=seed)
    dead, samples = _dead(observations, shown.name)
    return Separation(
        shown.name, shown.kind, features.shape[1], shown.pooled, silhouette, purity, rank, full,
        dead, samples,
    )  # fmt: skip


def _plane(shown: LayerFeatures, seed: int) -> Projection:
    few = shown.few(SHOWN, seed=seed)
    return few.told(principal(few.features, seed=seed))


def _embedding(train: LayerFeatures, test: LayerFeatures, seed: int) -> Embedding:
    few = train.few(MAPPED, seed=seed)
    made = embed(few.features, test.features, seed=seed)
    return Embedding(few.told(made.train), test.told(made.test))


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


def _evenly(count: int, *, most: int) -> list[int]:
    """Return up to so many of the numbers from 0 to count - 1, first and last among them."""
    places = np.linspace(0, count - 1, min(count, most)).round().astype(int)
    return [int(place) for place in places]


def _several(ones: tuple[T, ...]) -> tuple[T, ...]:
    """Return what can be compared: a single layer cannot."""
    return ones if len(ones) > 1 else ()


VIEW = View(
    "features",
    measure=_of_run,
    rules=(dead_units,),
    pictures=(
        Picture(
            "projection",
            draw_projection,
            each=lambda f: tuple(p for p in f.projections if len(p.coordinates) and p.classifies),
        ),
        Picture(
            "by_target",
            draw_by_target,
            each=lambda f: tuple(
                p for p in f.projections if len(p.coordinates) and not p.classifies
            ),
        ),
        Picture(
            "train_test",
            draw_train_test,
            each=lambda f: tuple(e for e in f.embeddings if len(e.test.coordinates)),
        ),
        Picture(
            "layers",
            draw_layer,
            each=lambda f: tuple(p for p in _several(f.planes) if len(p.projection.coordinates)),
        ),
        Picture(
            "depth",
            draw_depth,
            each=lambda f: (f,) if any(s.full_rank for s in _several(f.separations)) else (),
        ),
    ),
    tables=(Table("layers", layers), Table("projections", projections)),
    gradients=False,
)
