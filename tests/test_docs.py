"""The documents: every block of code in them is run, and they name what there is."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import shutil
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from make_rules import PAGES, page
from test_layers import BELOW, MODULES, below, room

import kashika
from kashika import texts
from kashika.cli import main
from kashika.demo import FAULTS, train
from kashika.distribution import KEPT
from kashika.texts import speaking
from kashika.view import Evidence, Finding, Level
from kashika.views import BUILTIN

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "README.ja.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
READMES = DOCUMENTS[:2]

FENCE = re.compile(r"^```(\S+) ?([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TARGET = re.compile(r"^([\w-]+):", re.MULTILINE)
STATUS = re.compile(r"exit status (\d)")
ARROW = "─►"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Block:
    """A block of code: what it is written in, the file it stands for if any, and its lines."""

    language: str
    file: str
    content: str


def blocks(document: str) -> list[Block]:
    return [Block(*found) for found in FENCE.findall(document)]


@dataclass
class Reader:
    """Somebody who does what a document says, block by block, in a folder of his own.

    A block that he does not know how to follow is an error, as is one that does not hold.
    """

    folder: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    output: str = ""

    def follow(self, block: Block) -> None:
        if block.file:
            file = self.folder / block.file
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.content, encoding="utf-8")
        match block.language:
            case "python" if block.file:
                self.call_tests(runpy.run_path(block.file))
            case "python":
                exec(compile(block.content, "<document>", "exec"), self.names)
            case "sh":
                for line in block.content.splitlines():
                    self.type(line)
            case "console":
                self.compare(block.content)
            case "json":
                self.compare_json(json.loads(block.content))
            case "toml":
                tomllib.loads(block.content)
            case "text" if block.file:
                pass
            case "text" if ARROW in block.content:
                follow_arrows(block.content)
            case "text":
                self.find_files(block.content)
            case other:
                raise AssertionError(f"nobody checks a block of {other!r}")

    def call_tests(self, module: Mapping[str, Any]) -> None:
        for name, function in module.items():
            if name.startswith("test_"):
                function()

    def type(self, line: str) -> None:
        """Run a line if it is kashika's, else check as much as can be checked."""
        said = STATUS.search(line)
        match shlex.split(line, comments=True):
            case ["kashika", *arguments]:
                result = CliRunner().invoke(main, arguments, catch_exceptions=False)
                expected = int(said[1]) if said else 0
                assert result.exit_code == expected, f"{line}: {result.output}"
                self.output = result.output
            case ["make", target]:
                assert target in TARGET.findall(read(ROOT / "Makefile")), line
            case _:
                raise AssertionError(f"nobody checks the line {line!r}")

    def compare(self, session: str) -> None:
        """Type what stands after each $, and compare what comes with what stands below it."""
        _, *commands = re.split(r"^\$ ", session, flags=re.MULTILINE)
        for command in commands:
            line, _, expected = command.partition("\n")
            self.type(line)
            assert self.output == expected

    def compare_json(self, expected: Any) -> None:
        """Compare with what came last; versions and the command line are the reader's own.

        Of the findings the page may show some only.
        """
        found = json.loads(self.output)
        shown = {one["rule"] for one in expected["findings"]}
        found["findings"] = [one for one in found["findings"] if one["rule"] in shown]
        own = {"torch", "numpy", "matplotlib", "command"}
        for one in (found, expected):
            one["provenance"].update(dict.fromkeys(own & one["provenance"].keys(), "own"))
        assert found == expected

    def find_files(self, listing: str) -> None:
        for line in listing.splitlines():
            name = line.split()[0]
            places = (self.folder / name, ROOT / "src" / "kashika" / name)
            assert any(place.exists() for place in places), name


def follow_arrows(diagram: str) -> None:
    """Check that every arrow leads to something that may be imported there."""
    for line in diagram.splitlines():
        ends = [re.findall(r"\w+", one.replace("/*", "")) for one in re.split(f"─*{ARROW}", line)]
        for i, sources in enumerate(ends[:-1]):
            for source in sources:
                wrong = [name for name in ends[i + 1] if name not in below(source)]
                assert not wrong, f"{source} {ARROW} {wrong}"


# --- every block is followed --------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what `kashika demo demo-run` leaves, and the same as a user would have it."""
    folder = tmp_path_factory.mktemp("documents")
    assert len(list(train(folder / "demo-run"))) == 100
    for name in ("mlp.py", "data.py"):
        shutil.copy(folder / "demo-run" / name, folder)
    shutil.copytree(folder / "demo-run" / "output", folder / "output")
    return folder


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """A reader in a folder with one empty file."""
    (tmp_path / "mlp.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KASHIKA_LANG", "en")
    return Reader(tmp_path)


