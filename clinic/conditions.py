"""The table of all conditions: a training with its fault, its seed, and the half it belongs to.

Both halves hold the same kinds and strengths. Rules are tuned on the one; the other has other data,
other seeds and wider networks, and nothing may be tuned on it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from clinic.faults import FAULTS, base, logged, strength_names
from clinic.healthy import ONLY_LOGS, PLAIN, built, kinds, on, trained_by
from clinic.recipe import Recipe
from clinic.siblings import SIBLINGS

Half = Literal["tune", "publish"]

SEEDS = 3
"""The plain recipes are trained from so many seeds, and faults are put into each of them."""
FIRST: dict[Half, int] = {"tune": 0, "publish": 10}
"""The first of these seeds."""
WIDER = 1.25
"""So many times as wide are the networks of the half "publish"."""


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
    """Return the whole table."""
    return (*_healthy("tune"), *_faulty("tune"), *_healthy("publish"), *_faulty("publish"))


def _healthy(half: Half) -> Iterator[Condition]:
    first = FIRST[half]
    for name, recipe in PLAIN.items():
        for seed in range(first, first + SEEDS):
            yield _well("plain", name, recipe, seed, half)
    for kind, recipes in kinds().items():
        for name, recipe in recipes.items():
            for seed in range(first, first + 2):
                yield _well(kind, name, recipe, seed, half)
    for name in ONLY_LOGS:
        yield _well("only_logs", name, _logs_of(PLAIN[name]), first + SEEDS, half)


def _well(kind: str, name: str, recipe: Recipe, seed: int, half: Half) -> Condition:
    name, recipe = _in(half, kind, name, recipe)
    return Condition(f"healthy-{kind}-{name}-{seed}", kind, "", (), recipe, seed, half)


def _faulty(half: Half) -> Iterator[Condition]:
    for fault in FAULTS:
        for level, (strength, value) in enumerate(
            zip(strength_names(fault), fault.strengths, strict=True)
        ):
            for place, plain in enumerate(fault.bases):
                # The fault comes last: it may set what is otherwise in the other half.
                name, recipe = _in(half, "plain", plain, base(plain))
                made = Condition(
                    f"{fault.name}-{strength}-{name}", fault.name, strength, fault.causes,
                    fault.into(recipe, value), _seed(half, place + level), half,
                    base=name, certain=fault.certain,
                )  # fmt: skip
                yield replace(made, name=f"{made.name}-{made.seed}")
                if fault.in_logs and (place + level) % 2:
                    yield _logs_alone(made, seed=_seed(half, place + level + 1))


def _seed(half: Half, turn: int) -> int:
    return FIRST[half] + turn % SEEDS


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


def _in(half: Half, kind: str, name: str, recipe: Recipe) -> tuple[str, Recipe]:
    """Return what a recipe is called in a half, and what it is there."""
    if half == "tune":
        return name, recipe
    sibling = SIBLINGS[recipe.data.name]
    there = on(built(recipe, wider(recipe.network)), name=sibling)
    return f"{name}-on-{sibling}", trained_by(there, **CALMER.get((kind, name), {}))


CALMER: dict[tuple[str, str], dict[str, Any]] = {
    ("plain", "digits_bn"): {"schedule": "cosine"},
    ("imbalanced_handled", "weighted"): {"weight_decay": 1e-2},
    ("imbalanced_handled", "sgd"): {"weight_decay": 3e-3},
}
"""{(kind, name): what is trained otherwise on the sibling}, so that its valid loss does not rise.

Without it, the independent audit (`clinic.audit`) calls these not healthy.
"""


def wider(network: str) -> str:
    """Make the hidden layers of a network wider.

    Raises
    ------
    ValueError
        If it is no call of a class.
    """
    call = ast.parse(network, mode="eval").body
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise ValueError(f"expected NAME(arguments), found {network!r}")
    place = _WIDTHS.get(call.func.id, 1)
    named = {one.arg: one.value for one in call.keywords}
    if isinstance(place, str) and place not in named:
        call.keywords.append(ast.keyword(place, ast.Constant(_USUAL)))
        named[place] = call.keywords[-1].value
    for one in ast.walk(named[place] if isinstance(place, str) else call.args[place]):
        if isinstance(one, ast.Constant) and isinstance(one.value, int):
            one.value = round(WIDER * one.value)
    return ast.unparse(call)


_WIDTHS: dict[str, int | str] = {
    "CNN": "channels", "ResNet": "channels", "Transformer": "width", "Decoder": "width"
}  # fmt: skip
"""Where a network says how wide it is; elsewhere it is the second argument."""
_USUAL = 16
"""The width of a transformer that says none."""
