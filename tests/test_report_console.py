"""The report in a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kashika import Evidence, Finding, Level, Section, View, speaking
from kashika.console import columns, render, wrapped
from kashika.diagnosis import Diagnosis
from kashika.texts import Sentence

RISE = (
    Evidence("rise", 1.0, limit=0.1),
    Evidence("least", 4.0),
    Evidence("least_at", 2, unit="epoch", where="valid_loss"),
    Evidence("last", 8.0),
    Evidence("last_at", 9, unit="epoch", where="valid_loss"),
    Evidence("train_then", 4.0),
    Evidence("train_last", 0.5),
)
OVERFITTING = Finding("curves.overfitting", Level.PROBLEM, RISE)
SECTION = Section(View("curves", measure=lambda _: None), None, (OVERFITTING,))


def written(width: int | None, *findings: Finding) -> str:
    return render(
        "run", findings, [SECTION], diagnoses=[Diagnosis("memorising", (OVERFITTING,))],
        notes=[Sentence("notes.no_japanese_font")], width=width,
    )  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("width", [40, 80])
def test_no_line_is_longer_than_the_terminal_is_wide(lang: str, width: int) -> None:
    with speaking(lang):
        lines = written(width, OVERFITTING).splitlines()
    assert max(columns(line) for line in lines) <= width
    assert len(lines) > 10


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_breaking_lines_loses_no_letter(lang: str) -> None:
    with speaking(lang):
        whole, broken = written(None, OVERFITTING), written(50, OVERFITTING)
    assert "".join(whole.split()) == "".join(broken.split())


@given(st.text(alphabet="ab 、。「」あ漢ー", max_size=60), st.integers(8, 30))
def test_a_japanese_line_neither_begins_with_a_comma_nor_ends_with_a_bracket(
    words: str, width: int
) -> None:
    lines = wrapped(words, width)
    assert all(line.lstrip()[:1] not in "、。」ー" for line in lines[1:] if line.strip())
    assert all(line[-1:] != "「" for line in lines[:-1])


def test_a_word_that_is_wider_than_the_terminal_stays_whole() -> None:
    assert wrapped("see /a/very/long/path now", 8) == ["see", "/a/very/long/path", "now"]


def test_the_lines_after_the_first_may_hang() -> None:
    assert wrapped("one two three", 8, indent=2, hanging=2) == ["  one", "    two", "    three"]


def test_a_wide_letter_takes_two_columns() -> None:
    assert columns("a漢") == 3


def test_a_muted_finding_is_listed_with_its_reason_and_not_counted() -> None:
    muted = Finding("curves.overfitting", Level.PROBLEM, RISE, muted="forty samples")
    said = written(None, muted)
    assert "Muted: curves.overfitting (forty samples)" in said
    assert "problems: 0" in said
    assert "rose to 8" not in said


def test_colours_go_by_the_level() -> None:
    said = render(
        "run", [OVERFITTING], [SECTION], notes=[], paint=lambda words, level: f"<{level}>{words}"
    )
    assert "<problem>problem  curves.overfitting" in said
