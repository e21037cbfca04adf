"""The table of all conditions: a training with its fault, its seed, and the half it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from clinic.faults import FAULTS, base, logged, strength_names
from clinic.healthy import ONLY_LOGS, PLAIN, kinds
from clinic.recipe import Recipe

Half = Literal["tune", "publish"]

SEEDS = 3
"""The plain recipes are trained from so many seeds, and faults are put into each of them."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One training of the clinic.

    Attributes
    ----------
    name : unique, and the same in every version of the table
    kind : kind of the fault, or of what is healthy
    strength : "slight", "medium" or "gross"; "" of what is healthy
    causes : ids of rules that are right to speak, the disease first; () of what is healthy
    half : rules are tuned on one half, and their errors published on the other
    base : name of the recipe that a fault was put into
    certain : whether the fault is there by its construction, whatever the training reached
    """

    name: str
    kind: str
    strength: str
    causes: tuple[str, ...]
    recipe: Recipe
    seed: int
    half: Half
    base: str = ""
    certain: bool = False

    @property
    def healthy(self) -> bool:
        """Whether every warning is a false alarm."""
        return not self.causes


def conditions() -> tuple[Condition, ...]:
    """Return the whole table.

    The halves alternate within each kind and strength, so that both hold all of them, on different
    data.
    """
    return (*_alternating(_healthy()), *_alternating(_faulty()))


def _alternating(found: Iterator[Condition]) -> Iterator[Condition]:
    seen: dict[tuple[str, str, bool], int] = {}
    for one in found:
        group = (one.kind, one.strength, one.recipe.left.only_logs)
        count = seen.get(group, _offset(one.strength))
        seen[group] = count + 1
        yield replace(one, half="publish" if count % 2 else "tune")


def _offset(strength: str) -> int:
    """Let slight and gross faults on the same data fall into different halves."""
    return int(strength == "medium")


def _healthy() -> Iterator[Condition]:
    for name, recipe in PLAIN.items():
        for seed in range(SEEDS):
            yield _well("plain", name, recipe, seed)
    for kind, recipes in kinds().items():
        for name, recipe in recipes.items():
            for seed in range(2):
                yield _well(kind, name, recipe, seed)
    for name in ONLY_LOGS:
        recipe = PLAIN[name]
        yield _well("only_logs", name, _logs_of(recipe), SEEDS)


def _well(kind: str, name: str, recipe: Recipe, seed: int) -> Condition:
    return Condition(f"healthy-{kind}-{name}-{seed}", kind, "", (), recipe, seed, "tune")


def _faulty() -> Iterator[Condition]:
    for fault in FAULTS:
        for level, (strength, value) in enumerate(
            zip(strength_names(fault), fault.strengths, strict=True)
        ):
            for place, name in enumerate(fault.bases):
                made = Condition(
                    f"{fault.name}-{strength}-{name}", fault.name, strength, fault.causes,
                    fault.into(base(name), value), (place + level) % SEEDS, "tune",
                    base=name, certain=fault.certain,
                )  # fmt: skip
                yield replace(made, name=f"{made.name}-{made.seed}")
                if fault.in_logs and (place + level) % 2:
                    yield _logs_alone(made, seed=(made.seed + 1) % SEEDS)


def _logs_alone(made: Condition, *, seed: int) -> Condition:
    """Return another training with the same fault, of which only the logs are left."""
    return replace(
        made,
        name=f"{made.name}-{seed}-logs",
        causes=logged(made.causes),
        recipe=_logs_of(made.recipe),
        seed=seed,
    )


def _logs_of(recipe: Recipe) -> Recipe:
    return replace(recipe, left=replace(recipe.left, only_logs=True))
