"""The order of the modules: who may import whom, and what, where, and when.

The order stands in BELOW, foreign packages in FOREIGN. Everything else finds the imports in the
sources, module by module, and says which of them break the order.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest

SOURCE = Path(__file__).parents[1] / "src"

# A module may import what stands here beside it, and all that these may import in turn. A package
# stands for all of its modules.
BELOW = {
    "texts": "",
    "errors": "texts",
    "distribution": "errors",
    "parameters": "distribution",
    "task": "parameters",
    "fingerprint": "distribution",
    "observation": "task fingerprint",
    "naming": "",
    "history": "distribution naming",
    "run": "observation history",
    "reservoir": "distribution",
    "progress": "texts",
    "look": "progress",
    "proportion": "",
    "palette": "",
    "neighbours": "distribution",
    "projection": "neighbours palette",
    "view": "run proportion",
    "table": "view",
    "figure": "table palette",  # below the views, since a measurement shows itself
    "views": "figure projection",
    "error_rates": "proportion",
    "diagnosis": "view error_rates",
    "console": "diagnosis",
    "explanation": "console",
    "page": "views diagnosis progress",
    "report": "page console",  # above the page, since a report saves itself
    "torch_sample_gradients": "",
    "torch_network": "run look reservoir torch_sample_gradients",
    "load": "torch_network view",
    "contents": "views load",
    "notebook": "report load",
    "demo": "notebook",
    "cli": "demo contents explanation",
    "__main__": "cli",
    "__init__": "notebook",
}

When = Literal["import", "call", "typing"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a foreign package may be imported, and whether its users then pay at import."""

    modules: Callable[[str], bool]
    said: str
    only_in_functions: bool = True


WITH_TORCH = (
    "load.code.constructor", "load.code.inference", "load.samples.tensors", "demo.training",
)  # fmt: skip
ANYWHERE = Place(lambda _: True, "anywhere")
FOREIGN = {
    "numpy": Place(lambda _: True, "anywhere", only_in_functions=False),
    "click": Place(lambda m: m == "cli", "cli", only_in_functions=False),
    "torch": Place(
        lambda m: m.startswith(("torch_", "load.checkpoints")) or m in WITH_TORCH,
        f"torch_*, load.checkpoints, {', '.join(WITH_TORCH)}",
        only_in_functions=False,
    ),
    "matplotlib": Place(lambda m: unit(m) == "figure", "figure"),
    "jinja2": Place(lambda m: unit(m) == "page", "page"),
    "markupsafe": Place(lambda m: unit(m) == "page", "page"),
    "IPython": Place(lambda m: m == "notebook", "notebook"),
    "PIL": ANYWHERE,
    "openTSNE": ANYWHERE,
    "pandas": ANYWHERE,
    "pyarrow": ANYWHERE,
    "scipy": ANYWHERE,
    "sklearn": ANYWHERE,
}
USERS_OWN = {"demo.data", "demo.mlp"}  # the demo copies them into the user's folder
PRINTING = {"print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write"}
WARNING = {"warnings.warn", "warnings.warn_explicit"}
NO_NAMES = {"base", "common", "helpers", "utils"}


def name_of(path: Path) -> str:
    """Return "views.curves" for src/kashika/views/curves.py and "views" for its __init__.py."""
    parts = path.relative_to(SOURCE / "kashika").with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(SOURCE.rglob("*.py"))}


def unit(module: str) -> str:
    """Return the name that a module has in BELOW."""
    return module.partition(".")[0]


def room(module: str) -> str:
    """Return the view that a module belongs to."""
    return ".".join(module.split(".")[:2])


@cache
def below(name: str) -> frozenset[str]:
    """Return all that a module or package may import."""
    direct = BELOW[name].split()
    return frozenset(direct).union(*(below(one) for one in direct))


