"""A report as a document: complete, closed, in one language, and the same every time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from kashika import figure, page, texts
from kashika.texts import Sentence, speaking
from kashika.view import Evidence, Finding, Level, Picture, Row, Section, Table, View, unmeasured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EVIL = "<script>alert('&')</script>"
VOID = {"meta", "link", "br", "img", "input", "hr"}

RULE = {
    "rules.marks.low.title": "Low marks",
    "rules.marks.low.warning": "The mark {mark:.2f} of {mark.where} lies below {mark.limit:.2f}.",
    "rules.marks.low.ok": "The marks are high enough.",
    "rules.marks.low.advice": "Learn more.",
    "rules.marks.low.reference": "A teacher, 2026.",
}


@pytest.fixture(autouse=True)
def rule_with_texts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Speak English, and know the words of one rule that no view of kashika has."""
    real = texts._sentences
    monkeypatch.setattr(texts, "_sentences", lambda language: {**real(language), **RULE})
    with speaking("en"):
        yield


@dataclass
class Document(HTMLParser):
    """A page, taken apart by the standard library."""

    content: str
    tags: Counter[str] = field(default_factory=Counter)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.content)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(" ".join(data.split()))

    def values(self, attribute: str) -> list[str]:
        """Return every value of an attribute, whatever element has it."""
        return [value for _, name, value in self.attributes if name == attribute]

    @property
    def said(self) -> str:
        """Everything that a person reads."""
        return " ".join(filter(None, self.words))


def draw_title(name: str, axes: Axes) -> None:
    axes.plot([0, 1], [0, 1])
    axes.set_title(name)


def refuse(_subject: object, _axes: Axes) -> None:
    raise RuntimeError("no ink\nleft")


def view(
    name: str = "marks",
    pictures: Sequence[Picture[Any]] = (Picture("line", draw_title),),
    tables: Sequence[Table[Any]] = (Table("names", lambda m: [{"who": m, "mark": 0.25}]),),
) -> View[Any]:
    return View(name, lambda _run: "", pictures=tuple(pictures), tables=tuple(tables))


def section(measurement: object = "Ann", *findings: Finding, **parts: Any) -> Section[Any]:
    return Section(view(**parts), measurement, findings)


def low(level: Level = Level.WARNING) -> Finding:
    return Finding("marks.low", level, (Evidence("mark", 0.25, limit=0.5, where="Ann"),))


def written(*sections: Section[Any], name: str = "run", notes: Sequence[Sentence] = ()) -> str:
    findings = [finding for one in sections for finding in one.findings]
    return page.render(
        name, findings, sections, notes=notes, provenance=[("weights", "sha256 0123")]
    )


def read(*sections: Section[Any], name: str = "run") -> Document:
    return Document(written(*sections, name=name))


def test_names_that_look_like_markup_are_shown_as_they_are() -> None:
    document = read(
        section(EVIL, Finding(EVIL, Level.NOTE, (Evidence("x", 1.0, where=EVIL),))),
        section(EVIL, name=EVIL),
        name=EVIL,
    )
    assert document.tags["script"] == 0
    # title, heading; where; layer name in both pictures, cell in both tables
    assert document.said.count(EVIL) >= 7


def test_a_picture_says_what_it_shows_to_who_cannot_see_it_whatever_it_is_called() -> None:
    document = read(section(pictures=[Picture('a"><script>', draw_title)]))
    assert document.tags["script"] == 0
    assert 'marks.a"><script>' in document.values("aria-label")
    assert document.values("role").count("img") == 1


def test_a_page_forbids_every_request_and_makes_none() -> None:
    document = read(section())
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert policy in document.values("content")
    references = [
        value for name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster")
        for value in document.values(name)
    ]  # fmt: skip
    assert references
    assert all(value.startswith(("#", "data:")) for value in references)
    outside = [url for url in re.findall(r"url\(([^)]*)\)", document.content) if url[0] != "#"]
    assert not outside
    assert "@import" not in document.content


def test_every_reference_inside_a_page_leads_somewhere() -> None:
    document = read(section("Ann", low()), section("Bob", name="others"))
    inside = [v[1:] for n in ("href", "xlink:href") for v in document.values(n) if v[0] == "#"]
    inside += re.findall(r"url\(#([^)]*)\)", document.content)
    assert set(inside) <= set(document.values("id"))


def test_the_same_report_gives_the_same_bytes() -> None:
    assert written(section("Ann", low())) == written(section("Ann", low()))


def test_a_page_is_in_the_language_that_is_spoken() -> None:
    english = read(section())
    with speaking("ja"):
        japanese = read(section())
    assert ("html", "lang", "en") in english.attributes
    assert ("html", "lang", "ja") in japanese.attributes
    assert texts.text("page.findings") in english.said
    assert texts.text("page.findings") not in japanese.said


def test_a_finding_is_told_with_its_level_its_advice_its_numbers_and_its_source() -> None:
    document = read(section("Ann", low()))
    told = [
        texts.text("levels.warning"), "Low marks", "The mark 0.25 of Ann lies below 0.50.",
        "Learn more.", "A teacher, 2026.", "0.25", texts.text("page.limit", limit="0.5"),
    ]  # fmt: skip
    assert [words for words in told if words not in document.said] == []


