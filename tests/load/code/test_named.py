"""What the user names is loaded and called as it would be by hand, and nothing else is run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kashika.errors import LoadError
from kashika.load.code.named import Named, beside, parse, reachable
from kashika.texts import speaking


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Speak English; give the modules back that a test has imported."""
    before = dict(sys.modules)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with speaking("en"):
        yield
    for name in sys.modules.keys() - before.keys():
        del sys.modules[name]


def write(path: Path, source: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(source, encoding="utf-8")
    return path


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("mlp.py:MLP", Named("--model", "mlp.py", "MLP")),
        ("mlp.py:MLP()", Named("--model", "mlp.py", "MLP", (), {})),
        ("nets/mlp.py:MLP(2, 32, 2)", Named("--model", "nets/mlp.py", "MLP", (2, 32, 2), {})),
        (
            "mlp.py:MLP(2, hidden=[32, -1.5], act='ReLU', norm=None)",
            Named(
                "--model", "mlp.py", "MLP", (2,),
                {"hidden": [32, -1.5], "act": "ReLU", "norm": None},
            ),
        ),
        ("C:\\nets\\mlp.py:MLP", Named("--model", "C:\\nets\\mlp.py", "MLP")),
        ("/a b/学習.py:作る(1)", Named("--model", "/a b/学習.py", "作る", (1,), {})),
        ("mlp.py:f('x.py:y')", Named("--model", "mlp.py", "f", ("x.py:y",), {})),
        ("torchvision.models:resnet18", Named("--model", "torchvision.models", "resnet18")),
        ("nets:MLP( 2 )", Named("--model", "nets", "MLP", (2,), {})),
        ("nets:f('a:b')", Named("--model", "nets", "f", ("a:b",), {})),
        ("/a/nets.mlp:MLP", Named("--model", "/a/nets.mlp", "MLP")),
        ("1 日目.ipynb:Net(2)", Named("--model", "1 日目.ipynb", "Net", (2,), {})),
        ("a.ipynb:f('x.py:y')", Named("--model", "a.ipynb", "f", ("x.py:y",), {})),
    ],
)  # fmt: skip
def test_a_file_or_a_module_a_name_and_literal_arguments_are_read(word: str, named: Named) -> None:
    assert parse(word, option="--model") == named


def test_a_file_is_relative_to_the_place_that_it_is_named_in_and_a_module_is_not() -> None:
    here = Path("/runs/7")
    assert parse("mlp.py:MLP", option="", relative_to=here).source == str(here / "mlp.py")
    assert parse("/nets/mlp.py:MLP", option="", relative_to=here).source == "/nets/mlp.py"
    assert parse("nets.mlp:MLP", option="", relative_to=here).source == "nets.mlp"


@pytest.mark.parametrize(
    "word",
    [
        "",
        "mlp.py",
        "mlp.py:",
        ":MLP",
        "MLP",
        "mlp.py:MLP(",
        "mlp.py:MLP(2",
        "mlp.py:MLP 2",
        "mlp.py:nets.MLP",
        "mlp.py:MLP()()",
        "mlp.py:MLP(width)",
        "mlp.py:MLP(1 + 1)",
        "mlp.py:MLP(*[1, 2])",
        "mlp.py:MLP(**{'width': 2})",
        "mlp.py:MLP({[1]: 2})",
        "mlp.py:MLP(print('run'))",
        "mlp.py:MLP(__import__('os').system('true'))",
        "mlp.py:lambda: 1",
        "mlp.py:MLP\0",
    ],
)
def test_any_other_form_is_refused_and_nothing_is_run(word: str) -> None:
    with pytest.raises(LoadError) as caught:
        parse(word, option="--model")
    assert str(caught.value) == (
        "--model: expected FILE.py:NAME or package.module:NAME, with literals as arguments if any, "
        f"found {word!r}; correct it"
    )


# --- loading and calling -------------------------------------------------------------------------

SOURCE = """
def pair(a, b=2):
    return (a, b)

VALUE = [1]
"""


