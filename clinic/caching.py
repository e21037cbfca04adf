"""Where runs and results lie, and what they depend on."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from clinic.conditions import Condition
from clinic.cousins import COUSINS
from clinic.siblings import SIBLINGS

HERE = Path(__file__).parent
PROJECT = HERE.parent
MAKES = ("recipe", "data", "networks", "training", "leaving", "health", "making")
"""The modules that decide what a run looks like; its recipe stands in its key, as does their code,
but for comments and form."""
OTHERS = {"siblings": SIBLINGS, "cousins": COUSINS}
"""The modules with other data sets decide about runs on these alone."""


def digest(parts: Iterable[bytes]) -> str:
    """Return a short hash of several parts."""
    state = hashlib.sha256()
    for part in parts:
        state.update(hashlib.sha256(part).digest())
    return state.hexdigest()[:16]


@cache
def _making() -> str:
    return _code(HERE / f"{name}.py" for name in MAKES)


@cache
def _drawing(module: str) -> str:
    return _code([HERE / f"{module}.py"])


@cache
def kashika() -> str:
    """Return the hash of kashika's code; runs are checked anew when it changes."""
    return _code(sorted((PROJECT / "src" / "kashika").rglob("*.py")))


def _code(files: Iterable[Path]) -> str:
    """Return the hash of what modules say, whatever their comments and their form."""
    trees = (ast.parse(one.read_text(encoding="utf-8")) for one in files)
    return digest(ast.dump(tree).encode() for tree in trees)


def key(condition: Condition) -> str:
    """Return the hash of what a run depends on: its recipe, its seed and the code that trains."""
    parts = [repr((condition.recipe, condition.seed)), _making()]
    parts += [
        _drawing(module)
        for module, others in OTHERS.items()
        if condition.recipe.data.name in others.values()
    ]
    return digest(one.encode() for one in parts)


def directory(condition: Condition, *, at: Path) -> Path:
    """Return the folder of a run."""
    return at / "runs" / f"{condition.name}"


def result(condition: Condition, *, at: Path, code: str | None = None) -> Path:
    """Return the file with what kashika said of a run.

    Parameters
    ----------
    code : hash of kashika's code; of the present one if None
    """
    return at / "results" / (code or kashika()) / f"{condition.name}.{key(condition)}.json"


def latest(condition: Condition, *, at: Path) -> Path:
    """Return the newest file with what kashika said of a run, whatever its code was."""
    name = result(condition, at=at).name
    found = (at / "results").glob(f"*/{name}")
    return max(found, key=lambda one: one.stat().st_mtime, default=result(condition, at=at))


def is_made(condition: Condition, *, at: Path) -> bool:
    """Tell whether a run lies there as the present code would make it."""
    mark = directory(condition, at=at) / ".key"
    return mark.is_file() and mark.read_text(encoding="utf-8") == key(condition)
