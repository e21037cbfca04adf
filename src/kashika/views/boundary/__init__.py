"""Where does the network change its mind?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from kashika import figure, table
from kashika.distribution import Array
from kashika.errors import KashikaError, LoadError, Missing, need, one_line
from kashika.naming import SPLITS, Split
from kashika.observation import Observation
from kashika.projection import Projection
from kashika.run import Network, Run
from kashika.texts import Sentence
from kashika.view import Picture, Row, Table, View
from kashika.views.boundary.chart import Method
from kashika.views.boundary.cuts import Grid, all_samples, through_three, two_columns, whole
from kashika.views.boundary.landscape import Kind, Map, Refused
from kashika.views.boundary.margin import Margins, margins_of
from kashika.views.boundary.pictures import draw_map, draw_margins
from kashika.views.boundary.pool import Pool
from kashika.views.boundary.rules import unfaithful
from kashika.views.boundary.tables import areas, maps, margins

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

M = TypeVar("M")
"""Whatever the network has to be asked for."""

_SAID = 200  # letters of a foreign error that stand in a picture


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Boundary:
    """Where the network changes its mind.

    Attributes
    ----------
    maps : one for a network of two inputs; else a plane through three samples, two of the inputs,
        and all samples in a projection, as far as they were asked for and can be made
    margins : how far samples lie from the boundary; None for a regression
    refused : what could not be made, since the network raised an error where it was asked
    """

    maps: tuple[Map, ...]
    margins: Margins | None
    refused: tuple[Refused, ...] = ()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the first map into `ax`, or into a new figure."""
        ones: list[Map | Refused] = [*self.maps, *self.refused]
        return figure.plot(draw_map, ones[0], ax)

    def to_frame(self) -> DataFrame:
        """Return one row for each point of the grid of each map."""
        rows: list[Row] = []
        for one in self.maps:
            xx, yy = np.meshgrid(one.x, one.y)
            columns: dict[str, Array] = {"x": xx, "y": yy, "confidence": one.confidence}
            if one.classes:
                columns["predicted_class"] = one.predicted
            cells = zip(*(column.ravel().tolist() for column in columns.values()), strict=True)
            rows += [{"map": one.kind, **dict(zip(columns, row, strict=True))} for row in cells]
        return table.frame(rows)

    def __repr__(self) -> str:
        return table.plain(VIEW, self)

    def _repr_html_(self) -> str:
        return figure.html(VIEW, self)


def measure(
    network: Network,
    observations: Mapping[Split, Observation],
    *,
    through: Sequence[int] | None = None,
    features: Sequence[int] | None = None,
    at: int | None = None,
    method: Method | None = None,
    names: Sequence[str] = (),
    grid: Grid | None = None,
    seed: int = 0,
) -> Boundary:
    """Ask the network over pictures of its inputs, and how far samples lie from the boundary.

    Without `through`, `features`, `at` and `method`, a network of two inputs is shown as it is, and
    one of more in every way that fits it: two single entries of an image are not looked at.
    Where the network cannot answer what one of them asks, as between two categories, the others
    are made all the same.

    Parameters
    ----------
    observations : of the splits that are shown; rows are those of the first one
    through : three rows, whose plane is shown
    features : two columns of the flattened inputs, from 0; those along which the answer changes
        most if only `at` is given
    at : row that gives the values of the other columns; their medians if None
    method : of a projection of all samples
    names : of the columns of the flattened inputs, for the axes; empty where they have none
    grid : (width,) and (height,) places, for a single map
    seed : of choices of samples, and of t-SNE

    Raises
    ------
    Missing
        If the answers are not one class or one value for each sample, or the inputs not arrays of
        at least two numbers, or the network raises an error wherever it is asked.
    LoadError
        If a row, column or method does not exist, or a grid is given for several maps.
    """
    seen = next(iter(observations.values()))
    if seen.task.labels or seen.task.positional:
        raise Missing("missing.one_answer")
    if not seen.task.classifies and seen.outputs.shape[1] != 1:
        raise Missing("missing.one_output", found=seen.outputs.shape[1])
    pool = Pool.of(observations, seed=seed)
    if seen.inputs.dtype.kind in "iu":
        _take_fractions(network, pool)
    two = features is not None or at is not None
    free = through is None and not two and method is None
    two_inputs = pool.inputs.shape[1] == 2
    several = not two_inputs if free else (through is not None) + two + (method is not None) > 1
    if grid is not None and several:
        raise LoadError("errors.boundary.grid")
    cuts: dict[Kind, Callable[[], Map | Projection | None]] = {}
    if free and two_inputs:
        cuts["inputs"] = lambda: whole(network, pool, names=names, grid=grid)
    if through is not None or (free and not two_inputs):
        cuts["plane"] = lambda: through_three(network, pool, seen, through, grid=grid)
    if two or (free and not two_inputs and len(pool.shape) == 1):
        cuts["features"] = lambda: two_columns(
            network, pool, seen, features, at=at, names=names, grid=grid
        )
    if method is not None or (free and not two_inputs):
        cuts["projection"] = lambda: all_samples(
            network, pool, method=method or "pca", grid=grid, seed=seed
        )
    found = [_tried(kind, make) for kind, make in cuts.items()]
    maps = tuple(one for one in found if isinstance(one, Map))
    unseen = next((one.refused for one in found if isinstance(one, Projection)), None)
    if unseen is not None and (method is not None or not maps):
        raise Missing(unseen.key, **unseen.values)
    split, last = list(observations.items())[-1]
    margins = None
    if seen.task.classifies:
        margins = _tried("margins", lambda: margins_of(network, split, last, seed=seed))
    refused = tuple(one for one in (*found, margins) if isinstance(one, Refused))
    if refused and not maps and not isinstance(margins, Margins):
        raise Missing(refused[0].reason.key, **refused[0].reason.values)
    return Boundary(maps, margins if isinstance(margins, Margins) else None, refused)


