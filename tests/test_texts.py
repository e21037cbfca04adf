"""The sentences: the same in both languages, all there, all used, written as readers write."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from collections.abc import Callable, Iterator, Set
from functools import cache
from itertools import product
from pathlib import Path
from string import Formatter
from typing import Any, get_args, get_type_hints

import click
import numpy as np
import pytest

from kashika import cli, contents, texts
from kashika.diagnosis import CAUSES, Sureness
from kashika.errors import KashikaError, LoadError, MismatchError, Missing, need, one_line
from kashika.explanation import ASPECTS
from kashika.history import Series
from kashika.naming import SPLITS
from kashika.projection import Projection
from kashika.task import Meaning
from kashika.texts import LANGUAGES, Sentence, blank, has, language, speaking, text
from kashika.view import Evidence, Level
from kashika.views import BUILTIN

SOURCE = Path(texts.__file__).parents[1]
Rule = Callable[[Any], Any]


def flat(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


TEXTS = {
    lang: dict(flat(tomllib.loads((SOURCE / f"texts/{lang}.toml").read_text(encoding="utf-8"))))
    for lang in LANGUAGES
}
TABLES = "|".join(sorted({key.partition(".")[0] for key in TEXTS["en"]}))
KEY = re.compile(rf"({TABLES})\.[\w.]+")
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")}


def fields(sentence: str) -> set[str]:
    """Return what a sentence asks to be filled in, with attributes: {"rise", "last_at.place"}."""
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


def roots(sentence: str) -> set[str]:
    return {name.partition(".")[0] for name in fields(sentence)}


# --- the two languages ---------------------------------------------------------------------------


def test_both_languages_have_the_same_sentences_in_the_same_order() -> None:
    assert list(TEXTS["en"]) == list(TEXTS["ja"])


@pytest.mark.parametrize("key", TEXTS["en"])
def test_a_sentence_tells_the_same_values_in_both_languages(key: str) -> None:
    assert fields(TEXTS["en"][key]) == fields(TEXTS["ja"][key])


NAMES = {
    "words.pca", "words.tsne", "columns.rmse", "columns.rms", "columns.perplexity",
    "boundary.named",
    "errors.section_missing", "report.of", "cli.error", "explain.limit",
}  # fmt: skip
"""Names and frames, the same in every language."""

CITATION = re.compile(r"rules\..*\.reference")
JAPANESE = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff]")
CODE = re.compile(r"\{[^}]*\}|'[^']*'|\([^)]*\)|--?[\w-]+|[\w./]*\w\.\w[\w()…:]*")


def prose(sentence: str) -> str:
    """Take out the values, names of files, options and code."""
    return CODE.sub("", sentence)


def test_everything_with_a_word_in_it_is_translated() -> None:
    same = {
        key
        for key, sentence in TEXTS["ja"].items()
        if not JAPANESE.search(sentence) and not CITATION.fullmatch(key)
    }
    assert same == NAMES


@pytest.mark.parametrize("key", [key for key in TEXTS["ja"] if not CITATION.fullmatch(key)])
def test_japanese_is_written_with_its_own_comma_and_full_stop(key: str) -> None:
    said = prose(TEXTS["ja"][key])
    assert not re.search("[,，．｡､!?;]", said)
    assert not re.search(r"\.(\s|$)", said)
    english, japanese = TEXTS["en"][key], TEXTS["ja"][key]
    is_sentence = english.endswith((".", "?")) or key.startswith(("errors.", "missing."))
    if is_sentence and key not in NAMES:
        assert japanese.endswith("。")
    if "。" in said:
        assert japanese.endswith("。")


def test_english_is_written_without_japanese() -> None:
    assert [
        key for key, sentence in TEXTS["en"].items() if re.search("[\u3000-\u9fff]", sentence)
    ] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_sentence_is_one_line_without_blanks_around_it(lang: str) -> None:
    for key, sentence in TEXTS[lang].items():
        assert sentence == sentence.strip() != ""
        assert "\n" not in sentence or key == "labels.zeros_of"  # the title of a narrow picture


def test_an_error_in_english_has_its_three_parts_and_what_to_do() -> None:
    for key, sentence in TEXTS["en"].items():
        if key.startswith("errors.") and key not in NAMES:
            assert re.search(r"(expected|does not fit|found) .*; ", sentence), key


# --- the sources ---------------------------------------------------------------------------------

ROW = re.compile(r"\bRow\b")


@cache
def columns() -> frozenset[str]:
    """Return the columns of every table: the keys of the rows that the views' functions return."""
    found: set[str] = set()
    for path, tree in TREES.items():
        for node in ast.walk(tree) if path.stem in ("tables", "contents") else ():
            if isinstance(node, ast.FunctionDef) and node.returns:
                rows = ROW.search(ast.unparse(node.returns))
                found.update(*map(named_columns, ast.walk(node) if rows else ()))
    return frozenset(found)


