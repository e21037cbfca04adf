"""Several log files of one run -> one History, and what had to be decided for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from kashika.history import History, Series
from kashika.load.logs.logged import Logged
from kashika.naming import SPLITS, ends_in_split, names_only_split, series_name, standard_name
from kashika.texts import Sentence

EVENTS = "TensorBoard events"


def merge(
    logs: Mapping[Path, Logged], *, rename: Mapping[str, str]
) -> tuple[History | None, list[Sentence]]:
    """Put the series of all files under the names that kashika knows.

    Parameters
    ----------
    logs : {file: what it says}, in the order of the run
    rename : {name as written: "{split}_{metric}"}

    Returns
    -------
    What was logged, None if there is no series; and a note on every decision.
    """
    names = _names(logs, rename)
    logs, notes = _of_one_run(logs, names)
    notes += [note for logged in logs.values() for note in logged.notes]
    series: dict[str, Series] = {}
    source: dict[str, Path] = {}
    for path, logged in logs.items():
        for written, one in logged.series.items():
            name = names[path, written]
            if name not in series:
                series[name], source[name] = one, path
            elif _goes_on(series[name], one) or _are_events(source[name], path, logs):
                series[name] = _continued(series[name], one)
            else:
                sources = (source[name], path)
                notes.append(_twice(name, series[name], one, sources=sources))
                if one.y.size > series[name].y.size:
                    series[name], source[name] = one, path
    every = {name for logged in logs.values() for name in logged.series}
    if unused := [name for name in rename if name not in every]:
        notes.append(Sentence("notes.log.unrenamed", names=", ".join(unused)))
    series, ordered = _in_places(series)
    series, stretched = _with_units(series)
    series, shares = _with_percent(series)
    return (History(_in_order(series)) if series else None), [*notes, *ordered, *stretched, *shares]


def remarks(history: History) -> list[Sentence]:
    """Say what is unusual in the series: several runs, a late start, values that are missing."""
    runs: dict[str, list[str]] = {}
    notes: list[Sentence] = []
    for name, series in history.series.items():
        if len(series.starts) > 1:
            runs.setdefault(_stretches(series), []).append(name)
        notes += _remarks(name, series)
    said = [
        Sentence(
            "notes.log.segments",
            names=", ".join(names), count=len(history.series[names[0]].starts), stretches=stretches,
            judged=_span(history.series[names[0]].latest),
        )
        for stretches, names in runs.items()
    ]  # fmt: skip
    return said + notes


def _names(logs: Mapping[Path, Logged], rename: Mapping[str, str]) -> dict[tuple[Path, str], str]:
    """Return the name of every series.

    One that is called after its file, such as `snn_train_loss.txt`, is the loss, if it is the only
    one of that split in the run.
    """
    names = {}
    for path, logged in logs.items():
        counts: Counter[str] = Counter()
        for written in logged.series:
            name = series_name(written, context=_context(path, logged), rename=rename)
            counts[name] += 1  # a file may have both "acc" and "accuracy"
            names[path, written] = name if counts[name] == 1 else f"{name}_{counts[name]}"
    plain = {key: _plain_name(name) for key, name in names.items() if not key[1]}
    taken = Counter([*plain.values(), *(name for key, name in names.items() if key[1])])
    return {
        key: plain[key] if key in plain and taken[plain[key]] == 1 else name
        for key, name in names.items()
    }


def _of_one_run(
    logs: Mapping[Path, Logged], names: Mapping[tuple[Path, str], str]
) -> tuple[dict[Path, Logged], list[Sentence]]:
    """Leave out the files that contradict newer ones: they are of other runs."""
    kept: dict[Path, Logged] = {}
    taken: dict[str, tuple[Path, Series]] = {}
    notes = []
    for path in sorted(logs, key=_written, reverse=True):
        named = {names[path, written]: one for written, one in logs[path].series.items()}
        against = [
            (name, taken[name][0])
            for name, one in named.items()
            if name in taken and _contradict(taken[name][1], one)
            and not _are_events(taken[name][0], path, logs)
        ]  # fmt: skip
        if against:
            found = ", ".join(name for name, _ in against[:5])
            note = Sentence("notes.log.other_run", left=path, kept=against[0][1], names=found)
            notes.append(note)
            continue
        kept[path] = logs[path]
        taken = {**{name: (path, one) for name, one in named.items()}, **taken}
    return {path: kept[path] for path in logs if path in kept}, notes


def _are_events(first: Path, second: Path, logs: Mapping[Path, Logged]) -> bool:
    """Tell whether two files are event files of one directory: TensorBoard joins these."""
    events = logs[first].format == logs[second].format == EVENTS
    return events and first.parent == second.parent


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _contradict(first: Series, second: Series) -> bool:
    """Tell whether two series have other values at most of the places that both have."""
    if first.unit != second.unit or _goes_on(first, second) or _goes_on(second, first):
        return False
    one, other = first.latest.averaged, second.latest.averaged
    _, here, there = np.intersect1d(one.x, other.x, return_indices=True)
    same = np.isclose(one.y[here], other.y[there], rtol=1e-2, atol=1e-6, equal_nan=True)
    return bool(same.size and same.mean() < 0.5)


def _plain_name(name: str) -> str:
    """Return "train_loss" for "train_snn_loss"."""
    split, _, metric = name.partition("_")
    words = set(metric.split("_"))
    found = [word for word in ("loss", "acc") if word in words]
    found += ["acc"] if "accuracy" in words else []
    return f"{split}_{found[0]}" if len(found) == 1 else name


def _context(path: Path, logged: Logged) -> tuple[str, ...]:
    """Return what says of which split a series is, where its name does not: file, then folder.

    In a file that names a split beside others without one, these others are of the training.
    """
    if any(standard_name(written) for written in logged.series):
        return ()
    folder = path.parent.name
    # TensorBoard's add_scalars("Both", {"train": …}) writes into Both_train.
    within = names_only_split(folder) or (logged.format == EVENTS and ends_in_split(folder))
    return (path.stem, folder) if within else (path.stem,)


def _goes_on(first: Series, second: Series) -> bool:
    """Tell whether a second file resumes what the first one began."""
    if first.unit == "row" or first.unit != second.unit or not first.x.size or not second.x.size:
        return False
    return bool(second.x[0] > first.x[0]) and bool(second.x[-1] > first.x[-1])


def _continued(first: Series, second: Series) -> Series:
    x = np.concatenate([np.asarray(first.x), np.asarray(second.x)])
    return replace(first, x=x, y=np.concatenate([first.y, second.y]))


def _twice(name: str, first: Series, second: Series, *, sources: tuple[Path, Path]) -> Sentence:
    """Say which of two files a series was taken from: the one that has more of it."""
    same = first.y.shape == second.y.shape and np.allclose(
        first.y, second.y, rtol=1e-2, equal_nan=True
    )
    kept, left = sources if first.y.size >= second.y.size else sources[::-1]
    counts = sorted((first.y.size, second.y.size), reverse=True)
    if same:
        return Sentence("notes.log.same", name=name, kept=kept, left=left)
    return Sentence(
        "notes.log.twice", name=name, kept=kept, left=left, points=counts[0], fewer=counts[1]
    )


def _in_places(series: Mapping[str, Series]) -> tuple[dict[str, Series], list[Sentence]]:
    """Turn round what was written with the newest row first, and sort what goes to and fro."""
    found, turned, mixed = dict(series), [], []
    for name, one in series.items():
        strides = np.diff(one.x)
        if strides.size >= 2 and (strides < 0).all():
            found[name] = replace(one, x=one.x[::-1], y=one.y[::-1])
            turned.append(name)
        elif strides.size >= 20 and (strides < 0).mean() > 0.3:
            order = np.argsort(one.x, kind="stable")
            found[name] = replace(one, x=one.x[order], y=one.y[order])
            mixed.append(name)
    said = [("notes.log.turned", turned), ("notes.log.sorted", mixed)]
    return found, [Sentence(key, names=", ".join(names)) for key, names in said if names]


def _with_units(series: Mapping[str, Series]) -> tuple[dict[str, Series], list[Sentence]]:
    """Decide what the rows of files without epochs or steps are.

    One value a row is one an epoch. Where one series has at least twice as many as another of the
    same run, it was logged by step, and the two are drawn over the same span.
    """
    rows = {
        name: int(one.x[-1]) if one.x.size else 0
        for name, one in series.items()
        if one.unit == "row"
    }
    most = max(rows.values(), default=0)
    by_step = {name for name, size in rows.items() if size > 2 * min(rows.values())}
    units = {name: "step" if name in by_step else "epoch" for name in rows}
    found = {
        name: replace(one, unit=units[name]) if name in units else one  # type: ignore[arg-type]
        for name, one in series.items()
    }
    if not by_step:
        return found, []
    longer = ", ".join(f"{name} ({rows[name]})" for name in rows if name in by_step)
    shorter = ", ".join(f"{name} ({rows[name]})" for name in rows if name not in by_step)
    return found, [Sentence("notes.log.lengths", longer=longer, shorter=shorter, count=most)]


def _with_percent(series: Mapping[str, Series]) -> tuple[dict[str, Series], list[Sentence]]:
    """Mark the shares that were logged in percent."""
    found = {
        name: replace(one, percent=one.percent or _in_percent(name, one))
        for name, one in series.items()
    }
    names = [name for name, one in found.items() if one.percent]
    return found, [Sentence("notes.log.percent", names=", ".join(names))] if names else []


def _in_percent(name: str, series: Series) -> bool:
    y, metric = series.finite.y, name.partition("_")[2]
    # A loss that is made of a share, as DETR's `loss_giou`, is none.
    share = "loss" not in metric and any(word in metric for word in _SHARES)
    return share and y.size > 0 and bool(1.5 < y.max() <= 100) and bool(y.min() >= 0)


_SHARES = ("acc", "precision", "recall", "f1", "auc", "iou", "dice", "map", "top1", "top5")


def _remarks(name: str, series: Series) -> list[Sentence]:
    run, notes = series.latest, []
    if not np.isfinite(series.y).any() and series.y.size:
        notes.append(Sentence("notes.log.no_finite", name=name, count=series.y.size))
    repeats = series.y.size / max(1, np.unique(run.x).size)
    if run.averaged is not run:
        notes.append(Sentence("notes.log.repeated", name=name, count=repeats))
    strides = np.diff(run.averaged.x)
    if strides.size >= 3 and run.x[0] > 3 * max(1, np.median(strides)):
        first = Sentence(f"words.at_{series.unit}", x=_plain(run.x[0]))
        notes.append(Sentence("notes.log.starts_late", name=name, first=first))
    if series.afterwards.y.size:
        place = Sentence(f"words.at_{series.unit}", x=_plain(series.afterwards.x[0]))
        value, last = float(series.afterwards.y[0]), float(series.during.y[-1])
        notes.append(
            Sentence("notes.log.afterwards", name=name, place=place, value=value, last=last)
        )
    return notes


def _stretches(series: Series) -> str:
    """Return "1-504 (504 values), 1-11 (11 values)"; of many, the first and the last ones."""
    said = [f"{_span(one)}: {one.y.size}" for one in series.segments]
    return ", ".join(said if len(said) <= 12 else [*said[:5], "…", *said[-5:]])


def _span(series: Series) -> str:
    return f"{_plain(series.x[0])}–{_plain(series.x[-1])}"


def _plain(x: float) -> int | float:
    return int(x) if x == int(x) else float(x)


def _in_order(series: Mapping[str, Series]) -> dict[str, Series]:
    """Sort by metric, then by split; the loss and the accuracy come first."""
    metrics = dict.fromkeys(name.partition("_")[2] for name in sorted(series))
    ranked = sorted(metrics, key=lambda metric: (metric not in ("loss", "acc"), metric == "acc"))
    place = [f"{split}_{metric}" for metric in ranked for split in SPLITS]
    return {name: series[name] for name in place if name in series}