def shown(run: Run) -> dict[Split, Observation]:
    """Return the splits that are shown: train and test, else the only one."""
    split, seen = need(run.observation(*SPLITS), "data")
    apart: tuple[Split, ...] = ("train", "test")
    both = {one: run.observations[one] for one in apart if one in run.observations}
    return both or {split: seen}


def _of_run(run: Run) -> Boundary:
    cut = run.cut
    return measure(
        need(run.network, "network"), shown(run),
        through=cut.through, features=cut.features, at=cut.at, method=cut.projection,
        names=run.columns,
    )  # fmt: skip


def _take_fractions(network: Network, pool: Pool) -> None:
    """See to it that whole numbers are numbers, and no names of tokens."""
    one = pool.inputs[:1].reshape(-1, *pool.shape)
    try:
        network.predict(one + 0.5)
    except Exception as error:
        raise Missing("missing.fractions") from error


def _tried(kind: Kind | Literal["margins"], make: Callable[[], M]) -> M | Refused:
    """Make one part, so that what the user's network raises takes no other part along."""
    try:
        return make()
    except KashikaError:
        raise
    except Exception as error:  # noqa: BLE001  the user's own code may raise anything
        return Refused(kind, Sentence("boundary.refused", error=one_line(error)[:_SAID]))


def _kind(kind: Kind) -> Callable[[Boundary], list[Map | Refused]]:
    return lambda boundary: [
        *(one for one in boundary.maps if one.kind == kind),
        *(one for one in boundary.refused if one.kind == kind),
    ]


def _with_margins(boundary: Boundary) -> list[Margins | Refused]:
    refused = [one for one in boundary.refused if one.kind == "margins"]
    measured = boundary.margins
    return [measured] if measured is not None and measured.bars else [*refused]


def _surface(one: Map | Refused) -> bool:
    return isinstance(one, Map) and not one.classes


VIEW = View(
    "boundary",
    measure=_of_run,
    rules=(unfaithful,),
    pictures=(
        Picture("map", draw_map, each=lambda b: [m for m in _kind("inputs")(b) if not _surface(m)]),
        Picture("surface", draw_map, each=lambda b: [m for m in _kind("inputs")(b) if _surface(m)]),
        Picture("plane", draw_map, each=_kind("plane")),
        Picture("features", draw_map, each=_kind("features")),
        Picture("projection", draw_map, each=_kind("projection"), shows=("unfaithful",)),
        Picture("margins", draw_margins, each=_with_margins),
    ),
    tables=(Table("areas", areas), Table("maps", maps), Table("margins", margins)),
    gradients=False,
)
