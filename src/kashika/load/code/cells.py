"""A notebook -> the imports, definitions and assignments in it that one name needs."""

from __future__ import annotations

import ast
import builtins
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kashika.errors import LoadError
from kashika.load.code.statements import Statement, notebook
from kashika.texts import Sentence


def program(path: Path, name: str, *, option: str) -> tuple[str, list[Sentence]]:
    """Return the code that a name in a notebook needs, and what there was to choose.

    Of several definitions the last one before the place of use is taken. Loops, calls, shell
    lines and whatever else the name does not need is left out, and so is an assignment that
    trains: one that calls a function in which `backward` is called.

    Raises
    ------
    LoadError
        If the file is no notebook, or the name is not defined in it so that it can be run alone.
    """
    statements, broken = notebook(path)
    needed = _needed(statements, name)
    if needed.missing:
        _refuse(path, name, needed.missing, statements, broken, option=option)
    notes = _choices(path, name, statements, needed)
    if broken:
        cells = ", ".join(map(str, broken))
        notes.append(Sentence("notes.code.broken", path=path, cells=cells))
    return "\n".join(ast.unparse(statements[one].node) for one in needed.order), notes


# --- what is needed ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Needed:
    """What a name needs.

    Attributes
    ----------
    order : indices of the statements to run
    missing : names that are looked up, and that only statements bind which are never run
    trained : {name: index of an assignment of it that trains, and was passed over}
    """

    order: tuple[int, ...]
    missing: tuple[str, ...]
    trained: Mapping[str, int]


def _needed(statements: Sequence[Statement], name: str) -> _Needed:
    """Follow a name to all that it needs: at once before its own place, and when it is called."""
    places: dict[str, list[int]] = {}
    for index, one in enumerate(statements):
        for bound in one.binds if one.runs else ():
            places.setdefault(bound, []).append(index)
    unbound = {bound for one in statements for bound in one.binds} - places.keys()
    trainers = _trainers(statements)
    training = {i for i, one in enumerate(statements) if _trains(one.node, trainers)}
    trained: dict[str, int] = {}
    missing: dict[str, None] = {}
    # What has a place is run in the order of the cells; what stands below its use is moved up.
    turn: dict[int, float] = {
        index: index for index, one in enumerate(statements) if _of_the_future(one.node)
    }
    seen: set[tuple[str, int]] = set()
    todo: list[tuple[str, int, float]] = [(name, len(statements), len(statements))]
    while todo:
        wanted, at, before = todo.pop()
        if (wanted, at) in seen:
            continue
        seen.add((wanted, at))
        own = [index for index in places.get(wanted, ()) if index not in training]
        if passed := [index for index in places.get(wanted, ()) if index in training]:
            trained[wanted] = passed[-1]
        above = own[: bisect_left(own, at)]
        found = above[-1:] or own[:1] or places.get("*", []) * (not hasattr(builtins, wanted))
        if not own and (wanted in unbound or passed or (wanted == name and not found)):
            missing[wanted] = None
        for index in found:
            turn[index] = min(index, before - 1e-6, turn.get(index, index))
            now, later = statements[index].uses
            todo += [(one, index, turn[index]) for one in now]
            todo += [(one, at, before) for one in later]
    order = sorted(turn, key=lambda index: turn[index])
    return _Needed(tuple(order), tuple(missing), trained)


def _of_the_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _trainers(statements: Sequence[Statement]) -> set[str]:
    """Return the functions, and with a dot the methods, that call `backward`, if by a detour."""
    calls = [one for each in statements for one in _definitions(each.node, prefix="")]
    found = {".backward"}
    while new := {name for name, called in calls if called & found} - found:
        found |= new
    return found


def _definitions(node: ast.AST, *, prefix: str) -> Iterator[tuple[str, set[str]]]:
    """Give every function in a statement, and what is called in it."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield f"{prefix}{node.name}", _called(node)
    inside = "." if isinstance(node, ast.ClassDef) else prefix
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.stmt):
            yield from _definitions(inner, prefix=inside)


def _called(node: ast.AST) -> set[str]:
    called = (one.func for one in ast.walk(node) if isinstance(one, ast.Call))
    # net.train() sets a mode, and is not the user's own train(net).
    return {
        f".{one.attr}" if isinstance(one, ast.Attribute) else getattr(one, "id", "")
        for one in called
    }


def _trains(node: ast.stmt, trainers: set[str]) -> bool:
    defines = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return not isinstance(node, defines) and bool(_called(node) & trainers)


# --- what is said --------------------------------------------------------------------------------


def _choices(
    path: Path, name: str, statements: Sequence[Statement], needed: _Needed
) -> list[Sentence]:
    """Say which of several definitions was taken, and which assignments were passed over."""
    notes = []
    defined = [
        one.cell for one in statements if one.runs and name in one.binds and name not in one.uses[0]
    ]
    if len(defined) > 1:
        cells = ", ".join(map(str, defined))
        notes.append(
            Sentence("notes.code.several", path=path, name=name, cells=cells, taken=defined[-1])
        )
    for one, index in needed.trained.items():
        cell = statements[index].cell
        notes.append(Sentence("notes.code.trains", path=path, name=one, cell=cell))
    return notes


def _refuse(
    path: Path,
    name: str,
    missing: Sequence[str],
    statements: Sequence[Statement],
    broken: Sequence[int],
    *,
    option: str,
) -> None:
    found = next((one for one in missing if one != name), name)
    where = next((one.cell for one in statements if found in one.binds), None)
    if where is not None:
        raise LoadError(
            "errors.code.needs", option=option, path=path, name=name, found=found, cell=where
        )
    if broken:
        cells = ", ".join(map(str, broken))
        raise LoadError("errors.code.broken", option=option, path=path, name=name, cells=cells)
    raise LoadError("errors.no_such_name", option=option, source=path, name=name)