def named_columns(node: ast.AST) -> set[str]:
    """Return the keys in {"rms": …} and in row["rms"] = …, and every unit in {series.unit: …}."""
    keys = node.keys if isinstance(node, ast.Dict) else []
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        keys = [node.slice]
    found = {one.value for one in keys if isinstance(one, ast.Constant)}
    units = {unit for one in keys if isinstance(one, ast.Attribute) for unit in HOLES[one.attr]}
    return {one for one in found if isinstance(one, str)} | units


def evidence(rule: Rule) -> set[str]:
    """Return the quantities that a rule may give as evidence."""
    said = inspect.getsource(rule)
    own = vars(inspect.getmodule(rule))
    helpers = [own[name] for name in re.findall(r"\b_\w+(?=\()", said) if name in own]
    said += "".join(inspect.getsource(one) for one in helpers if inspect.isfunction(one))
    return set(re.findall(r'Evidence\(\s*"(\w+)"', said))


RULES = {f"{view.name}.{rule.__name__}": rule for view in BUILTIN for rule in view.rules}
QUANTITIES = {quantity for rule in RULES.values() for quantity in evidence(rule)}
NEEDED = {
    str(node.args[1].value)
    for tree in TREES.values()
    for node in ast.walk(tree)
    if isinstance(node, ast.Call)
    and ast.unparse(node.func) == "need"
    and isinstance(node.args[1], ast.Constant)
}
HOLES = {
    "split": SPLITS,
    "unit": get_args(get_type_hints(Series)["unit"]),
    "method": get_args(get_type_hints(Projection)["method"]),
    "level": [str(level) for level in Level],
    "part": contents.PARTS,
    "outputs": get_args(Meaning),
    "aspect": ASPECTS,
    "outcome": ("found", "false"),
    "sureness": get_args(Sureness),
    "form": ("", "_positional", "_shifted"),
}
"""What may stand in the hole of an f-string, by the last name in it."""

FAMILIES: dict[str, Set[str]] = {
    "views": {f"{v.name}.{part}" for v in BUILTIN for part in ("title", "question", "needs")},
    "pictures": {f"{view.name}.{one.name}" for view in BUILTIN for one in view.pictures},
    "tables": {f"{view.name}.{one.name}" for view in BUILTIN for one in view.tables},
    "rules": {
        f"{name}.{part}"
        for name, rule in RULES.items()
        for part in (
            "title", "looks", "means", "doubt", "advice", "reference",
            *map(str.lower, re.findall(r"Level\.([A-Z]+)", inspect.getsource(rule))),
        )
    },
    "causes": {f"{cause.name}.{part}" for cause in CAUSES for part in ("title", "advice")},
    "columns": columns() | {one for one in QUANTITIES if f"quantities.{one}" not in TEXTS["en"]},
    "quantities": {one for one in QUANTITIES if f"quantities.{one}" in TEXTS["en"]},
    "missing": NEEDED,
    "cli": {
        str(option.name)
        for option in cli.check.params
        if isinstance(option, click.Option) and f"cli.{option.name}" in TEXTS["en"]
    },
}  # fmt: skip
"""Keys that are put together from names, by their table."""


NO_KEYS = {*RULES, "report.html"}
"""Strings that look like keys: the ids of rules, and a file."""


def keys_of(node: ast.AST) -> set[str]:
    """Return the keys that a piece of the sources may stand for; none, if it is no key."""
    if isinstance(node, ast.Constant):
        word = node.value if isinstance(node.value, str) else ""
        return {word} - NO_KEYS if KEY.fullmatch(word) else set()
    if not isinstance(node, ast.JoinedStr):
        return set()
    parts = [[literal(part)] if isinstance(part, ast.Constant) else [] for part in node.values]
    start = parts[0][0] if parts[0] else ""
    table = start.partition(".")[0]
    if not re.match(rf"({TABLES})\.", start):
        return set()
    if table in FAMILIES:
        return {f"{table}.{name}" for name in FAMILIES[table]}
    for part, hole in zip(parts, node.values, strict=True):
        if isinstance(hole, ast.FormattedValue):
            part += HOLES[re.split(r"\W", ast.unparse(hole.value))[-1]]
    return {"".join(choice) for choice in product(*parts)}


def literal(node: ast.Constant) -> str:
    assert isinstance(node.value, str)
    return node.value