def test_a_name_without_parentheses_is_the_object_and_with_them_its_result(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.py", SOURCE)
    assert parse(f"{file}:VALUE", option="").load() == [1]
    assert parse(f"{file}:pair(1)", option="").load() == (1, 2)
    assert parse(f"{file}:pair(1, b='x')", option="").load() == (1, "x")
    named = parse(f"{file}:pair", option="")
    assert callable(named.load())
    with pytest.raises(LoadError):
        named.call(named.load())


def test_a_module_is_imported_by_its_name() -> None:
    assert parse("math:hypot(3, 4)", option="").load() == 5.0
    assert parse("os.path:join('a', 'b')", option="").load() == str(Path("a/b"))


def test_a_module_in_the_working_directory_is_found_as_python_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "nets_here" / "__init__.py", "")
    write(tmp_path / "nets_here" / "deep.py", "from . import wide\nNAME = wide.NAME")
    write(tmp_path / "nets_here" / "wide.py", "NAME = 'wide'")
    with pytest.raises(LoadError):
        parse("nets_here.deep:NAME", option="").load()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one])
    before = sys.path.copy()
    assert parse("nets_here.deep:NAME", option="").load() == "wide"
    assert sys.path == before
    assert not (tmp_path / "nets_here" / "__pycache__").exists()


def test_a_file_of_a_package_finds_it_where_you_are_and_hides_nothing_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "nets_pack" / "__init__.py", "")
    write(tmp_path / "nets_pack" / "parts.py", "NAME = 'part'")
    write(tmp_path / "numpy.py", "raise AssertionError('nobody named it')")
    source = "import numpy\nfrom nets_pack.parts import NAME"
    file = write(tmp_path / "nets_pack" / "whole.py", source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one])
    before = sys.path.copy()
    assert parse(f"{file}:NAME", option="").load() == "part"
    assert sys.path == before


def test_what_named_code_imports_later_is_reachable_behind_all_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(
        tmp_path / "there" / "mine.py", "def late():\n    import after_all as it\n    return it.K"
    )
    write(tmp_path / "there" / "after_all.py", "K = 3")
    write(tmp_path / "here" / "x.py", "")
    monkeypatch.chdir(tmp_path / "here")
    before = sys.path.copy()
    late = parse(f"{file}:late", option="").load()
    with pytest.raises(ImportError):
        late()
    with reachable([f"{file}:late", "math:hypot(3, 4)"]):
        assert sys.path[: len(before)] == before
        assert late() == 3
    assert sys.path == before
    with reachable([]):
        assert sys.path == before


def test_a_module_beside_a_configuration_is_found_from_elsewhere(tmp_path: Path) -> None:
    write(
        tmp_path / "nets_there.py",
        "def make(k):\n    import late_there\n    return k, late_there.K",
    )
    write(tmp_path / "late_there.py", "K = 2")
    word = beside("nets_there:make(1)", tmp_path)
    assert word == f"{tmp_path}/nets_there:make(1)"
    assert parse(word, option="").load() == (1, 2)
    assert parse("nets_there:make(1)", option="", relative_to=tmp_path).load() == (1, 2)
    for other in ("torch.nn:Linear", "cross_entropy", "os.path:join('a')"):
        assert beside(other, tmp_path) == other
    assert beside("a.ipynb:Net", tmp_path) == f"{tmp_path}/a.ipynb:Net"
    assert beside("/nets/a.py:Net", tmp_path) == "/nets/a.py:Net"


def test_a_file_imports_its_neighbours_as_it_does_when_it_is_run(tmp_path: Path) -> None:
    write(tmp_path / "neighbour.py", "NAME = 'next door'")
    write(tmp_path / "later.py", "NAME = 'when called'")
    file = write(
        tmp_path / "mine.py",
        "from neighbour import NAME\ndef late():\n    import later\n    return later.NAME",
    )
    assert parse(f"{file}:NAME", option="").load() == "next door"
    assert parse(f"{file}:late()", option="").load() == "when called"


def test_a_dataclass_with_written_out_annotations_can_be_defined(tmp_path: Path) -> None:
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Net:\n    width: int = 3"
    )
    file = write(tmp_path / "mine.py", source)
    assert parse(f"{file}:Net()", option="").load().width == 3


def test_two_files_of_the_same_name_are_two_modules(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name / "mine.py", f"NAME = {name!r}")
    names = [parse(f"{tmp_path / name}/mine.py:NAME", option="").load() for name in ("a", "b")]
    assert names == ["a", "b"]


def test_the_path_is_as_it_was_and_a_module_of_that_name_stays_the_same(tmp_path: Path) -> None:
    import json

    path = sys.path.copy()
    write(tmp_path / "json.py", "NAME = 'mine'\ndef fail():\n    raise ValueError")
    write(tmp_path / "broken.py", "raise ValueError")
    assert parse(f"{tmp_path / 'json.py'}:NAME", option="").load() == "mine"
    for word in ("json.py:fail()", "broken.py:NAME", "json.py:no_such_name"):
        with pytest.raises(LoadError):
            parse(f"{tmp_path / word}", option="").load()
    assert sys.path == path
    assert sys.modules["json"] is json
    assert "broken" not in sys.modules


