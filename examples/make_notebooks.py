"""Make both notebooks anew, executed: python examples/make_notebooks.py.

They come from one source, visualization.md, and are not kept by hand: the code of both is the same
then, a sentence is never changed in one language only, and a change can be reviewed as text.
"""

# mypy: allow-untyped-calls
# because nbformat has no types

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

HERE = Path(__file__).parent
SOURCE = HERE / "visualization.md"
LANGUAGES = ("en", "ja")

# A cell begins with the name of its language, or is a block of code.
CELL = re.compile(
    r"<!-- (en|ja) -->\n(.*?)(?=^<!-- |^```)|```python\n(.*?)^```", re.DOTALL | re.MULTILINE
)


def notebook(language: str) -> NotebookNode:
    """Return the notebook of one language, not executed."""
    cells = []
    for spoken, words, code in CELL.findall(SOURCE.read_text(encoding="utf-8")):
        if code:
            cells.append(new_code_cell(code.strip().replace("{language}", language)))
        elif spoken == language:
            cells.append(new_markdown_cell(words.strip()))
    for place, cell in enumerate(cells):
        cell["id"] = f"cell-{place}"  # else by chance, and every run would change the file
    made: NotebookNode = new_notebook(cells=cells, metadata=_metadata())
    return made


def execute(made: NotebookNode) -> None:
    """Run every cell in an empty folder and keep what it shows.

    Raises
    ------
    CellExecutionError
        If a cell raises.
    """
    with TemporaryDirectory() as folder:
        NotebookClient(
            made,
            timeout=300,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": folder}},
        ).execute()
    made["metadata"] = _metadata()  # the kernel adds the version of this machine's Python


def main() -> None:
    """Write one executed notebook for each language."""
    for language in LANGUAGES:
        made = notebook(language)
        execute(made)
        nbformat.write(made, HERE / f"visualization.{language}.ipynb")


def _metadata() -> NotebookNode:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made: NotebookNode = nbformat.from_dict(
        {"kernelspec": kernel, "language_info": {"name": "python"}}
    )
    return made


if __name__ == "__main__":
    main()
