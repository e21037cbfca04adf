"""The table of all conditions: a training with its fault, its seed, and the half it belongs to.

Every set of data holds the same kinds and strengths. Rules are tuned on the one half; the other has
other data, other seeds and narrower networks, and nothing may be tuned on it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from clinic.cousins import COUSINS
from clinic.faults import FAULTS, base, logged, strength_names
from clinic.healthy import ONLY_LOGS, PLAIN, built, kinds, on, trained_by
from clinic.recipe import Recipe
from clinic.siblings import SIBLINGS

Half = Literal["tune", "publish"]

SEEDS = 3
"""The plain recipes are trained from so many seeds, and faults are put into each of them."""
NARROWEST = 4
"""Hidden layers are not made narrower than this."""


@dataclass(frozen=True, slots=True)
class Group:
    """Trainings of every kind and strength, on data, from seeds and with widths of their own.

    Attributes
    ----------
    half : the half that they belong to
    data : {data set of `clinic.data`: what stands for it}; none does if empty
    first : the first of the seeds
    width : so many times as wide are the hidden layers
    """

    half: Half
    data: Mapping[str, str]
    first: int
    width: float


GROUPS = (
    Group("tune", {}, 0, 1.0),
    Group("tune", SIBLINGS, 10, 1.25),
    Group("publish", COUSINS, 20, 0.8),
)
"""The siblings were published once; what has been looked at can only be tuned on."""


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
    return tuple(one for group in GROUPS for some in (_healthy, _faulty) for one in some(group))


def _healthy(group: Group) -> Iterator[Condition]:
    for name, recipe in PLAIN.items():
        for seed in range(group.first, group.first + SEEDS):
            yield _well("plain", name, recipe, seed, group)
    for kind, recipes in kinds().items():
        for name, recipe in recipes.items():
            for seed in range(group.first, group.first + 2):
                yield _well(kind, name, recipe, seed, group)
    for name in ONLY_LOGS:
        yield _well("only_logs", name, _logs_of(PLAIN[name]), group.first + SEEDS, group)


def _well(kind: str, name: str, recipe: Recipe, seed: int, group: Group) -> Condition:
    name, recipe = _in(group, kind, name, recipe)
    return Condition(f"healthy-{kind}-{name}-{seed}", kind, "", (), recipe, seed, group.half)


def _faulty(group: Group) -> Iterator[Condition]:
    for fault in FAULTS:
        for level, (strength, value) in enumerate(
            zip(strength_names(fault), fault.strengths, strict=True)
        ):
            for place, plain in enumerate(fault.bases):
                # The fault comes last: it may set what is otherwise in this group.
                name, recipe = _in(group, "plain", plain, base(plain))
                made = Condition(
                    f"{fault.name}-{strength}-{name}", fault.name, strength, fault.causes,
                    fault.into(recipe, value), _seed(group, place + level), group.half,
                    base=name, certain=fault.certain,
                )  # fmt: skip
                yield replace(made, name=f"{made.name}-{made.seed}")
                if fault.in_logs and (place + level) % 2:
                    yield _logs_alone(made, seed=_seed(group, place + level + 1))


def _seed(group: Group, turn: int) -> int:
    return group.first + turn % SEEDS


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


def _in(group: Group, kind: str, name: str, recipe: Recipe) -> tuple[str, Recipe]:
    """Return what a recipe is called in a group, and what it is there."""
    if not group.data:
        return name, recipe
    other = group.data[recipe.data.name]
    named = f"{name}-on-{other}"
    there = on(built(recipe, resized(recipe.network, by=group.width)), name=other)
    return named, trained_by(there, **CALMER.get((kind, named), {}))


CALMER: dict[tuple[str, str], dict[str, Any]] = {
    ("plain", "digits_bn-on-glyphs"): {"schedule": "cosine"},
    ("plain", "spirals_deep-on-stripes"): {"schedule": "cosine"},
    ("plain", "moons_bn-on-magnets"): {"epochs": 60},
    ("imbalanced_handled", "weighted-on-alarms"): {"weight_decay": 1e-2},
    ("imbalanced_handled", "sgd-on-alarms"): {"weight_decay": 3e-3},
    ("imbalanced_handled", "weighted-on-leaks"): {"schedule": "cosine"},
    ("deep", "circles-on-frames"): {"lr": 1e-3, "schedule": "cosine"},
}
"""{(kind, name): what is trained otherwise there}, so that its loss neither rises nor still falls.

Without it, the independent audit (`clinic.audit`) calls these not healthy.
"""


def resized(network: str, *, by: float) -> str:
    """Make the hidden layers of a network so many times as wide.

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
    heads = _HEADS if place == "width" else 1
    for one in ast.walk(named[place] if isinstance(place, str) else call.args[place]):
        if isinstance(one, ast.Constant) and isinstance(one.value, int):
            one.value = max(NARROWEST, heads * round(by * one.value / heads))
    return ast.unparse(call)


_WIDTHS: dict[str, int | str] = {
    "CNN": "channels", "ResNet": "channels", "Transformer": "width", "Decoder": "width"
}  # fmt: skip
"""Where a network says how wide it is; elsewhere it is the second argument."""
_USUAL = 16
"""The width of a transformer that says none."""
_HEADS = 2
"""The heads of a transformer, which share its width evenly; no recipe asks for others."""
