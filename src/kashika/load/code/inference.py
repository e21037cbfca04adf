"""The integer arguments of a constructor, read off the shapes of a checkpoint."""

from __future__ import annotations

import contextlib
import inspect
import io
import itertools
import math
import random
import re
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from kashika.errors import LoadError, one_line
from kashika.load.code.shapes import UNCOUNTED, Shapes, left_over, places_of, readings

Arguments = dict[str, int]
Attempt = Callable[[Arguments], Shapes | None]

_SECONDS = 4.0
_BUILDS = 3_000
_CANDIDATES = 64
_LAYERS = 32
_CPU_SIDE = 4_096
_INTEGER = re.compile(r"(int|Optional\[int\]|typing\.Optional\[int\]|int \| None)")


def infer_arguments(
    builder: Callable[..., Any], shapes: Shapes, *, model: str
) -> tuple[Any, Arguments]:
    """Build a network whose state_dict has the names and shapes of a checkpoint.

    Defaults are kept where they fit. Else integers of the shapes and numbers of layers are tried
    on PyTorch's meta device, which needs no memory: each argument alone, which tells the sides
    that depend on it, then together what is left.

    Parameters
    ----------
    builder : class or function that returns the network
    shapes : {name: shape} as in the file, prefixes of wrappers included
    model : what the user calls the builder, for messages

    Returns
    -------
    What the builder returns, and {argument: value} for those that are not its defaults.

    Raises
    ------
    LoadError
        If an argument is needed that is no integer, or if none or several choices fit.
    """
    needed, defaults = _arguments(builder, model)
    wanted = {name: shape for name, shape in shapes.items() if not name.endswith(UNCOUNTED)}
    errors: list[str] = []
    attempt = _attempts(builder, wanted, errors)
    try:
        fits: list[Arguments] = [{}] if not needed and left_over(attempt({}), wanted) == 0 else []
        if needed:
            fits = _search(attempt, needed, {}, wanted)
        if defaults and (not fits or left_over(attempt(fits[0]), wanted)):
            fits = _search(attempt, [*needed, *defaults], defaults, wanted) or fits
        if not fits:
            return _nothing_fits(builder, attempt, needed, wanted, errors, model=model)
        found = _only_one(attempt, fits, defaults, wanted, model=model)
    except TimeoutError:
        names = ", ".join([*needed, *defaults])
        raise LoadError("errors.code.too_many", model=model, names=names) from None
    given = {name: found[name] for name in [*needed, *defaults] if name in found}
    return builder(**given), given


def _arguments(builder: Callable[..., Any], model: str) -> tuple[list[str], Arguments]:
    """Return the arguments that have to be found, and the integers among the defaults."""
    try:
        parameters = inspect.signature(builder).parameters.values()
    except (TypeError, ValueError):  # of a builtin
        return [], {}
    needed, defaults = [], {}
    for one in parameters:
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            continue
        if type(one.default) is int:
            defaults[one.name] = one.default
        elif one.default is one.empty:
            kind = inspect.formatannotation(one.annotation).strip("'\"")
            if one.annotation is not one.empty and not _INTEGER.fullmatch(kind):
                raise LoadError("errors.code.argument", model=model, name=one.name, kind=kind)
            needed.append(one.name)
    return needed, defaults


# --- building ------------------------------------------------------------------------------------


def _attempts(builder: Callable[..., Any], wanted: Shapes, errors: list[str]) -> Attempt:
    """Return a function that gives the shapes for some arguments; None where it cannot be built.

    Raises
    ------
    TimeoutError
        From that function, if it has been asked too often or for too long.
    """
    known: dict[tuple[tuple[str, int], ...], Shapes | None] = {}
    end = time.monotonic() + _SECONDS
    devices = ["meta"]
    if max((side for shape in wanted.values() for side in shape), default=0) <= _CPU_SIDE:
        devices.append("cpu")  # for what computes with its weights while it is built

    def attempt(arguments: Arguments) -> Shapes | None:
        key = tuple(sorted(arguments.items()))
        if key in known:
            return known[key]
        if len(known) >= _BUILDS or time.monotonic() > end:
            raise TimeoutError
        known[key] = None
        for device in list(devices):
            try:
                with _silent(), torch.device(device):
                    state = builder(**arguments).state_dict()
                known[key] = {name: tuple(one.shape) for name, one in state.items()}
                devices[:] = [device]
                break
            except Exception as error:  # noqa: BLE001  the user's code, with values it may refuse
                errors.append(one_line(error.__cause__ or error))
        return known[key]

    return attempt


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep from the user what his code says about values that are only tried."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(action="ignore"),
    ):
        yield


# --- searching -----------------------------------------------------------------------------------


def _search(
    attempt: Attempt, names: Sequence[str], defaults: Arguments, wanted: Shapes
) -> list[Arguments]:
    """Return the assignments that leave least of the file unexplained."""
    values = _candidates(wanted)
    base = _first_that_builds(attempt, names, defaults, values)
    if base is None:
        return []
    choices = _choices(attempt, base, values, wanted)
    best: list[Arguments] = []
    least = math.inf
    for choice in itertools.product(*choices.values()):
        found = dict(zip(choices, choice, strict=True))
        left = left_over(attempt(found), wanted)
        if left is not None and left <= least:
            best = [found] if left < least else [*best, found]
            least = left
    return best


