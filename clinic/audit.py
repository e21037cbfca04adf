"""Whether what is called healthy is healthy, and whether every fault has an effect."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from clinic.caching import directory, is_made
from clinic.conditions import Condition
from clinic.health import Health

CLOSE = 0.03
"""So much of the loss at chance is of no consequence."""
RISE = 1.1
"""The smoothed valid loss of a healthy training ends at most so many times above its least."""
SLACK = 0.02
"""So much accuracy, or R², below the simple model is of no consequence, beside its error."""
WORSE = 1.25
"""A fault has an effect if the loss is so many times that of the training without it."""


def complaints(health: Health) -> list[str]:
    """Return why a training is not healthy: by a simple model on its data, and by its valid loss.

    It reaches what the best of some simple models does, within twice the error; its valid loss
    neither rises again nor still falls.
    """
    said = []
    if not health.score >= health.baseline - 2 * health.error - SLACK:
        said.append(f"score {health.score:.3f}, a simple model's {health.baseline:.3f}")
    if not health.end <= RISE * health.least + 0.01 * health.chance:
        said.append(f"valid loss ends at {health.end:.3g}, its least was {health.least:.3g}")
    for split, before, end in (
        ("valid", health.before, health.end),
        ("train", health.train_before, health.train_end),
    ):
        if before - end > CLOSE * health.chance:
            said.append(f"{split} loss still falls, from {before:.3g} to {end:.3g}")
    return said


def effects(health: Health, *, twin: Health | None) -> list[str]:
    """Return what is worse than in the training without the fault."""
    said = []
    if not all(map(math.isfinite, (health.end, health.train_end, health.score))):
        said.append("not finite")
    if (
        health.end > (1 + RISE) / 2 * health.least
        and health.end - health.least > CLOSE * health.chance
    ):
        said.append(f"valid loss ends at {health.end:.3g}, its least was {health.least:.3g}")
    if twin is None:
        return said
    if health.score < twin.score - 2 * twin.error - 0.01:
        said.append(f"score {health.score:.3f}, without the fault {twin.score:.3f}")
    for split, with_it, without in (
        ("valid", health.end, twin.end),
        ("train", health.train_end, twin.train_end),
    ):
        if with_it > WORSE * without and with_it - without > CLOSE * twin.chance:
            said.append(f"{split} loss {with_it:.3g}, without the fault {without:.3g}")
    return said


def without_effect(conditions: Sequence[Condition], *, at: Path) -> list[Condition]:
    """Return the conditions whose fault leaves nothing that could be noticed.

    A fault that is there by its construction counts in any case, and so does one whose training
    without it was not made.
    """
    made = {one.name: one for one in conditions if is_made(one, at=at)}
    found = []
    for one in made.values():
        if not one.healthy and not one.certain:
            twin = made.get(f"healthy-plain-{one.base}-{one.seed}")
            known = _health(twin, at=at) if twin else None
            if not effects(_health(one, at=at), twin=known):
                found.append(one)
    return found


def lines(conditions: Sequence[Condition], *, at: Path) -> Iterator[str]:
    """Give one line for each condition that is not what it is called."""
    for one in conditions:
        if one.healthy and is_made(one, at=at) and (said := complaints(_health(one, at=at))):
            yield f"{one.name} is not healthy: {'; '.join(said)}"
    for one in without_effect(conditions, at=at):
        yield f"{one.name} has no effect"


def _health(condition: Condition, *, at: Path) -> Health:
    said = json.loads((directory(condition, at=at) / ".clinic.json").read_text(encoding="utf-8"))
    return Health(**said["health"])