@pytest.fixture
def reader(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """A reader in a copy of that folder, with the network and the data at hand."""
    import torch

    folder = tmp_path / "reader"
    shutil.copytree(trained, folder)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("KASHIKA_LANG", "en")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    before = set(sys.modules)
    one = Reader(folder)
    model = runpy.run_path("mlp.py")["MLP"](input_dim=2, hidden_dim=32, output_dim=2)
    model.load_state_dict(torch.load("output/model.pth"))
    one.names["model"] = model
    for split, (inputs, targets) in runpy.run_path("data.py")["load"]().items():
        one.names |= {f"X_{split}": inputs, f"y_{split}": targets}
    yield one
    import matplotlib.pyplot as plt

    plt.close("all")
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) == str(folder / f"{name}.py"):
            del sys.modules[name]


@pytest.mark.slow
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_block_of_a_document_can_be_followed(path: Path, reader: Reader) -> None:
    for block in blocks(read(path)):
        reader.follow(block)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_fence_belongs_to_a_block(path: Path) -> None:
    assert len(re.findall(r"^\s*(?:```|~~~)", read(path), re.MULTILINE)) == 2 * len(
        blocks(read(path))
    )


@pytest.mark.parametrize(
    "block",
    [
        Block("yaml", "", "a: 1\n"),
        Block("python", "", "1 / 0\n"),
        Block("python", "test_wrong.py", "def test_wrong():\n    assert 1 == 2\n"),
        Block("sh", "", "kashika check nowhere\n"),
        Block("sh", "", "kashika views  # exit status 1\n"),
        Block("sh", "", "kashika look\n"),
        Block("sh", "", "make nothing\n"),
        Block("sh", "", "rm data.py\n"),
        Block("console", "", "$ kashika --version\nkashika, version 0\n"),
        Block("toml", "", "key = value\n"),
        Block("text", "", "mlp.py   the network\nnothing.py   not there\n"),
        Block("text", "", f"run {ARROW} view\n"),
        Block("text", "", f"cli {ARROW} demo, nothing\n"),
    ],
    ids=lambda block: f"{block.language}: {block.content.splitlines()[0]}",
)
def test_a_block_that_does_not_hold_is_an_error(block: Block, bare: Reader) -> None:
    with pytest.raises((AssertionError, ZeroDivisionError, tomllib.TOMLDecodeError)):
        bare.follow(block)


def test_a_number_in_a_json_block_that_is_not_the_commands_is_an_error(bare: Reader) -> None:
    bare.follow(Block("text", "logs/train_loss.txt", "0.7\n0.4\n0.2\n"))
    bare.follow(Block("sh", "", "kashika check logs --view curves --json\n"))
    right = bare.output
    bare.follow(Block("json", "", right))
    with pytest.raises(AssertionError):
        bare.follow(Block("json", "", right.replace("0.7", "0.8")))


# --- they name what there is --------------------------------------------------------------------

REFERENCE = read(ROOT / "docs" / "reference.md")


def rows(document: str) -> Iterator[list[str]]:
    """Give the cells of every row of every table."""
    for line in document.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def quoted(cell: str) -> list[str]:
    """Return what stands in backquotes."""
    return re.findall(r"`([^`]+)`", cell)


OPTIONS = [
    (name, option)
    for name, command in main.commands.items()
    for parameter in command.get_params(click.Context(command))
    if isinstance(parameter, click.Option)
    for option in parameter.opts
]


@pytest.mark.parametrize(("command", "option"), OPTIONS, ids=lambda one: one)
def test_every_option_stands_in_the_reference(command: str, option: str) -> None:
    of = [row[1] for row in rows(REFERENCE) if option in quoted(row[0])]
    assert any(command in words or words == "all" for words in of)


@pytest.mark.parametrize("name", main.commands)
@pytest.mark.parametrize("path", [*READMES, ROOT / "docs/reference.md"], ids=lambda path: path.name)
def test_every_command_is_listed(path: Path, name: str) -> None:
    assert any(row[0].startswith(f"`kashika {name}") for row in rows(read(path)))


@pytest.mark.parametrize("language", PAGES)
def test_the_page_on_the_rules_is_the_one_that_its_command_writes(language: str) -> None:
    assert read(PAGES[language]) == page(language)


@pytest.mark.parametrize("view", BUILTIN, ids=lambda view: view.name)
def test_every_picture_is_listed(view: kashika.View[Any]) -> None:
    pictures = REFERENCE.partition("\n## Pictures\n")[2].partition("\n## ")[0]
    (cell,) = (row[1] for row in rows(pictures) if row[0] == f"`{view.name}`")
    assert sorted(quoted(cell)) == sorted(picture.name for picture in view.pictures)


def test_every_key_of_the_configuration_stands_in_the_example() -> None:
    from kashika.load import Options

    (block,) = (one for one in blocks(REFERENCE) if one.language == "toml")
    # A file in somebody's folder cannot trust a checkpoint.
    assert set(tomllib.loads(block.content)) == set(Options.__dataclass_fields__) - {"trust"}


