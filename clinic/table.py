"""Judgements -> the table in the docs: how often kashika is right, by fault and by rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import median

from clinic.conditions import Condition
from clinic.judging import Judgement, share

HEALTHY, FOUND, MEDIUM, TOO_MANY = 0.01, 0.95, 0.90, 1
"""False alarms at most; faults found at least, of each rule at medium strength; alarms too many."""


def markdown(
    judged: Sequence[Judgement], *, idle: Sequence[Condition], asked: int, half: str | None
) -> str:
    """Return the whole table.

    Parameters
    ----------
    idle : conditions whose fault had no effect, so that there is nothing to find
    asked : number of conditions, checked or not
    half : which half of the conditions this is, both if None
    """
    counted = [one for one in judged if one.condition not in idle]
    healthy = [one for one in counted if one.condition.healthy]
    faulty = [one for one in counted if not one.condition.healthy]
    parts = [
        _head(counted, asked=asked - len(judged) + len(counted), half=half),
        *_left_out(judged, idle=idle),
        _table("## The bars", ("to reach", "measured", ""), _bars(healthy, faulty)),
        _table(
            "## By fault",
            ("fault", "disease", "found", "named itself", "slight", "medium", "gross", "too many"),
            _by_fault(faulty),
        ),
        _table(
            "## By rule",
            ("rule", "spoke on its own faults", "it, or what comes with it", "at medium strength",
             "alarms on healthy runs", "alarms on other faults"),
            _by_rule(healthy, faulty),
        ),
        _table("## Healthy", ("kind", "false alarms", "rules"), _by_kind(healthy)),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def names(judged: Sequence[Judgement]) -> str:
    """Return one line for each run that was judged wrongly, or could not be read."""
    lines = []
    for one in judged:
        what = [
            "missed" * (not one.condition.healthy and not one.found),
            ("false alarm" if one.condition.healthy else "too many") * bool(one.too_many),
            "error" * bool(one.error),
        ]
        if said := ", ".join(filter(None, what)):
            extra = f" [{' '.join(sorted(one.too_many))}]" if one.too_many else ""
            lines.append(f"{one.condition.name}: {said}{extra} {one.error}".rstrip())
    return "\n".join(lines)


def _head(judged: Sequence[Judgement], *, asked: int, half: str | None) -> str:
    part = "both halves" if half is None else f'the half "{half}"'
    healthy = sum(one.condition.healthy for one in judged)
    kinds = len({one.condition.kind for one in judged if not one.condition.healthy})
    errors = [one for one in judged if one.error]
    lines = [
        "# The clinic",
        (
            f"{len(judged)} trainings, {healthy} healthy and {len(judged) - healthy} with one of "
            f"{kinds} kinds of fault, of {part}. Intervals are Wilson's, at 95 %. A fault is found "
            "if its disease, or one that it truly causes, is a warning or a problem; what it "
            "causes was listed beforehand, in `clinic/faults.py`."
        ),
    ]
    missed = Counter(
        one.condition.strength for one in judged if not one.condition.healthy and not one.found
    )
    if missed:
        counts = ", ".join(f"{missed[one]} {one}" for one in ("slight", "medium", "gross"))
        lines.append(f"Of the faults that were missed, by their strength: {counts}.")
    if len(judged) < asked:
        lines.append(f"Not checked: {asked - len(judged)}; run `python -m clinic run`.")
    if absent := _absent(judged):
        lines.append(f"Not in kashika, and so missed: {', '.join(f'`{one}`' for one in absent)}.")
    if errors:
        lines.append(f"Runs of which a part could not be read: {len(errors)}.")
    if judged:
        lines.append(f"A check took {median(one.seconds for one in judged):.2f} s in the median.")
    return "\n\n".join(lines)


def _left_out(judged: Sequence[Judgement], *, idle: Sequence[Condition]) -> Iterator[str]:
    """Say what does not count, and what the share of found faults would be with it."""
    if idle:
        all_of_them = share([one.found for one in judged if not one.condition.healthy])
        yield (
            f"{len(idle)} more trainings have a fault that had no effect: neither the score nor a "
            "loss is worse than in the same training without it, beyond noise (`python -m clinic "
            "audit`, which knows nothing of kashika). They count neither as healthy nor as faulty. "
            f"With them, {all_of_them} of the faults would be found. They are: "
            f"{', '.join(one.name for one in idle)}."
        )


def _absent(judged: Sequence[Judgement]) -> list[str]:
    """Return the diseases for which kashika has no rule."""
    rules = {rule for one in judged for rule in one.levels}
    return sorted({one.condition.causes[0] for one in judged if one.condition.causes} - rules)


def _bars(healthy: Sequence[Judgement], faulty: Sequence[Judgement]) -> Iterator[Sequence[str]]:
    alarmed = share([bool(one.too_many) for one in healthy])
    found = share([one.found for one in faulty])
    logs = [one for one in faulty if one.condition.recipe.left.only_logs]
    seen = share([one.found for one in logs])
    alone = [one for one in (*healthy, *faulty) if one.condition.recipe.left.only_logs]
    sure = share([_only_curves_are_sure(one) for one in alone])
    extra = [len(one.too_many) for one in faulty]
    worst, weakest = _weakest(faulty, lambda one: one.found)
    strict, itself = _weakest(faulty, lambda one: one.named)
    yield "healthy runs with an alarm: at most 1 %", str(alarmed), _met(alarmed.value <= HEALTHY)
    yield "faults found: at least 95 %", str(found), _met(found.value >= FOUND)
    yield (
        "every rule's faults at medium strength found: at least 90 %",
        f"{100 * worst:.0f} %: {weakest}", _met(worst >= MEDIUM),
    )  # fmt: skip
    yield (
        "the same, by the rule itself",
        f"{100 * strict:.0f} %: {itself}", _met(strict >= MEDIUM),
    )  # fmt: skip
    yield (
        "alarms too many on a faulty run: at most 1 in the median",
        f"{median(extra) if extra else 0:g}, {sum(extra) / max(1, len(extra)):.2f} in the mean",
        _met(bool(extra) and median(extra) <= TOO_MANY),
    )
    yield "from logs alone: at least 95 % found", str(seen), _met(seen.value >= FOUND)
    yield "from logs alone: all but curves is unknown", str(sure), _met(sure.value == 1)


def _only_curves_are_sure(one: Judgement) -> bool:
    return all(
        level == "unknown" for rule, level in one.levels.items() if not rule.startswith("curves.")
    )


def _met(reached: bool) -> str:  # noqa: FBT001 - a word for it
    return "reached" if reached else "not reached"


def _weakest(faulty: Sequence[Judgement], hit: Callable[[Judgement], bool]) -> tuple[float, str]:
    """Return the least share over the rules at medium strength, and the rules that have it."""
    shares = {
        rule: share([hit(one) for one in own if one.condition.strength == "medium"]).value
        for rule, own in _grouped(faulty, lambda one: one.condition.causes[0])
    }
    known = {rule: value for rule, value in shares.items() if value == value}
    least = min(known.values(), default=0.0)
    below = [rule for rule, value in sorted(known.items()) if value < MEDIUM]
    return least, ", ".join(f"`{rule}`" for rule in below) or "all rules"


def _by_fault(faulty: Sequence[Judgement]) -> Iterator[Sequence[str]]:
    for kind, runs in _grouped(faulty, lambda one: one.condition.kind):
        strengths = [
            share([one.found for one in runs if one.condition.strength == strength])
            for strength in ("slight", "medium", "gross")
        ]
        yield (
            kind,
            f"`{runs[0].condition.causes[0]}`",
            str(share([one.found for one in runs])),
            str(share([one.named for one in runs])),
            *(f"{one.hits}/{one.of}" if one.of else "–" for one in strengths),
            f"{median(len(one.too_many) for one in runs):g}",
        )


def _by_rule(healthy: Sequence[Judgement], faulty: Sequence[Judgement]) -> Iterator[Sequence[str]]:
    rules = {rule for one in (*healthy, *faulty) for rule in one.alarms}
    for rule in sorted(rules | {one.condition.causes[0] for one in faulty}):
        own = [one for one in faulty if one.condition.causes[0] == rule]
        medium = [one for one in own if one.condition.strength == "medium"]
        others = [one for one in faulty if rule not in one.condition.causes]
        yield (
            f"`{rule}`",
            str(share([rule in one.alarms for one in own])),
            str(share([one.found for one in own])),
            str(share([one.found for one in medium])),
            str(share([rule in one.alarms for one in healthy])),
            str(share([rule in one.alarms for one in others])),
        )


def _by_kind(healthy: Sequence[Judgement]) -> Iterator[Sequence[str]]:
    for kind, runs in _grouped(healthy, lambda one: one.condition.kind):
        rules = sorted({rule for one in runs for rule in one.alarms})
        alarmed = share([bool(one.alarms) for one in runs])
        yield kind, str(alarmed), ", ".join(f"`{rule}`" for rule in rules) or "–"


def _grouped(
    judged: Iterable[Judgement], key: Callable[[Judgement], str]
) -> list[tuple[str, list[Judgement]]]:
    groups: dict[str, list[Judgement]] = {}
    for one in judged:
        groups.setdefault(key(one), []).append(one)
    return list(groups.items())


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    return title + "\n\n" + "\n".join(lines)