def imports(tree: ast.AST, when: When = "import") -> Iterator[tuple[ast.stmt, When]]:
    """Give every import statement, and when it is carried out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, when
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports(node, "call")
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from imports(ast.Module(node.body, []), "typing")
            yield from imports(ast.Module(node.orelse, []), when)
        else:
            yield from imports(node, when)


def targets(node: ast.stmt, modules: Collection[str]) -> Iterator[str]:
    """Give the full names of the modules that a statement imports."""
    match node:
        case ast.Import(names):
            yield from (one.name for one in names)
        case ast.ImportFrom(str(source), names, 0):
            for one in names:
                inner = f"{source}.{one.name}"
                is_module = inner.removeprefix("kashika.") in modules
                yield inner if is_module else source
        case ast.ImportFrom():
            yield "."


def wrong_import(module: str, target: str, when: When) -> str | None:
    """Say what is wrong with an import; None if nothing is."""
    package, _, inner = target.partition(".")
    if inner in USERS_OWN:
        return "it is copied, never imported"
    if package == "kashika":
        own, other = unit(module), unit(inner) or "kashika"
        if own == other == "views" and module != "views" and room(inner) != room(module):
            return "a view imports no other view"
        return None if own == other or other in below(own) else f"it is not below {own}"
    if when == "typing" or package in sys.stdlib_module_names - {"logging"}:
        return None
    if module in USERS_OWN and package in ("numpy", "sklearn", "torch"):
        return None
    if package not in FOREIGN:
        return "nobody may, or list it in FOREIGN"
    place = FOREIGN[package]
    if not place.modules(module):
        return f"only {place.said} may"
    return "only inside functions" if place.only_in_functions and when == "import" else None


def wrong_statement(module: str, node: ast.AST) -> str | None:
    """Say what is wrong with a piece of a module; None if nothing is."""
    if isinstance(node, ast.ImportFrom):
        said = {f"{node.module}.{one.name}" for one in node.names}
    else:
        said = {ast.unparse(node)} if isinstance(node, ast.Attribute | ast.Name) else set()
    for one in said & PRINTING if module != "cli" else ():
        return f"{one}: only cli prints"
    for one in said & WARNING:
        return f"{one}: nobody warns behind the user's back"
    return None


def wrong_drawing(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Give whatever a function computes that is handed axes; nothing for any other function."""
    if not isinstance(node, ast.FunctionDef) or "axes" not in {a.arg for a in node.args.args}:
        return
    for part in ast.walk(ast.Module(node.body, [])):
        if isinstance(part, ast.BinOp | ast.AugAssign):
            yield part, f"{node.name} draws, and calculates {ast.unparse(part)}"
        elif isinstance(part, ast.Name) and part.id in ("np", "numpy", "plt", "math"):
            yield part, f"{node.name} draws, and calls {part.id}"
        elif isinstance(part, ast.Import | ast.ImportFrom):
            yield part, f"{node.name} draws, and imports"
        elif isinstance(part, ast.Return) and part.value is not None:
            yield part, f"{node.name} draws, and returns something"


def violations(module: str, source: str, modules: Collection[str]) -> list[str]:
    """Return every breach of the rules in the source of a module, with its line."""
    if not NO_NAMES.isdisjoint(module.split(".")):
        return [f"{module}: a name that says nothing; name it after what it does"]
    if unit(module) not in BELOW:
        return [f"{module}: no place in the order; give it one in BELOW, tests/test_layers.py"]
    tree = ast.parse(source)
    found: list[tuple[ast.AST, str | None]] = [
        (node, (why := wrong_import(module, target, when)) and f"imports {target}: {why}")
        for node, when in imports(tree)
        for target in targets(node, modules)
    ]
    found += [(node, wrong_statement(module, node)) for node in ast.walk(tree)]
    if unit(module) == "views":
        found += [wrong for node in ast.walk(tree) for wrong in wrong_drawing(node)]
    if module != "__main__":
        found += [
            (node, f"{ast.unparse(node)}: importing has no effect")
            for node in tree.body
            if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
        ]
    lines = {(getattr(node, "lineno", 0), why) for node, why in found if why}
    return [f"{module}:{line}: {why}" for line, why in sorted(lines)]


# --- the sources --------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES)
def test_a_module_keeps_to_its_place_in_the_order(module: str) -> None:
    assert violations(module, MODULES[module].read_text(encoding="utf-8"), MODULES) == []


def test_every_place_in_the_order_is_taken() -> None:
    assert {unit(module) for module in MODULES} == set(BELOW)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {
        module: {
            inner
            for node, when in imports(ast.parse(path.read_text(encoding="utf-8")))
            for target in targets(node, MODULES)
            if when != "typing" and (inner := target.removeprefix("kashika.")) in MODULES
        }
        for module, path in MODULES.items()
    }
    TopologicalSorter(graph).prepare()


def test_every_view_is_listed() -> None:
    tree = ast.parse(MODULES["views"].read_text(encoding="utf-8"))
    listed = {target for node, _ in imports(tree) for target in targets(node, MODULES)}
    views = {f"kashika.{room(module)}" for module in MODULES if module.startswith("views.")}
    assert views <= listed


# --- the rules themselves: each is seen broken --------------------------------------------------

KNOWN = {
    "__init__", *BELOW, "views.curves", "views.curves.rules", "views.weights",
    "views.weights.rules", "load.checkpoints", "demo.mlp",
}  # fmt: skip