def strings(tree: ast.AST) -> Iterator[ast.AST]:
    """Give every string of a module, an f-string as one."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr):
            yield node
        if isinstance(node, ast.JoinedStr):
            holes = (part for part in node.values if isinstance(part, ast.FormattedValue))
            yield from (inner for hole in holes for inner in strings(hole))
        else:
            yield from strings(node)


@cache
def used() -> frozenset[str]:
    """Return every key that the sources and the page's template name."""
    found = {key for tree in TREES.values() for one in strings(tree) for key in keys_of(one)}
    template = (SOURCE / "page/template.html.j2").read_text(encoding="utf-8")
    for name in re.findall(r'text\("([\w.%]+)"', template):
        found |= {name.replace("%s", level) for level in HOLES["level"]} if "%s" in name else {name}
    return frozenset(found)


def test_every_sentence_that_the_sources_name_exists() -> None:
    # The levels that need no attention are not counted at the top of the page.
    assert used() - TEXTS["en"].keys() == {"page.count.ok", "page.count.unknown"}


def test_every_sentence_is_named_somewhere() -> None:
    assert TEXTS["en"].keys() - used() == set()


def test_every_column_and_every_quantity_has_a_heading() -> None:
    assert {name for name in columns() if f"columns.{name}" not in TEXTS["en"]} == set()
    assert {
        name
        for name in QUANTITIES
        if f"quantities.{name}" not in TEXTS["en"] and f"columns.{name}" not in TEXTS["en"]
    } == set()


SAYING = {"text", "Sentence", "LoadError", "MismatchError", "Missing"}