def _candidates(wanted: Shapes) -> list[int]:
    """Return the integers to try: sides of tensors, parts of them, and numbers of layers."""
    sides = {side for shape in wanted.values() for side in shape}
    last = max((int(one) for name in wanted for one in re.findall(r"\b\d{1,4}\b", name)), default=0)
    counts = range(1, min(last + 1, _LAYERS) + 1)
    parts = {side // part for side in sides for part in (2, 3, 4) if side % part == 0}
    squares = {root for side in sides if (root := math.isqrt(side)) ** 2 == side}
    found = dict.fromkeys([1, 2, 3, *sorted(sides), *counts, *sorted(squares | parts)])
    return sorted([one for one in found if one > 0][:_CANDIDATES])


def _first_that_builds(
    attempt: Attempt, names: Sequence[str], defaults: Arguments, values: Sequence[int]
) -> Arguments | None:
    """Return some arguments that the constructor takes; it may refuse some together."""
    chance = random.Random(0)
    equal = [defaults | dict.fromkeys(set(names) - defaults.keys(), one) for one in values]
    mixed = [{name: chance.choice(values) for name in names} for _ in range(100)]
    return next((one for one in [*equal, *mixed] if attempt(one) is not None), None)


def _choices(
    attempt: Attempt, base: Arguments, values: Sequence[int], wanted: Shapes
) -> dict[str, list[int]]:
    """Return the values of each argument that agree with the dimensions it alone decides."""
    built = attempt(base)
    assert built is not None
    seen = {name: _varied(attempt, base, name, values, len(wanted)) for name in base}
    moved = {
        name: {
            place
            for one in shapes.values()
            for place in places_of(one).items() ^ places_of(built).items()
        }
        for name, shapes in seen.items()
    }
    places = {name: {place for place, _ in changed} for name, changed in moved.items()}
    choices: dict[str, list[int]] = {}
    for name, shapes in seen.items():
        others = set().union(*(places[other] for other in base if other != name))
        # Of a layer that the base lacks, the sides depend on what the others are in the base.
        own = {p for p in places[name] - others if p in places_of(built) or p[1] == -1}
        if not places[name]:  # nothing in the file depends on it, as it seems
            choices[name] = [base[name]]
            continue
        files = [places_of(file) for file in readings(built, wanted)]
        choices[name] = [
            value
            for value, one in shapes.items()
            if any(all(places_of(one).get(p) == file.get(p) for p in own) for file in files)
        ]
    return choices


def _varied(
    attempt: Attempt, base: Arguments, name: str, values: Sequence[int], tensors: int
) -> dict[int, Shapes]:
    """Build with each value of one argument; no more layers than the file has tensors."""
    found: dict[int, Shapes] = {}
    for value in sorted({*values, base[name]}):
        lengths = {len(one) for one in found.values()}
        if len(lengths) > 1 and value > tensors:
            break
        if (one := attempt(base | {name: value})) is not None:
            found[value] = one
    return found


# --- choosing ------------------------------------------------------------------------------------


def _only_one(
    attempt: Attempt,
    fits: Sequence[Arguments],
    defaults: Arguments,
    wanted: Shapes,
    *,
    model: str,
) -> Arguments:
    """Return the one assignment that fits, nearest to the defaults, or raise."""

    def replaced(one: Arguments) -> int:
        return sum(value != defaults.get(name) for name, value in one.items())

    found = min(fits, key=replaced).copy()
    left = left_over(attempt(found), wanted)
    for name in found.keys() & defaults.keys():
        if left_over(attempt(found | {name: defaults[name]}), wanted) == left:
            found[name] = defaults[name]
    given = {name: value for name, value in found.items() if value != defaults.get(name)}
    choices = {name: {value} for name, value in found.items()}
    for name, value in given.items():
        for other in {*_candidates(wanted), value - 1, value + 1} - {0}:
            if left_over(attempt(found | {name: other}), wanted) == left:
                choices[name].add(other)
    for one in fits:
        if replaced(one) <= len(given):
            for name, value in one.items():
                choices[name].add(value)
    if several := {name: sorted(one) for name, one in choices.items() if len(one) > 1}:
        said = "; ".join(f"{name} = {_listed(values)}" for name, values in several.items())
        raise LoadError("errors.code.several", model=model, choices=said)
    return given


def _listed(values: Sequence[int], *, most: int = 8) -> str:
    return ", ".join([*map(str, values[:most]), *(["…"] if len(values) > most else [])])


def _nothing_fits(
    builder: Callable[..., Any],
    attempt: Attempt,
    needed: Sequence[str],
    wanted: Shapes,
    errors: Sequence[str],
    *,
    model: str,
) -> tuple[Any, Arguments]:
    """Return what the defaults build, for the checkpoint to say what differs, or raise."""
    if not needed:
        return builder(), {}
    names = ", ".join(needed)
    if _first_that_builds(attempt, needed, {}, _candidates(wanted)) is None:
        raise LoadError("errors.code.no_build", model=model, names=names, error=errors[-1])
    raise LoadError("errors.code.no_fit", model=model, names=names)
