"""How are the classes separated inside?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from kashika import figure, table
from kashika.errors import need
from kashika.layer_features import LayerFeatures, layer_features, named
from kashika.naming import Split
from kashika.observation import RELU_LIKE, Observation
from kashika.palette import BLACK, INK, class_colour, class_marker
from kashika.projection import MAPPED, Embedding, Projection, embed, principal, project
from kashika.run import Run
from kashika.separation import effective_rank, separation
from kashika.texts import Sentence, text
from kashika.view import Evidence, Finding, Level, Picture, Row, Table, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

T = TypeVar("T")

FEW = 30
"""On fewer samples a unit that is never active may be a healthy one."""

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


# --- rules -------------------------------------------------------------------------------------


def dead_units(features: Features, *, share: float = 0.5, gross: float = 0.9) -> Finding:
    """Many ReLU units of a layer are active on no sample at all.

    A unit that is off for some samples is normal; only one that is off for every sample of every
    split counts. A healthy network of the seed's kind has up to a third of them.

    Parameters
    ----------
    share : share of a layer's units from which it is a warning (SageMaker Debugger, TheDeepChecker)
    gross : share from which it is a problem: the layer passes hardly anything on

    References
    ----------
    Lu et al., "Dying ReLU and initialization", 2019; Ben Braiek and Khomh, "TheDeepChecker", 2022.
    """
    rule = "features.dead_units"
    judged = [one for one in features.separations if one.dead is not None and one.samples >= FEW]
    if not judged:
        return Finding(rule, Level.UNKNOWN)
    worst = max(judged, key=lambda one: (one.dead or 0) / one.units)
    dead = worst.dead or 0
    evidence = (
        Evidence("dead_share", dead / worst.units, limit=share, where=worst.layer),
        Evidence("dead", dead, where=worst.layer),
        Evidence("units", worst.units, where=worst.layer),
        Evidence("samples", worst.samples),
    )
    level = Level.OK if dead / worst.units < share else Level.WARNING
    return Finding(rule, Level.PROBLEM if dead / worst.units >= gross else level, evidence)


# --- pictures ----------------------------------------------------------------------------------


def draw_projection(projection: Projection, axes: Axes) -> None:
    """Show every sample at its place, classes by colour and marker, misclassified ones ringed."""
    if projection.refused is not None:
        draw_refusal(projection, axes)
        return
    x, y = projection.places
    for k in projection.classes:
        chosen = projection.targets == k
        axes.plot(
            x[chosen], y[chosen], linestyle="", marker=class_marker(k), markersize=4,
            color=class_colour(k), alpha=0.8, label=text("labels.class", k=k),
            gid=f"features-{k}", rasterized=len(x) > 1000,
        )  # fmt: skip
    axes.plot(
        x[projection.ringed], y[projection.ringed], linestyle="", marker="o", markersize=9,
        markerfacecolor="none", markeredgecolor=INK, markeredgewidth=1.2,
    )  # fmt: skip
    _name_axes(projection, axes)
    if len(projection.classes) <= 10:
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.26), ncols=5, fontsize=6,
            columnspacing=0.8, handletextpad=0.1, handlelength=1.2,
        )  # fmt: skip


def draw_by_target(projection: Projection, axes: Axes) -> None:
    """Show every sample of a regression at its place, coloured by its target."""
    if projection.refused is not None:
        draw_refusal(projection, axes)
        return
    x, y = projection.places
    axes.scatter(x, y, c=projection.targets, cmap="cividis", s=14, rasterized=len(x) > 1000)
    _name_axes(projection, axes)


def draw_refusal(projection: Projection, axes: Axes) -> None:
    """Say why there is no projection."""
    axes.set_axis_off()
    axes.text(
        0.5, 0.5, str(projection.refused), ha="center", va="center", wrap=True,
        transform=axes.transAxes,
    )  # fmt: skip


def draw_train_test(embedding: Embedding, axes: Axes) -> None:
    """Show training samples at their places and test samples, with black edges, among them."""
    low, high = embedding.limits
    for split, one in (("train", embedding.train), ("test", embedding.test)):
        x, y = one.places
        test, many = split == "test", len(x) > 1000
        edge, width = (BLACK, 0.7) if test else ("white", 0.4)
        if not one.classifies:
            axes.scatter(
                x, y, c=one.targets, cmap="cividis", vmin=low, vmax=high, s=20 if test else 9,
                edgecolors=edge, linewidths=width, rasterized=many,
            )  # fmt: skip
        for k in one.classes if one.classifies else ():
            chosen = one.targets == k
            axes.plot(
                x[chosen], y[chosen], linestyle="", marker=class_marker(k),
                markersize=4.5 if test else 3, markeredgewidth=width,
                color=class_colour(k), markeredgecolor=edge, rasterized=many, gid=f"{split}-{k}",
                label=text("labels.class", k=k) if test else "",
            )  # fmt: skip
        axes.plot(
            x[one.ringed], y[one.ringed], linestyle="", marker="o", markersize=9,
            markerfacecolor="none", markeredgecolor=INK, markeredgewidth=1.2, gid=f"wrong-{split}",
        )  # fmt: skip
    _name_axes(embedding.test, axes)
    axes.set_title(_described_both(embedding))
    if embedding.test.classifies and len(embedding.test.classes) <= 10:
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.26), ncols=5, fontsize=6,
            columnspacing=0.8, handletextpad=0.1, handlelength=1.2,
        )  # fmt: skip


def draw_layer(plane: Plane, axes: Axes) -> None:
    """Show one layer small: its samples in the plane of their largest variance."""
    projection = plane.projection
    x, y = projection.places
    if projection.classifies:
        for k in projection.classes:
            chosen = projection.targets == k
            axes.plot(
                x[chosen], y[chosen], linestyle="", marker=class_marker(k), markersize=2.5,
                color=class_colour(k), alpha=0.7, rasterized=True,
            )  # fmt: skip
    else:
        axes.scatter(x, y, c=projection.targets, cmap="cividis", s=5, rasterized=True)
    axes.set_title(_small_title(plane), fontsize=8)
    axes.set_xlabel(_small_note(projection), fontsize=7)
    axes.tick_params(labelbottom=False, labelleft=False, length=0)
    axes.grid(visible=False)


def draw_depth(features: Features, axes: Axes) -> None:
    """Separation of the classes, and spread, from the input side to the outputs."""
    places = range(len(features.separations))
    axes.plot(
        places, [one.purity for one in features.separations],
        marker="o", color=class_colour(0), label=text("columns.purity"),
    )  # fmt: skip
    axes.plot(
        places, [one.silhouette for one in features.separations],
        marker="s", linestyle="--", color=class_colour(1), label=text("columns.silhouette"),
    )  # fmt: skip
    axes.plot(
        places, [one.rank_share for one in features.separations],
        marker="D", linestyle=":", color=class_colour(2), label=text("features.rank_share"),
    )  # fmt: skip
    names = [_layer_name(features.separations[i].layer) for i in features.ticks]
    axes.set_xticks(features.ticks, names, rotation=30, ha="right", rotation_mode="anchor")
    axes.legend()


# --- tables ------------------------------------------------------------------------------------


def layers(features: Features) -> list[Row]:
    """Return one row for each layer."""
    return [
        {
            "layer": one.layer or text("words.outputs"),
            "kind": one.kind,
            "units": one.units,
            "positions": _or_nothing(one.pooled),
            "silhouette": _or_none(one.silhouette),
            "purity": _or_none(one.purity),
            "effective_rank": _or_none(one.effective_rank),
            "dead": one.dead,
        }
        for one in features.separations
    ]


def projections(features: Features) -> list[Row]:
    """Return one row for each projection: how it was made and how faithful it is."""
    alone = [(one, features.split, f"words.{one.method}") for one in features.projections]
    together = [
        row
        for one in features.embeddings
        if one.test.method == "tsne"
        for row in (
            (one.train, "train", "words.tsne"),
            (one.test, features.split, "features.embedded"),
        )
    ]
    return [
        {
            "layer": one.layer or text("words.outputs"),
            "split": text(f"labels.{split}"),
            "method": text(method),
            "rows": len(one.targets),
            "dropped": one.dropped,
            "trustworthiness": _or_none(one.trustworthiness),
            "explained": _or_none(one.explained),
            "perplexity": _or_none(one.perplexity),
            "remark": _or_nothing(one.refused),
        }
        for one, split, method in [*alone, *together]
    ]


# --- how it is computed --------------------------------------------------------------------------


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


def _name_axes(projection: Projection, axes: Axes) -> None:
    name = "labels.feature" if projection.method == "plain" else "labels.axis"
    single = projection.coordinates.shape[1] == 1
    # The layer stands below: a title of two lines would not fit between rows of pictures.
    where = [text(name, k=1), projection.layer, _or_nothing(projection.pooled)]
    axes.set(
        title=_described(projection),
        xlabel=", ".join(filter(None, where)),
        ylabel=text("labels.target") if single else text(name, k=2),
    )


def _described(projection: Projection) -> str:
    return text(
        f"features.title_{projection.method}",
        trustworthiness=projection.trustworthiness,
        explained=projection.explained,
        perplexity=projection.perplexity,
    )


def _described_both(embedding: Embedding) -> str:
    train, test = embedding.train.trustworthiness, embedding.test.trustworthiness
    if embedding.test.method == "plain":
        return _described(embedding.test)
    return text("features.title_embedded", train=train, test=test)


def _small_title(plane: Plane) -> str:
    name = _layer_name(plane.projection.layer)
    if not np.isfinite(plane.purity):
        return name
    return text("features.small", layer=name, purity=plane.purity)


def _small_note(projection: Projection) -> str:
    """Say how a small picture was made."""
    if projection.refused is not None:
        return ""
    if projection.method == "plain":
        return _described(projection)
    how = text("features.small_pca", explained=projection.explained)
    return ", ".join(filter(None, [how, _or_nothing(projection.pooled)]))


def _layer_name(name: str) -> str:
    """Return the end of a long name, which tells more than its beginning."""
    return (f"…{name[-20:]}" if len(name) > 22 else name) or text("words.outputs")


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _or_nothing(sentence: Sentence | None) -> str:
    return "" if sentence is None else str(sentence)


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
