"""How are the classes separated inside?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kashika import figure, table
from kashika.distribution import Array, FloatArray, IntArray
from kashika.errors import LoadError, need
from kashika.naming import Split
from kashika.observation import Observation
from kashika.palette import INK, class_colour, class_marker
from kashika.projection import NEIGHBOURS, Projection, narrow, project
from kashika.run import Run
from kashika.texts import text
from kashika.view import Evidence, Finding, Level, Picture, Row, Table, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

FEW = 30
"""On fewer samples a unit that is never active may be a healthy one."""

RELU_LIKE = ("ReLU", "ReLU6")
"""Types of layers whose units are exactly zero while they are not active."""


@dataclass(frozen=True, slots=True, eq=False)
class Separation:
    """How far one layer keeps the classes apart.

    Attributes
    ----------
    layer, kind : name and type
    units : number of units; of channels, for a map
    silhouette : -1 to 1, how much nearer samples are to their own class than to the next one
    purity : 0 to 1, share of the ten nearest neighbours that are of the sample's own class
    dead : units that were active on no sample of any split; None where the type has no such
        state, or an output is not finite
    samples : number of samples of all splits that `dead` was judged on

    References
    ----------
    Rousseeuw, "Silhouettes", Journal of Computational and Applied Mathematics 20, 1987.
    """

    layer: str
    kind: str
    units: int
    silhouette: float
    purity: float
    dead: int | None
    samples: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Features:
    """What the layers make of the samples of one split.

    Attributes
    ----------
    split : the split
    layer : the layer that is projected; "" for the outputs
    separations : of every layer in the order of their calls; the outputs last
    projections : of the one layer
    rows : how many samples are projected
    dropped : how many more were left out because their features are not finite
    """

    split: Split
    layer: str
    separations: tuple[Separation, ...]
    projections: tuple[Projection, ...]
    rows: int
    dropped: int

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
    seed: int = 0,
) -> Features:
    """Compare the layers, and project one of them.

    Parameters
    ----------
    split : the split whose features are looked at; dead units are judged on all splits
    layer : the layer that is projected; the outputs if None
    seed : of t-SNE

    Raises
    ------
    LoadError
        If there is no such layer.
    """
    seen = observations[split]
    inside = {one.name: one for one in seen.layers}
    if layer is not None and layer not in inside:
        raise LoadError("errors.no_such_layer", found=layer, names=", ".join(inside))
    outputs = seen.outputs[seen.rows]
    values = {name: one.features for name, one in inside.items()} | {"": outputs}
    targets = np.asarray(seen.targets).reshape(seen.samples, -1)[seen.rows, 0]
    wrong = _wrong(seen)
    classifies = seen.task.classifies
    separations = []
    for name, features in values.items():
        apart = _separate(features, targets, seed) if classifies else (np.nan, np.nan)
        dead, samples = _dead(observations, name)
        kind = inside[name].kind if name else ""
        separations.append(Separation(name, kind, features.shape[1], *apart, dead, samples))
    shown = values[layer or ""]
    finite = np.isfinite(shown).all(axis=1)
    projections = project(shown[finite], seed=seed)
    return Features(
        split,
        layer or "",
        tuple(separations),
        tuple(
            replace(p, targets=targets[finite], wrong=wrong[finite], classifies=classifies)
            for p in projections
        ),
        rows=int(finite.sum()),
        dropped=int((~finite).sum()),
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
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=5, fontsize=7)


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


def draw_depth(features: Features, axes: Axes) -> None:
    """Separation of the classes from the input side to the outputs."""
    places = range(len(features.separations))
    axes.plot(
        places, [one.purity for one in features.separations],
        marker="o", color=class_colour(0), label=text("columns.purity"),
    )  # fmt: skip
    axes.plot(
        places, [one.silhouette for one in features.separations],
        marker="s", linestyle="--", color=class_colour(1), label=text("columns.silhouette"),
    )  # fmt: skip
    names = [one.layer or text("words.outputs") for one in features.separations]
    axes.set_xticks(places, names, rotation=30, ha="right", rotation_mode="anchor")
    axes.legend()


# --- tables ------------------------------------------------------------------------------------


def layers(features: Features) -> list[Row]:
    """Return one row for each layer."""
    return [
        {
            "layer": one.layer or text("words.outputs"),
            "kind": one.kind,
            "units": one.units,
            "silhouette": _or_none(one.silhouette),
            "purity": _or_none(one.purity),
            "dead": one.dead,
        }
        for one in features.separations
    ]


def projections(features: Features) -> list[Row]:
    """Return one row for each projection: how it was made and how faithful it is."""
    return [
        {
            "layer": features.layer or text("words.outputs"),
            "method": text(f"words.{one.method}"),
            "rows": features.rows,
            "dropped": features.dropped,
            "trustworthiness": _or_none(one.trustworthiness),
            "explained": _or_none(one.explained),
            "perplexity": _or_none(one.perplexity),
            "remark": "" if one.refused is None else str(one.refused),
        }
        for one in features.projections
    ]


# --- how it is computed --------------------------------------------------------------------------


def _of_run(run: Run) -> Features:
    need(run.network, "network")
    split, _ = need(run.observation("test", "valid", "train"), "data")
    return measure(run.observations, split=split, layer=run.layer)


def _wrong(seen: Observation) -> Array:
    if not seen.task.classifies:
        return np.zeros(len(seen.rows), dtype=bool)
    return np.asarray(seen.predicted != seen.targets)[seen.rows]


def _separate(features: FloatArray, labels: IntArray, seed: int) -> tuple[float, float]:
    """Return silhouette and purity; NaN where they are not defined."""
    finite = np.isfinite(features).all(axis=1)
    x, y = narrow(features[finite].astype(np.float64), seed=seed), labels[finite]
    if not 2 <= len(np.unique(y)) < len(y):
        return np.nan, np.nan
    from sklearn.metrics import silhouette_score
    from sklearn.neighbors import NearestNeighbors

    k = min(NEIGHBOURS, len(x) - 1)
    neighbours = NearestNeighbors(n_neighbors=k).fit(x).kneighbors(return_distance=False)
    return float(silhouette_score(x, y)), float(np.mean(y[neighbours] == y[:, None]))


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


def _name_axes(projection: Projection, axes: Axes) -> None:
    name = "labels.feature" if projection.method == "plain" else "labels.axis"
    single = projection.coordinates.shape[1] == 1
    axes.set(
        title=_described(projection),
        xlabel=text(name, k=1),
        ylabel=text("labels.target") if single else text(name, k=2),
    )


def _described(projection: Projection) -> str:
    return text(
        f"features.title_{projection.method}",
        trustworthiness=projection.trustworthiness,
        explained=projection.explained,
        perplexity=projection.perplexity,
    )


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


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
            "depth",
            draw_depth,
            each=lambda f: (f,) if any(np.isfinite(s.purity) for s in f.separations) else (),
        ),
    ),
    tables=(Table("layers", layers), Table("projections", projections)),
)