def test_every_public_name_is_listed() -> None:
    table = REFERENCE.partition("\n## Public names\n")[2]
    assert sorted(name for row in rows(table) for name in quoted(row[0])) == kashika.__all__


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.name)
def test_every_view_and_every_fault_is_listed(path: Path) -> None:
    names = [quoted(row[0])[0] for row in rows(read(path)) if quoted(row[0])]
    assert [name for name in names if name in FAULTS] == list(FAULTS)
    views = [view.name for view in BUILTIN]
    assert [name for name in names if name in views] == views


def test_the_listing_of_the_design_is_complete() -> None:
    first, *_ = (one for one in blocks(read(ROOT / "docs/design.md")) if one.language == "text")
    listed = [line.split()[0] for line in first.content.splitlines()]
    views, *_ = (line for line in first.content.splitlines() if line.startswith("views/ "))
    of_every_view = re.findall(r"\w+\.py", views)
    for path in MODULES.values():
        name = path.relative_to(ROOT / "src" / "kashika").as_posix()
        if name.startswith("views/") and path.name in of_every_view:
            continue
        folder = name.removesuffix("__init__.py")
        assert any(name == one or one == folder or one.startswith(folder) for one in listed), name


def test_the_listing_of_the_design_points_down() -> None:
    first, *_ = (one for one in blocks(read(ROOT / "docs/design.md")) if one.language == "text")
    names = [re.split(r"[/.]", line.split()[0])[0] for line in first.content.splitlines()]
    order = list(dict.fromkeys(names))
    assert set(order) == set(BELOW)
    for place, name in enumerate(order[2:], start=2):  # the first two stand for the package
        assert below(name).isdisjoint(order[:place])


def test_the_design_gives_the_number_of_values_that_are_kept() -> None:
    assert f"{KEPT:,} values" in read(ROOT / "docs/design.md")


# --- they fit together ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", read(path)):
        assert (path.parent / target).is_file(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_sends_its_reader_elsewhere(path: Path) -> None:
    assert "://" not in read(path)


def test_both_readmes_say_the_same() -> None:
    english, japanese = map(read, READMES)
    assert english.count("\n## ") == japanese.count("\n## ")
    typed = [
        [line for one in blocks(text) if one.language == "sh" for line in one.content.splitlines()]
        for text in (english, japanese)
    ]
    assert [shlex.split(line, comments=True) for line in typed[0]] == [
        shlex.split(line, comments=True) for line in typed[1]
    ]
    assert len(list(rows(english))) == len(list(rows(japanese)))
    assert {one for one in blocks(english) if one.language == "python"} <= set(blocks(japanese))


@pytest.mark.parametrize(
    "path", [READMES[1], ROOT / "examples/visualization.md"], ids=lambda path: path.name
)
def test_japanese_has_the_marks_of_the_house(path: Path) -> None:
    assert re.findall(r"[，．]|[ぁ-んァ-ヶ一-龠][,.!?:;]", read(path)) == []


@pytest.mark.parametrize("name", ["report.png", "report.ja.png"])
def test_the_picture_of_the_readme_is_small(name: str) -> None:
    assert (ROOT / "docs" / "images" / name).stat().st_size < 300_000


def test_the_page_on_adding_a_view_is_not_longer_than_a_view() -> None:
    lengths = Counter[str]()
    for name, path in MODULES.items():
        if name.startswith("views."):
            lengths[room(name)] += len(read(path).splitlines())
    assert len(read(ROOT / "CONTRIBUTING.md").splitlines()) <= min(lengths.values())


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_texts_of_the_new_view_give_its_rule_words(
    language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {one.file: one.content for one in blocks(read(ROOT / "CONTRIBUTING.md"))}
    new = {name: dict(texts._flat(tomllib.loads(files[f"{name}.toml"]))) for name in ("en", "ja")}
    assert new["en"].keys() == new["ja"].keys()
    monkeypatch.setattr(texts, "_sentences", new.__getitem__)
    evidence = (Evidence("carried", 0.75, limit=0.5), Evidence("few", 0.01))
    with speaking(language):
        for level in (Level.OK, Level.UNKNOWN, Level.NOTE):
            finding = Finding("losses.concentrated", level, evidence)
            assert finding.title == new[language]["rules.losses.concentrated.title"]
            assert ("75%" in finding.summary) == (level is not Level.UNKNOWN)


@pytest.mark.slow
def test_the_new_view_judges_a_run_by_its_rule(reader: Reader) -> None:
    files = {one.file: one for one in blocks(read(ROOT / "CONTRIBUTING.md"))}
    reader.follow(files["losses.py"])
    reader.type("kashika check demo-run --view curves --view losses.py:VIEW --json")
    found = json.loads(reader.output)
    assert [one["view"] for one in found["sections"]] == ["curves", "losses"]
    assert ("losses.concentrated", "ok") in {(f["rule"], f["level"]) for f in found["findings"]}