def lacking(node: ast.AST) -> set[str]:
    """Return the sentences that a call asks for without giving every value in them."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
        return set()
    given = {one.arg for one in node.keywords}
    if node.func.id not in SAYING or None in given:  # **values
        return set()
    return {key for key in keys_of(node.args[0]) if not roots(TEXTS["en"].get(key, "")) <= given}


def test_a_sentence_is_given_every_value_that_it_asks_for() -> None:
    nodes = ((path.name, node) for path, tree in TREES.items() for node in ast.walk(tree))
    assert [(name, key) for name, node in nodes for key in lacking(node)] == []


@pytest.mark.parametrize("given", ["", "path=path", "**values"])
def test_a_value_that_is_not_given_is_noticed(given: str) -> None:
    call = ast.parse(f"LoadError('errors.log.nothing', {given})", mode="eval").body
    assert lacking(call) == (set() if given == "**values" else {"errors.log.nothing"})


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_asks_only_for_numbers_that_are_its_evidence(rule: str) -> None:
    for key, sentence in TEXTS["en"].items():
        if key.startswith(f"rules.{rule}."):
            part = key.rpartition(".")[2]
            # Advice holds for every case, and what is unknown has no numbers yet.
            bare = part in ("unknown", "title", "advice", "reference")
            assert roots(sentence) <= (set() if bare else evidence(RULES[rule]))


@pytest.mark.parametrize(
    ("source", "keys"),
    [
        ("'errors.named'", {"errors.named"}),
        ("f'labels.{split}'", {"labels.train", "labels.valid", "labels.test"}),
        ("f'labels.{one.unit}'", {"labels.epoch", "labels.step", "labels.row"}),
        ("f'features.title_{p.method}'", {f"features.title_{m}" for m in ("plain", "pca", "tsne")}),
        ("f'missing.{key}'", {f"missing.{name}" for name in NEEDED}),
        ("'os.path'", set()),
        ("f'{x}.y'", set()),
        ("'errors'", set()),
        ("'features.dead_units'", set()),
        ("3", set()),
        ("x", set()),
    ],
)
def test_the_keys_of_a_string_are_found(source: str, keys: set[str]) -> None:
    assert keys_of(ast.parse(source, mode="eval").body) == keys


# --- speaking ------------------------------------------------------------------------------------


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Take every sign of a language out of the environment."""
    for name in ("KASHIKA_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("locale.getlocale", lambda: (None, None))
    return monkeypatch


def test_what_was_spoken_before_is_spoken_again(nowhere: pytest.MonkeyPatch) -> None:
    assert language() == "en"
    with speaking("ja"):
        assert language() == "ja"
        assert text("levels.ok") == "良好"
        with speaking("en"):
            assert text("levels.ok") == "ok"
        assert language() == "ja"
        with pytest.raises(ZeroDivisionError), speaking("en"):
            raise ZeroDivisionError
        assert language() == "ja"
    nowhere.setenv("KASHIKA_LANG", "ja")
    assert language() == "ja"
    with speaking("en"):
        assert language() == "en"


def test_a_language_without_texts_is_refused() -> None:
    with pytest.raises(ValueError, match="language") as caught, speaking("fr"):
        pass
    assert str(caught.value) == "language: expected one of ('en', 'ja'), found 'fr'"


@pytest.mark.parametrize(
    ("environment", "spoken"),
    [
        ({"KASHIKA_LANG": "ja", "LC_ALL": "en_US.UTF-8"}, "ja"),
        ({"KASHIKA_LANG": "en", "LANG": "ja_JP.UTF-8"}, "en"),
        ({"KASHIKA_LANG": "fr", "LANG": "ja_JP.UTF-8"}, "ja"),
        ({"KASHIKA_LANG": "", "LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LC_ALL": "ja_JP.UTF-8", "LANG": "en_US.UTF-8"}, "ja"),
        ({"LC_ALL": "C", "LANG": "ja_JP.UTF-8"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "ja_JP", "LANG": "C"}, "ja"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_language_is_the_one_that_the_user_set_else_that_of_the_locale(
    nowhere: pytest.MonkeyPatch, environment: dict[str, str], spoken: str
) -> None:
    for name, value in environment.items():
        nowhere.setenv(name, value)
    assert language() == spoken


def test_a_machine_whose_locale_is_set_elsewhere_is_asked(nowhere: pytest.MonkeyPatch) -> None:
    nowhere.setattr("locale.getlocale", lambda: ("Japanese_Japan", "932"))  # as on Windows
    assert language() == "ja"


def test_a_sentence_that_is_not_there_or_lacks_a_value_is_a_defect() -> None:
    assert has("levels.ok")
    assert not has("levels.terrible")
    with pytest.raises(KeyError, match=r"levels\.terrible"):
        text("levels.terrible")
    with pytest.raises(KeyError, match="k"):
        text("labels.input")


def test_a_sentence_is_put_into_words_when_it_is_read() -> None:
    one = Sentence("labels.input", k=3)
    with speaking("en"):
        assert (str(one), one == Sentence("labels.input", k=3)) == ("Input 3", True)
        assert one != Sentence("labels.input", k=4)
        assert one != "Input 3"
    with speaking("ja"):
        assert str(one) == "入力3"
    assert repr(one) == "Sentence('labels.input', {'k': 3})"
    assert len({one, Sentence("labels.input", k=3)}) == 1


def test_a_sentence_of_a_view_from_outside_is_its_own_words() -> None:
    assert (
        str(Sentence("needs a second network; pass rival="))
        == "needs a second network; pass rival="
    )


# --- errors --------------------------------------------------------------------------------------


def test_an_error_is_put_into_words_when_it_is_read() -> None:
    error = LoadError("errors.no_such_directory", path="runs/7")
    with speaking("en"):
        assert str(error) == "runs/7: expected a directory, found none; check the path"
    with speaking("ja"):
        assert (
            str(error)
            == "runs/7: フォルダがあるはずですが、見つかりません。パスを確かめてください。"
        )


def test_every_error_of_kashika_is_one() -> None:
    for kind in (LoadError, MismatchError, Missing):
        assert issubclass(kind, KashikaError)


def test_what_is_needed_is_returned_or_missed() -> None:
    assert need(0, "history") == 0
    with pytest.raises(Missing) as caught:
        need(None, "history")
    with speaking("en"):
        what, how = str(caught.value).split("; ")
    assert what == "needs training logs"
    assert how == "give a folder with files such as train_loss.txt and valid_loss.txt"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("two\n  lines"), "ValueError: two lines"),
        (KeyError(), "KeyError"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_a_foreign_error_fits_on_one_line(error: BaseException, line: str) -> None:
    assert one_line(error) == line


# --- one and many --------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "said"), [(1, "1 sample"), (0, "0 samples"), (2, "2 samples")])
def test_a_number_has_the_word_that_goes_with_it(count: int, said: str) -> None:
    with speaking("en"):
        assert text("words.samples_seen", seen=count) == said
        assert text("words.samples_seen", seen=np.int64(count)) == said
        assert (
            text("words.samples_seen", seen=Evidence("seen", float(count)))
            == f"{count}.0" + said[1:]
        )
        assert blank("words.samples_seen") == "… samples"
        assert text("words.samples_seen", seen="?") == "? samples"


@pytest.mark.parametrize("key", TEXTS["en"])
def test_a_word_that_goes_with_a_number_stands_beside_one_of_both_numbers(key: str) -> None:
    for _, name, spec, _ in Formatter().parse(TEXTS["en"][key]):
        if name is not None and "|" in (spec or ""):
            one, many = (spec or "").split("|")
            assert one
            assert many
            assert one != many
            assert re.search(rf"\{{{name}(:[^}}|]*)?\}}", TEXTS["en"][key])
    assert "|" not in "".join(spec or "" for _, _, spec, _ in Formatter().parse(TEXTS["ja"][key]))
