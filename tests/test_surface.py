"""What users see: the names of the package, what is said about each, and how they are called."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import kashika

SOURCE = Path(__file__).parents[1] / "src"
FILES = sorted(SOURCE.rglob("*.py"))
USERS_OWN = {SOURCE / "kashika/demo" / name for name in ("data.py", "mlp.py")}
"""The demo copies them into the user's folder; they are written as a user would."""

SUBJECTS = {"model", "y", "ax"}
"""What a call is about may be left out and given by position: `ks.boundary(model, X).plot(ax)`."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Named = Function | ast.ClassDef


def public(tree: ast.Module | ast.ClassDef) -> Iterator[tuple[str, Named]]:
    """Give every function, class and method whose name has no underscore in front."""
    for node in tree.body:
        if isinstance(node, Named) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef):
                yield from ((f"{node.name}.{name}", inner) for name, inner in public(node))


def undocumented(source: str) -> list[str]:
    """Return what is public in a module and has no docstring."""
    tree = ast.parse(source)
    module = [] if ast.get_docstring(tree) else ["the module"]
    return module + [name for name, node in public(tree) if not ast.get_docstring(node)]


def positional_defaults(source: str) -> list[str]:
    """Return the parameters that have a default and can be given by position."""
    found = []
    for name, node in public(ast.parse(source)):
        if isinstance(node, ast.ClassDef) or is_command(node):
            continue
        arguments = [*node.args.posonlyargs, *node.args.args]
        defaulted = arguments[len(arguments) - len(node.args.defaults) :]
        found += [f"{name}({one.arg})" for one in defaulted if one.arg not in SUBJECTS]
    return found


def is_command(node: Function) -> bool:
    """Tell whether click calls a function, and no reader does."""
    return any("command(" in ast.unparse(one) for one in node.decorator_list)


def test_the_names_of_the_package_are_those_that_it_says_in_order() -> None:
    visible = {
        name: value
        for name, value in vars(kashika).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert kashika.__all__ == sorted(visible)


def test_the_package_shows_no_module_but_its_own() -> None:
    modules = {name: one for name, one in vars(kashika).items() if isinstance(one, ModuleType)}
    assert {one.__name__ for one in modules.values()} == {f"kashika.{name}" for name in modules}


def test_no_name_of_the_package_hides_a_module() -> None:
    modules = {path.stem for path in (SOURCE / "kashika").iterdir()}
    assert modules.isdisjoint(kashika.__all__)


@pytest.mark.parametrize("name", kashika.__all__)
def test_a_name_of_the_package_is_explained(name: str) -> None:
    assert getattr(kashika, name).__doc__


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_everything_public_is_documented(path: Path) -> None:
    assert undocumented(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "path", sorted({*FILES} - USERS_OWN), ids=lambda path: str(path.relative_to(SOURCE))
)
def test_a_parameter_with_a_default_is_given_by_name(path: Path) -> None:
    assert positional_defaults(path.read_text(encoding="utf-8")) == []


def test_what_is_undocumented_is_found() -> None:
    source = """
class A:
    def b(self): ...
    def _c(self): ...
def d():
    'Do it.'
    def inner(): ...
"""
    assert undocumented(source) == ["the module", "A", "A.b"]


def test_defaults_that_can_be_given_by_position_are_found() -> None:
    source = """
def plot(self, ax=None, scale=1): ...
def measure(values, bins=20, *, seed=0): ...
class Run:
    def observation(self, split="train", /): ...
    def _find(self, split="train"): ...
@main.command()
def check(run, json=False): ...
"""
    assert positional_defaults(source) == ["plot(scale)", "measure(bins)", "Run.observation(split)"]
