"""The statements in a notebook: what each binds and uses, and whether it may be run."""

from __future__ import annotations

import ast
import json
import re
import symtable
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kashika.errors import LoadError, one_line

_MAGIC = re.compile(r"\s*(?:%{1,2}[A-Za-z]|!|\?|[\w, ]+=\s*[!%][\w./]|[\w.]+\?{1,2}\s*$)")
_PYTHON_CELL = re.compile(r"\s*%%(time|timeit|capture|prun|python3?|memit|mprun)\b")
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError, MemoryError)


def parsed(source: str) -> ast.Module:
    """Parse a cell; lines of IPython and of the shell become `pass` if it is no Python with them.

    Raises
    ------
    SyntaxError, ValueError, RecursionError, MemoryError
        If it is no Python without them either.
    """
    if source.lstrip().startswith("%%"):
        first, _, rest = source.lstrip().partition("\n")
        source = rest if _PYTHON_CELL.match(first) else ""
    with warnings.catch_warnings(action="ignore"):  # such as "\\d" in a string of the user's
        try:
            return ast.parse(source)
        except SyntaxError:
            return ast.parse(_without_magics(source))


def _without_magics(source: str) -> str:
    lines, continued = [], False
    for line in source.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        magic = _MAGIC.match(line) is not None
        lines.append("" if continued else f"{indent}pass" if magic else line)
        continued = (continued or magic) and line.rstrip().endswith("\\")
    return "\n".join(lines)


def cell_sources(path: Path) -> list[str]:
    """Return the source of every code cell."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        cells = content["cells"] if "cells" in content else content["worksheets"][0]["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        return ["".join(cell["source"] if "source" in cell else cell["input"]) for cell in code]
    except (*UNREADABLE, IndexError) as error:
        raise LoadError("errors.code.notebook", path=path, error=one_line(error)) from None


# --- statements ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Statement:
    """One statement of a cell that may be run, or, where `runs` is false, that never is."""

    node: ast.stmt
    cell: int
    binds: frozenset[str]
    runs: bool

    @cached_property
    def uses(self) -> tuple[frozenset[str], frozenset[str]]:
        """Names of the notebook that it needs when it is run, and when what it defines is."""
        now: set[str] = set()
        later: set[str] = set()
        table = symtable.symtable(ast.unparse(self.node), "cell", "exec")
        for one, called in _scopes(table, called=False):
            top = one.get_type() == "module"
            names = {
                symbol.get_name()
                for symbol in one.get_symbols()
                if symbol.is_referenced() and (top or symbol.is_global())
            }
            (later if called else now).update(names)
        if isinstance(self.node, ast.AugAssign):
            now |= self.binds
        return frozenset(now), frozenset(later)


def notebook(path: Path) -> tuple[list[Statement], list[int]]:
    """Return the statements of all cells, and the numbers of the cells that are no Python.

    Raises
    ------
    LoadError
        If the file is no notebook.
    """
    found: list[Statement] = []
    broken = []
    imported: set[str] = set()
    for cell, source in enumerate(cell_sources(path), start=1):
        try:
            body = parsed(source).body
            for node in body:
                kept = _plain(node)
                statement = Statement(
                    kept or node, cell, frozenset(_bound(kept or node)), kept is not None
                )
                _ = statement.uses  # what cannot be analysed is noticed here
                if isinstance(node, ast.Import | ast.ImportFrom):
                    imported |= statement.binds
                elif _base(node) in imported:  # a setting of a package, and nothing of the user's
                    continue
                found.append(statement)
        except (SyntaxError, *UNREADABLE):
            broken.append(cell)
    return found, broken


def _plain(node: ast.stmt) -> ast.stmt | None:
    """Return what may be run of a statement: imports, definitions, assignments, also in an `if`."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.FunctionDef() | ast.AsyncFunctionDef():
            return node
        case ast.ClassDef() | ast.Assign() | ast.AugAssign():
            return node
        case ast.AnnAssign(value=value):
            return node if value is not None else None
        case ast.If(test, body, orelse) if "__name__" not in ast.unparse(test):
            then, other = _block(body), _block(orelse)
            kept = ast.If(test, then or [ast.Pass()], other)
            return kept if then or other else None
        case ast.Try(body, handlers, orelse, finalbody):
            tried, other, last = _block(body), _block(orelse), _block(finalbody)
            caught = [ast.ExceptHandler(h.type, h.name, _block(h.body) or [ast.Pass()])
                      for h in handlers]  # fmt: skip
            return ast.Try(tried, caught, other, last) if tried else None
        case _:
            return node if type(node).__name__ == "TypeAlias" else None


def _block(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    return [kept for node in body if (kept := _plain(node)) is not None]


def _bound(node: ast.AST) -> Iterator[str]:
    """Give the names that a statement binds or changes; "*" for those of a module as a whole."""
    match node:
        case ast.Import(names) | ast.ImportFrom(names=names):
            yield from (one.asname or one.name.partition(".")[0] for one in names)
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
            yield name
        case ast.Name(name, ast.Store()):
            yield name
        case ast.Attribute() | ast.Subscript() if isinstance(node.ctx, ast.Store):
            yield from filter(None, [_root(node)])
        case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return
        case _:
            for inner in ast.iter_child_nodes(node):
                yield from _bound(inner)


def _root(node: ast.expr) -> str | None:
    """Return "net" for net.head[0].weight."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _base(node: ast.stmt) -> str | None:
    """Return whose attribute or item an assignment sets; None if it sets a name."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    set_in = [one for one in targets if isinstance(one, ast.Attribute | ast.Subscript)]
    return _root(set_in[0]) if set_in else None


def _scopes(
    table: symtable.SymbolTable, *, called: bool
) -> Iterator[tuple[symtable.SymbolTable, bool]]:
    """Give every scope in a statement, and whether it is entered only when something is called."""
    # Comprehensions and the bodies of classes are carried out with the statement they stand in.
    function = table.get_type() == "function" and table.get_name() not in _COMPREHENSIONS
    yield table, called or function
    for inner in table.get_children():
        yield from _scopes(inner, called=called or function)


_COMPREHENSIONS = {"listcomp", "setcomp", "dictcomp", "genexpr"}