def test_what_the_users_code_prints_does_not_get_among_the_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = "print('imported')\ndef load():\n    print('called')\n    return 1"
    assert parse(f"{write(tmp_path / 'mine.py', source)}:load()", option="").load() == 1
    assert capsys.readouterr() == ("", "imported\ncalled\n")


# --- what can be wrong with it -------------------------------------------------------------------


def said(word: str) -> str:
    with pytest.raises(LoadError) as caught:
        parse(word, option="--model").load()
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for file in (tmp_path / "mine.py", tmp_path / "no" / "mine.py"):
        assert said(f"{file}:MLP") == (
            f"--model: expected a file, found nothing at {file}; check the path"
        )


def test_a_name_that_is_not_there(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.py", SOURCE)
    assert said(f"{file}:MLP") == (
        f"--model: expected MLP in {file}, found nothing of that name; check the spelling"
    )
    assert said("math:MLP") == (
        "--model: expected MLP in math, found nothing of that name; check the spelling"
    )


def test_a_module_that_is_not_there() -> None:
    assert said("no_such_package.nets:MLP") == (
        "--model no_such_package.nets: expected code that runs, found ModuleNotFoundError: "
        "No module named 'no_such_package'; correct the code or the arguments"
    )


def test_a_syntax_error_is_told_with_its_place(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.py", "import os\ndef MLP(:\n")
    assert said(f"{file}:MLP") == (
        f"--model {file}: expected code that runs, found SyntaxError: {file}, line 2: "
        "invalid syntax; correct the code or the arguments"
    )


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("raise RuntimeError('no\\n  data')", "RuntimeError: no data"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import sys; sys.exit()", "SystemExit"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import not_installed", "ModuleNotFoundError: No module named 'not_installed'"),
        ("raise OSError(2, 'None', 'X.npy')", "FileNotFoundError: [Errno 2] None: 'X.npy'"),
        ("assert False", "AssertionError"),
    ],
)  # fmt: skip
def test_code_that_raises_becomes_one_line_when_imported_and_when_called(
    tmp_path: Path, statement: str, error: str
) -> None:
    file = write(tmp_path / "mine.py", statement)
    end = f"expected code that runs, found {error}; correct the code or the arguments"
    assert said(f"{file}:MLP") == f"--model {file}: {end}"
    file = write(tmp_path / "other.py", f"def MLP():\n    {statement}")
    assert said(f"{file}:MLP()") == f"--model {file}:MLP: {end}"


def test_arguments_that_do_not_fit_are_told_by_python(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.py", SOURCE)
    assert said(f"{file}:pair(1, 2, 3)") == (
        f"--model {file}:pair: expected code that runs, found TypeError: "
        "pair() takes from 1 to 2 positional arguments but 3 were given; "
        "correct the code or the arguments"
    )
    assert said(f"{file}:VALUE()") == (
        "--model: expected VALUE to be a class or a function, found list; name another object"
    )


def test_what_kashika_itself_says_inside_the_users_code_stays_as_it_is(tmp_path: Path) -> None:
    source = (
        "from kashika.load.code.named import parse\n"
        "def MLP():\n    parse('no name', option='inner')"
    )
    file = write(tmp_path / "mine.py", source)
    assert said(f"{file}:MLP()").startswith("inner: expected FILE.py:NAME")


def test_an_interrupt_is_not_taken_for_an_error(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.py", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        parse(f"{file}:MLP", option="--model").load()


def test_the_messages_are_there_in_japanese(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.py", "1 / 0")
    with speaking("ja"):
        assert said(f"{file}:MLP") == (
            f"--model {file}: 実行できるコードのはずですが、ZeroDivisionError: division by zero "
            "となりました。コードか引数を直してください。"
        )
        assert said("math:MLP") == (
            "--model: math に MLP があるはずですが、ありません。つづりを確かめてください。"
        )
        with pytest.raises(LoadError) as caught:
            parse("MLP", option="--model")
        assert str(caught.value) == (
            "--model: FILE.py:NAME または package.module:NAME（引数はリテラル）のはずですが、"
            "'MLP' でした。直してください。"
        )
