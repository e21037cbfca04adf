"""The example notebooks: they run, they show what they measure, and they come from their source."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from kashika.views import BUILTIN

EXAMPLES = Path(__file__).parents[1] / "examples"
MAKING = runpy.run_path(str(EXAMPLES / "make_notebooks.py"))
LANGUAGES: tuple[str, ...] = MAKING["LANGUAGES"]
VIEWS = {view.name for view in BUILTIN}


def committed(language: str) -> NotebookNode:
    notebook: NotebookNode = nbformat.read(  # type: ignore[no-untyped-call]
        EXAMPLES / f"visualization.{language}.ipynb", as_version=4
    )
    return notebook


def measures(cell: NotebookNode) -> set[str]:
    """Return which views a cell of code asks: `ks.curves(…)`."""
    if cell["cell_type"] != "code" or cell["source"].startswith("%"):
        return set()
    nodes = ast.walk(ast.parse(cell["source"]))
    called = (ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call))
    return {name.removeprefix("ks.") for name in called} & VIEWS


def shows_a_picture(cell: NotebookNode) -> bool:
    data = [output.get("data", {}) for output in cell["outputs"]]
    return any(
        "image/png" in one or 'src="data:image/png;base64,' in one.get("text/html", "")
        for one in data
    )


def check(notebook: NotebookNode) -> None:
    """Check that every cell that measures shows it, and that no cell has failed."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert not [one for one in cell["outputs"] if one["output_type"] == "error"]
            assert shows_a_picture(cell) == bool(measures(cell)), cell["source"]


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notebook_runs_and_shows_what_it_measures(language: str) -> None:
    notebook = MAKING["notebook"](language)
    MAKING["execute"](notebook)
    check(notebook)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notebook_at_hand_shows_what_it_measures(language: str) -> None:
    check(committed(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notebook_at_hand_is_made_of_the_source(language: str) -> None:
    made, kept = MAKING["notebook"](language)["cells"], committed(language)["cells"]
    assert [(c["cell_type"], c["source"]) for c in kept] == [
        (c["cell_type"], c["source"]) for c in made
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notebook_asks_every_view(language: str) -> None:
    asked = set().union(*(measures(cell) for cell in committed(language)["cells"]))
    assert asked == VIEWS


def test_both_notebooks_have_the_same_cells() -> None:
    english, japanese = (
        [cell["source"] if cell["cell_type"] == "code" else "" for cell in committed(one)["cells"]]
        for one in LANGUAGES
    )
    assert [code.replace("KASHIKA_LANG=en", "KASHIKA_LANG=ja") for code in english] == japanese


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notebook_is_small_and_knows_no_machine(language: str) -> None:
    path = EXAMPLES / f"visualization.{language}.ipynb"
    assert path.stat().st_size < 1_000_000
    assert str(EXAMPLES.parent) not in path.read_text(encoding="utf-8")
    assert "/tmp/" not in path.read_text(encoding="utf-8")


def test_a_cell_without_a_picture_would_be_seen() -> None:
    notebook = committed("en")
    for cell in notebook["cells"]:
        if measures(cell):
            cell["outputs"] = []
    with pytest.raises(AssertionError, match=r"ks\.curves"):
        check(notebook)
