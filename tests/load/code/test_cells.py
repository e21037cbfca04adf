"""Of a notebook only that is run which a name needs, in whatever state the notebook was left."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kashika.errors import LoadError
from kashika.load.code.cells import program
from kashika.load.code.named import parse
from kashika.texts import speaking


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = dict(sys.modules)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with speaking("en"):
        yield
    for name in sys.modules.keys() - before.keys():
        del sys.modules[name]


def notebook(directory: Path, *cells: str) -> Path:
    """Write a notebook as Jupyter does: every line of a cell a string of its own."""
    path = directory / "学習 1.ipynb"
    content = [
        {"cell_type": "markdown", "source": ["# 学習\n", "def Net(): of no use"]},
        *(
            {"cell_type": "code", "source": cell.splitlines(keepends=True), "outputs": []}
            for cell in cells
        ),
    ]
    path.write_text(json.dumps({"cells": content, "nbformat": 4}), encoding="utf-8")
    return path


def code(directory: Path, *cells: str, name: str = "Net") -> list[str]:
    return program(notebook(directory, *cells), name, option="--model")[0].splitlines()


def value(directory: Path, *cells: str, name: str = "x") -> Any:
    return parse(f"{notebook(directory, *cells)}:{name}", option="--model").load()


def refused(directory: Path, *cells: str, name: str = "Net") -> str:
    path = notebook(directory, *cells)
    with pytest.raises(LoadError) as caught:
        program(path, name, option="--model")
    return str(caught.value).replace(str(path), "NB")


def notes(directory: Path, *cells: str, name: str = "Net") -> list[str]:
    path = notebook(directory, *cells)
    return [str(one).replace(str(path), "NB") for one in program(path, name, option="--model")[1]]


LESSON = [
    "%matplotlib inline\n!pip install torch\nimport torch\nfrom torch import nn",
    "import numpy as np",
    "device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')\ntorch.manual_seed(0)",
    "data = np.load('X.npy')\nprint(data.shape)",
    "WIDTH = 8\nEPOCHS = 100",
    """class Net(nn.Module):
    def __init__(self, inputs, width=WIDTH):
        super().__init__()
        self.out = nn.Linear(inputs, width).to(device)
    """,
    "model = Net(2)\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)",
    "for epoch in range(EPOCHS):\n    open('trained', 'w').write('x')\n    loss.backward()",
    "%%bash\nrm -rf output",
    "torch.save(model.state_dict(), 'model.pth')",
]


def test_the_network_of_a_lesson_is_built_and_nothing_is_trained_read_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    built = value(tmp_path, *LESSON, name="Net(3, width=5)")
    assert tuple(built.out.weight.shape) == (5, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["学習 1.ipynb"]
    model = value(tmp_path, *LESSON, name="model")
    assert tuple(model.out.weight.shape) == (8, 2)


def test_only_what_a_name_needs_is_run(tmp_path: Path) -> None:
    lines = code(tmp_path, *LESSON)
    assert lines[:4] == [
        "import torch",
        "from torch import nn",
        "device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "WIDTH = 8",
    ]
    assert lines[4] == "class Net(nn.Module):"
    assert not [line for line in lines if "EPOCHS" in line or "numpy" in line or "seed" in line]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["a = 2", "x = a + 1"], 3),
        (["a, (b, *c) = 1, (2, 3)", "x = [a, b, c]"], [1, 2, [3]]),
        (["def f():\n    return g()\ndef g():\n    return k\nk = 5", "x = f()"], 5),
        (["base = object", "def deco(c):\n    return 7", "@deco\nclass x(base): pass"], 7),
        (["k = 3\ndef x(a=k): return a"], None),
        (["a: int = 4", "x = a"], 4),
        (["a = 1", "a += 1", "x = a"], 2),
        (["a = {}", "a['k'] = 1", "a['l'] = a['k'] + 1", "x = a"], {"k": 1, "l": 2}),
        (["class A: pass\na = A()\na.k = 3", "x = a.k"], 3),
        (["try:\n    import not_here as m\nexcept ImportError:\n    m = 4", "x = m"], 4),
        (["k = 0\nif k == 0:\n    k = 1\n    print(2)\nelse:\n    k = 2", "x = k"], 1),
        (["from math import *", "x = floor(pi)"], 3),
        (["k = 2", "x = [k * i for i in range(3)]"], [0, 2, 4]),
        (["k = 2", "x = (lambda i: i + k)(1)"], 3),
        (["x = k + 1", "k = 1"], 2),  # run in another order than it stands
        (["k = 1", "x = k", "k = 2"], 1),
        (["k = 1", "def f(): return k", "k = 2", "x = f()", "k = 3"], 2),
        (["from __future__ import annotations", "def f(a: NotThere): return 1", "x = f(0)"], 1),
        (["x = 1", "x = 2"], 2),
        (["x = 1", "x = x + 1"], 2),
        (["%%time\nx = 5"], 5),
        (["files = !ls\nx = 6\nx?\n%timeit x\n!echo \\\n  on"], 6),
        (["if True:\n    !ls\nx = 7"], 7),
        (["s = '''\n%not a magic\n!no shell\n'''\nx = len(s)"], 24),
        (["x = (17\n % 5)"], 2),
        (["x = '\\\\d' and '\\d'"], "\\d"),
    ],
)  # fmt: skip
def test_the_last_definition_before_its_use_is_taken_with_what_it_needs(
    tmp_path: Path, cells: Sequence[str], expected: object
) -> None:
    found = value(tmp_path, *cells)
    assert (found() == 3) if callable(found) else (found == expected)


@pytest.mark.parametrize(
    "cell",
    [
        "open('ran', 'w')",
        "y = open('ran', 'w')",
        "for i in range(3):\n    open('ran', 'w')",
        "with open('ran', 'w') as f:\n    pass",
        "while True:\n    open('ran', 'w')",
        "if __name__ == '__main__':\n    open('ran', 'w')\n    k = 1",
        "if True:\n    open('ran', 'w')\n    k = 1",
        "import pathlib\npathlib.Path.sep = open('ran', 'w')",
        "def other(): return open('ran', 'w')\nother()",
        "raise SystemExit",
        "1 / 0",
        "assert False",
        "def broken(:",
        "%%javascript\nalert(1)",
        "from not_installed import thing",
        "k = not_defined",
    ],
)
def test_what_a_name_does_not_need_is_not_run_whatever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert value(tmp_path, "import pathlib", cell, "x = pathlib.Path('a').name", cell) == "a"
    assert not (tmp_path / "ran").exists()


def test_an_assignment_that_trains_is_passed_over_and_that_is_said(tmp_path: Path) -> None:
    cells = [
        "def step(m):\n    loss = m\n    loss.backward()\ndef fit(m):\n    step(m)\n    return m",
        "model = [1]\nmodel = list(model)",
        "model = fit(model)",
        "model, history = fit(model), 3",
    ]
    assert value(tmp_path, *cells, name="model") == [1]
    assert notes(tmp_path, *cells, name="model") == [
        "NB: the assignment of model in cell 4 trains, and was not run"
    ]
    mode = [
        "class M:\n    def train(self): return self\ndef train(): loss.backward()",
        "x = M().train()",
    ]
    assert type(value(tmp_path, *mode)).__name__ == "M"  # a mode is set, and nothing is trained


def test_of_several_definitions_the_last_is_taken_and_that_is_said(tmp_path: Path) -> None:
    cells = ["class Net: k = 1", "class Other: pass", "class Net: k = 2"]
    assert value(tmp_path, *cells, name="Net").k == 2
    assert notes(tmp_path, *cells) == [
        "NB: Net is defined in the cells 1, 3, and the definition in cell 3 was taken"
    ]


def test_a_cell_that_is_no_python_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    assert notes(tmp_path, "def (:", "class Net: pass", "x = = 1") == [
        "NB: these cells are no Python and were left out: 1, 3"
    ]


def test_a_name_that_is_nowhere(tmp_path: Path) -> None:
    assert refused(tmp_path, "x = 1") == (
        "--model: expected Net in NB, found nothing of that name; check the spelling"
    )
    assert refused(tmp_path, "class Net(:") == (
        "--model NB: expected Net in a cell, found nothing of that name, and no Python in cells 1; "
        "check the spelling and these cells"
    )


@pytest.mark.parametrize(
    ("cells", "found", "cell"),
    [
        (["for Net in range(3): pass"], "Net", 1),
        (["x = 1", "with open('f') as f:\n    Net = f.read()"], "Net", 2),
        (["for k in range(3): pass", "Net = k + 1"], "k", 1),
        (["for k in range(3): pass", "def Net():\n    return k"], "k", 1),
        (["def fit(): loss.backward()", "Net = fit()"], "Net", 2),
        (["if __name__ == '__main__':\n    Net = 1"], "Net", 1),
    ],
)
def test_what_stands_only_in_a_loop_or_a_training_is_told_with_its_cell(
    tmp_path: Path, cells: list[str], found: str, cell: int
) -> None:
    assert refused(tmp_path, *cells) == (
        f"--model NB: expected {found}, which Net needs, in an import, a definition or a plain "
        f"assignment, found it only in cell {cell} in a loop, a block or a training; "
        "assign it in a line of its own"
    )


def test_an_error_while_it_is_run_is_told_in_one_line(tmp_path: Path) -> None:
    path = notebook(tmp_path, "Net = 1 / 0")
    with pytest.raises(LoadError) as caught:
        parse(f"{path}:Net", option="--model").load()
    assert str(caught.value) == (
        f"--model {path}: expected code that runs, found ZeroDivisionError: division by zero; "
        "correct the code or the arguments"
    )


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"cells": 3}', '{"cells": [1]}', '{"worksheets": []}', "[" * 10**5]
)
def test_what_is_no_notebook_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "nb.ipynb"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(LoadError) as caught:
        program(path, "Net", option="--model")
    assert "expected a notebook (JSON with cells)" in str(caught.value)


def test_a_notebook_of_the_third_format_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.ipynb"
    cells = [{"cell_type": "code", "input": ["x = 3"]}]
    path.write_text(json.dumps({"worksheets": [{"cells": cells}]}), encoding="utf-8")
    assert parse(f"{path}:x", option="").load() == 3


def test_a_notebook_imports_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text("WIDTH = 9", encoding="utf-8")
    assert value(tmp_path, "from layers import WIDTH", "x = WIDTH") == 9


def test_a_dataclass_of_a_notebook_can_be_made(tmp_path: Path) -> None:
    cell = "@dataclass\nclass Config:\n    width: int = 3\n"
    assert value(tmp_path, "from dataclasses import dataclass", cell, name="Config()").width == 3
