"""What in a directory may be the network's code and the data: named to the user, never run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from kashika.errors import LoadError
from kashika.load.code.statements import UNREADABLE, cell_sources, parsed
from kashika.load.logs import is_log
from kashika.naming import split_of

_MOST_BYTES = 1_000_000
_MODULES = {"Module", "LightningModule", "Sequential", "PreTrainedModel"}
_LOADS = re.compile(
    r"(load|get|make|build|create|prepare)_?(data|dataset|loader|split|sample)", re.IGNORECASE
)


def models(files: Sequence[Path], directory: Path) -> list[str]:
    """Return "FILE.py:NAME" for each class of networks; those that others are built of come last.

    The code is parsed, and none of it is run.
    """
    found, parts = [], set()
    for path, tree in _sources(files):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                parts |= _called(node)
                if _MODULES & set(map(_last_name, node.bases)):
                    found.append((f"{path.relative_to(directory)}:{node.name}", node.name))
    return [word for word, name in sorted(found, key=lambda one: one[1] in parts)]


def data(files: Sequence[Path], directory: Path) -> list[str]:
    """Return "FILE.py:NAME" for each function, and each file, that may give the data."""
    functions = [
        f"{path.relative_to(directory)}:{node.name}"
        for path, tree in _sources(files)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and (_LOADS.search(node.name) or node.name == "load")
    ]
    return functions + [str(path.relative_to(directory)) for path in files if _holds_data(path)]


def _sources(files: Sequence[Path]) -> Iterator[tuple[Path, ast.Module]]:
    """Give the code of files and of the cells of notebooks, as far as it is Python."""
    for path in files:
        if path.suffix in (".py", ".ipynb") and path.stat().st_size <= _MOST_BYTES:
            try:
                for source in cell_sources(path) if path.suffix == ".ipynb" else [_read(path)]:
                    yield path, parsed(source)
            except (SyntaxError, OSError, LoadError, *UNREADABLE):
                continue


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _called(tree: ast.AST) -> set[str]:
    return {_last_name(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def _holds_data(path: Path) -> bool:
    name = path.name.lower()
    table = path.suffix.lower() in (".csv", ".tsv") and not is_log(path)
    if table and (split_of(path.stem) or path.parent.name == "data" or path.stem == "data"):
        return True
    return path.suffix.lower() in (".npz", ".parquet") or bool(
        re.fullmatch(r"x_?(train|test|val|valid)?\.npy|.*images-idx3-ubyte(\.gz)?", name)
    )
