"""Columns over the same rows -> series, each with its own epochs or steps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from kashika.distribution import Array, FloatArray
from kashika.history import Series, Unit
from kashika.texts import Sentence, text

_STEP = {
    "step", "steps", "global_step", "globalstep", "global_steps", "trainer_global_step",
    "iteration", "iterations", "iter", "iters", "it", "update", "updates", "num_updates",
    "step_idx", "batch", "ステップ", "反復", "イテレーション",
}  # fmt: skip
_EPOCH = {
    "epoch", "epochs", "ep", "epoch_num", "epoch_idx", "エポック", "episode", "episodes", "round",
    "generation",
}  # fmt: skip
_INDEX = re.compile(r"|index|unnamed_\d+")
_BOOKKEEPING = re.compile(
    r"(.*_)?(time|times|timestamp|runtime|eta|date|datetime|elapsed|duration|memory|created_at)"
    r"(_.*)?|.*(samples|steps|tokens|images|iter|it)_?(per_second|per_sec|/s)|wall.*|relative_time.*|"
    r"v_num|(max|gpu|cuda)_mem|wps|ups|wpb|bsz|mfu|dur|fps|train_wall"
)


def unit_of(name: str) -> Unit | None:
    """Return what a column counts, if it counts epochs or steps."""
    word = re.sub(r"[\s/.\-]+", "_", name.strip().lower()).strip("_")
    return "step" if word in _STEP else "epoch" if word in _EPOCH else None


def series_of(
    columns: Mapping[str, Sequence[float | None]],
) -> tuple[dict[str, Series], list[Sentence]]:
    """Give every column the epochs or steps that stand beside it.

    Steps are taken where there are any, else epochs, else the rows. Steps that begin anew in each
    epoch are counted through.

    Parameters
    ----------
    columns : {name: (rows,)}; None where a row has nothing

    Returns
    -------
    {name: series}, and a note on the columns that were left out
    """
    table = {name: _filled(cells) for name, cells in columns.items()}
    step, epoch = (_place(table, unit) for unit in ("step", "epoch"))
    if step is not None and epoch is not None:
        step = _through(step, epoch)
    places: list[tuple[Unit, FloatArray]] = []
    if step is not None and _counts(step):
        places.append(("step", step))
    if epoch is not None:
        places.append(("epoch", epoch))
    if step is not None and not places:
        places.append(("step", step))
    left = [name for name in table if _is_index(name, table[name], places)]
    left += [name for name in table if _BOOKKEEPING.fullmatch(_plain(name))]
    series, placeless = {}, []
    for name, y in table.items():
        if unit_of(name) is None and name not in left:
            there = ~np.isnan(y) | _logged_nan(columns[name])
            if there.any():
                series[name] = _series(y, there, places)
                if lost := int(there.sum()) - series[name].y.size:
                    placeless.append(f"{name} ({lost})")
            else:
                left.append(name)
    named = ", ".join(name or text("words.unnamed_column") for name in dict.fromkeys(left))
    notes = [Sentence("notes.log.left_out", names=named)] if left else []
    if placeless:
        notes.append(Sentence("notes.log.placeless", names=", ".join(placeless)))
    return series, notes


def _filled(cells: Sequence[float | None]) -> FloatArray:
    return np.array([np.nan if cell is None else cell for cell in cells], np.float64)


def _logged_nan(cells: Sequence[float | None]) -> Array:
    return np.array([cell is not None for cell in cells], bool)


def _plain(name: str) -> str:
    return re.sub(r"[\s/.\-]+", "_", name.strip().lower()).strip("_")


def _place(table: Mapping[str, FloatArray], unit: Unit) -> FloatArray | None:
    """Return the column that counts; of several the one with the most rows."""
    found = [y for name, y in table.items() if unit_of(name) == unit and np.isfinite(y).any()]
    return max(found, key=lambda y: int(np.isfinite(y).sum()), default=None)


def _counts(x: FloatArray) -> bool:
    """Tell whether a column goes anywhere."""
    there = x[np.isfinite(x)]
    return there.size == 1 or np.unique(there).size > 1


def _through(step: FloatArray, epoch: FloatArray) -> FloatArray:
    """Count steps on through the epochs, where each epoch begins them anew."""
    both = np.isfinite(step) & np.isfinite(epoch)
    s, e = step[both], epoch[both]
    if np.unique(s).size < 2:
        return step
    new = np.diff(e) > 0
    if (
        not new.any()
        or not (np.diff(s)[new] <= 0).all()
        or (np.diff(s) < 0).sum() > new.sum() + (np.diff(e) < 0).sum()
    ):
        return step
    length = float(s.max()) + (1.0 if s.min() == 0 else 0.0)
    return np.where(both, (epoch - float(e.min())) * length + step, np.nan)


def _is_index(name: str, y: FloatArray, places: Sequence[tuple[Unit, FloatArray]]) -> bool:
    """Tell the column without a name that pandas writes in front, the numbers of the rows."""
    rows = np.arange(y.size)
    named = _INDEX.fullmatch(_plain(name).replace(":", "")) is not None
    return named and y.size > 0 and (bool(places) or np.array_equal(y - y[0], rows)) and y.size > 1


def _series(y: FloatArray, there: Array, places: Sequence[tuple[Unit, FloatArray]]) -> Series:
    for unit, x in places:
        known = np.isfinite(x)
        if (known | ~there).all() or unit == places[-1][0]:
            keep = there & known
            if keep.any():
                return Series(_whole(x[keep]), y[keep], unit)
    return Series(np.flatnonzero(there) + 1, y[there], "row")


def _whole(x: FloatArray) -> Array:
    """Return epochs and steps as whole numbers, where they are some."""
    whole = np.all(x == np.floor(x)) and np.all(np.abs(x) < 2**53)
    return x.astype(np.int64) if whole else x