@pytest.mark.parametrize(
    ("module", "source", "why"),
    [
        ("run", "from kashika.view import View", "imports kashika.view: it is not below run"),
        ("run", "from kashika import view", "imports kashika.view: it is not below run"),
        ("run", "import kashika.view", "imports kashika.view: it is not below run"),
        ("page", "from kashika import Report", "imports kashika: it is not below page"),
        ("page", "import kashika", "imports kashika: it is not below page"),
        ("page", "from . import text", "imports .: nobody may, or list it in FOREIGN"),
        ("palette", "from kashika import texts", "imports kashika.texts: it is not below palette"),
        (
            "load.checkpoints",
            "import kashika.report",
            "imports kashika.report: it is not below load",
        ),
        (
            "views.curves",
            "from kashika.views import weights",
            "imports kashika.views.weights: a view imports no other view",
        ),
        (
            "views.curves",
            "import kashika.views",
            "imports kashika.views: a view imports no other view",
        ),
        (
            "views.curves.rules",
            "from kashika.views.weights.rules import nonfinite",
            "imports kashika.views.weights.rules: a view imports no other view",
        ),
        (
            "view",
            "import torch.nn",
            f"imports torch.nn: only {FOREIGN['torch'].said} may",
        ),
        ("figure.fonts", "import matplotlib", "imports matplotlib: only inside functions"),
        ("views.curves", "from matplotlib import axes", "imports matplotlib: only figure may"),
        ("page", "from jinja2 import Template", "imports jinja2: only inside functions"),
        ("report", "import jinja2", "imports jinja2: only page may"),
        ("proportion", "import scipy", "imports scipy: only inside functions"),
        ("views.weights", "import openTSNE", "imports openTSNE: only inside functions"),
        ("table", "import pandas", "imports pandas: only inside functions"),
        ("demo.training", "import sklearn", "imports sklearn: only inside functions"),
        ("demo.data", "import pandas", "imports pandas: only inside functions"),
        (
            "demo",
            "import kashika.demo.mlp",
            "imports kashika.demo.mlp: it is copied, never imported",
        ),
        ("report", "import click", "imports click: only cli may"),
        ("run", "import tqdm", "imports tqdm: nobody may, or list it in FOREIGN"),
        ("run", "import logging", "imports logging: nobody may, or list it in FOREIGN"),
        ("run", "print", "print: only cli prints"),
        ("run", "sys.stderr.write", "sys.stderr.write: only cli prints"),
        ("report", "click.echo", "click.echo: only cli prints"),
        ("cli", "warnings.warn", "warnings.warn: nobody warns behind the user's back"),
        ("views.curves", "axes.plot(np.log(y))", "draw draws, and calls np"),
        ("views.curves", "axes.plot(2 * y)", "draw draws, and calculates 2 * y"),
        ("views.curves", "import kashika.run", "draw draws, and imports"),
        ("views.curves", "return axes", "draw draws, and returns something"),
    ],
)
def test_each_rule_can_be_broken(module: str, source: str, why: str) -> None:
    drawing = why.startswith("draw ")
    head = "def draw(y, axes):\n    " if drawing else "value = " if "import" not in source else ""
    assert violations(module, head + source, KNOWN) == [f"{module}:{1 + drawing}: {why}"]


def test_an_import_inside_a_function_keeps_to_the_order_too() -> None:
    source = "def show():\n    import torch\n    from kashika.page import render"
    assert violations("run", source, KNOWN) == [
        f"run:2: imports torch: only {FOREIGN['torch'].said} may",
        "run:3: imports kashika.page: it is not below run",
    ]


def test_an_import_for_types_only_is_free_to_name_foreign_packages() -> None:
    source = "if TYPE_CHECKING:\n    from matplotlib.axes import Axes\nelse:\n    import pandas"
    assert violations("view", source, KNOWN) == ["view:4: imports pandas: only inside functions"]


def test_a_warning_under_another_name_is_a_warning() -> None:
    assert violations("cli", "from warnings import warn as say", KNOWN) == [
        "cli:1: warnings.warn: nobody warns behind the user's back"
    ]


def test_importing_has_no_effect() -> None:
    assert violations("run", '"""Run."""\nregister(Run)', KNOWN) == [
        "run:2: register(Run): importing has no effect"
    ]


def test_a_module_without_a_place_is_told_where_to_get_one() -> None:
    assert violations("sharpness", "", KNOWN) == [
        "sharpness: no place in the order; give it one in BELOW, tests/test_layers.py"
    ]


@pytest.mark.parametrize("module", ["utils", "views.helpers", "load.common", "base.types"])
def test_a_name_that_says_nothing_is_refused(module: str) -> None:
    assert violations(module, "", KNOWN) == [
        f"{module}: a name that says nothing; name it after what it does"
    ]


def test_the_order_is_the_one_of_the_design() -> None:
    stack = "texts errors distribution parameters task observation run view table figure views"
    for low, high in pairwise([*stack.split(), "page", "report", "notebook", "demo", "cli"]):
        assert low in below(high)
        assert high not in below(low)