def test_a_count_stands_in_full_and_a_share_with_four_digits() -> None:
    evidence = (Evidence("n", 1234567.0), Evidence("share", 1 / 3), Evidence("lost", float("nan")))
    said = read(section("Ann", Finding("marks.many", Level.NOTE, evidence))).said
    assert [words for words in ("1234567", "0.3333", "nan") if words not in said] == []


def test_a_healthy_run_is_told_in_one_sentence_and_its_rules_are_listed_all_the_same() -> None:
    healthy, ill = read(section("Ann", low(Level.OK))), read(section("Ann", low()))
    assert texts.text("page.nothing") in healthy.said
    assert texts.text("page.nothing") not in ill.said
    assert "marks.low" in healthy.said
    assert "The marks are high enough." in healthy.said


def test_the_head_counts_problems_warnings_and_notes() -> None:
    said = read(section("Ann", low(), low(), low(Level.PROBLEM), low(Level.OK))).said
    assert texts.text("page.count.problem", count=1) in said
    assert texts.text("page.count.warning", count=2) in said
    assert texts.text("page.count.note", count=0) in said


def test_that_a_report_is_partial_stands_above_the_counts() -> None:
    stopped = Sentence(
        "notes.observe.interrupted", split="train", samples=Sentence("words.samples_seen", seen=30)
    )
    said = page.render("run", [], [], partial=[stopped], notes=[stopped], provenance=[])
    head, _, rest = said.partition('class="verdict"')
    assert f"This report is incomplete: {stopped}" in head
    assert "This report is incomplete" not in rest
    assert 'class="partial"' not in written(section())


def test_what_is_missing_is_said_in_its_place() -> None:
    lost = unmeasured(view("others"), Sentence("report.failed", error="it went wrong"))
    said = read(section(), lost).said
    assert lost.missing is not None
    assert lost.missing in said
    assert "it went wrong" in said


def test_a_picture_that_fails_leaves_a_sentence_and_all_the_others() -> None:
    pictures: list[Picture[Any]] = [
        Picture("a", draw_title),
        Picture("b", refuse),
        Picture("c", draw_title),
    ]
    document = read(section("Ann", pictures=pictures))
    assert document.tags["figure"] == 2
    assert document.tags["details"] == 1
    assert "RuntimeError: no ink left" in document.said


def test_a_table_that_fails_leaves_a_sentence_and_all_the_others() -> None:
    def broken(_measurement: object) -> list[dict[str, str]]:
        raise ValueError("no rows")

    good: Table[Any] = Table("good", lambda m: [{"who": m}])
    document = read(section("Ann", tables=[Table("bad", broken), good]))
    assert document.tags["figure"] == 1
    assert document.tags["details"] == 1
    assert "ValueError: no rows" in document.said


def test_no_two_elements_share_an_id_though_views_and_pictures_share_their_names() -> None:
    twice: list[Picture[Any]] = [Picture("line", draw_title), Picture("line", draw_title)]
    document = read(
        section("Ann", low(), low(), pictures=twice), section(pictures=twice), section(name="rules")
    )
    assert [name for name, n in Counter(document.values("id")).items() if n > 1] == []


def test_a_picture_with_too_many_panels_names_the_command_that_draws_them_all() -> None:
    many: Picture[Any] = Picture("many", draw_title, each=lambda m: [m] * (figure.PANELS + 1))
    said = read(section(pictures=[many])).said
    assert "kashika figure RUN marks.many -o FILE.svg" in said
    assert texts.text("page.panels", shown=figure.PANELS, total=figure.PANELS + 1) in said
    assert "kashika figure" not in read(section()).said


def test_a_picture_or_table_that_does_not_apply_leaves_no_trace() -> None:
    nothing: Picture[Any] = Picture("nothing", draw_title, each=lambda _m: ())
    document = read(section(pictures=[nothing], tables=[Table("none", lambda _m: [])]))
    assert document.tags["figure"] == document.tags["details"] == 0
    assert "nothing" not in document.said


def test_a_short_table_stands_open_and_a_long_one_closed() -> None:
    def listed(rows: int) -> list[str]:
        table: Table[Any] = Table("names", lambda m: [{"who": m}] * rows)
        return [n for t, n, _ in read(section(tables=[table])).attributes if t == "details"]

    assert listed(12) == ["open"]
    assert listed(13) == []


def test_a_very_long_table_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "ROWS", 20)
    table: Table[Any] = Table("names", lambda m: [{"who": m}] * 25)
    document = read(section("Ann", pictures=[], tables=[table]))
    assert document.said.count("Ann") == 20
    assert texts.text("words.more_rows", count=5) in document.said


def test_numbers_are_set_to_the_right_and_a_column_with_words_is_not() -> None:
    rows: list[Row] = [{"a": 1, "b": None, "c": "x"}, {"a": 2.5, "b": 3, "c": 4}]
    document = read(section(pictures=[], tables=[Table("t", lambda _m: rows)]))
    cells = [value for tag, name, value in document.attributes if (tag, name) == ("td", "class")]
    assert cells.count("number") == 4


def test_a_view_from_outside_goes_by_its_name() -> None:
    assert "others" in read(section(name="others")).said


def test_notes_and_provenance_are_told() -> None:
    note = Sentence("report.failed", error="a repair")
    said = Document(written(section(), notes=[note])).said
    assert str(note) in said
    assert "weights" in said
    assert "sha256 0123" in said


def test_a_file_name_with_bytes_that_are_no_characters_can_be_saved() -> None:
    assert "run\\udcff" in written(section(), name="run\udcff").encode().decode()
