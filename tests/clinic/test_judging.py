from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from clinic.audit import complaints, effects
from clinic.conditions import Condition, conditions
from clinic.health import Health
from clinic.judging import Judgement, Share
from clinic.making import make
from clinic.running import check
from clinic.table import markdown, names

EVERY = conditions()
SICK = next(one for one in EVERY if one.kind == "lr_too_low" and one.strength == "medium")
WELL = EVERY[0]
GOOD = Health(0.95, 0.97, 0.94, 0.01, 1.0, 0.1, 0.1, 0.1, 0.05, 0.05)


def judged(condition: Condition, **levels: str) -> Judgement:
    return Judgement(
        condition, {name.replace("__", "."): level for name, level in levels.items()}, "", 1.0
    )


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634)],
)
def test_wilsons_interval_is_that_of_the_tables(
    hits: int, of: int, low: float, high: float
) -> None:
    found = Share(hits, of).interval()
    assert math.isclose(found[0], low, abs_tol=1e-4)
    assert math.isclose(found[1], high, abs_tol=1e-4)


def test_of_nothing_everything_is_possible() -> None:
    assert Share(0, 0).interval() == (0.0, 1.0)
    assert str(Share(0, 0)) == "–"


def test_a_note_is_no_alarm_and_a_listed_cause_is_found() -> None:
    quiet = judged(SICK, curves__slow="note", curves__overfitting="ok")
    assert not quiet.found
    assert not quiet.too_many
    other = judged(SICK, predictions__underfitting="warning", weights__large="problem")
    assert other.found
    assert not other.named
    assert other.too_many == {"weights.large"}
    assert judged(SICK, curves__slow="warning").named


def test_every_alarm_on_a_healthy_run_is_one_too_many() -> None:
    assert judged(WELL, curves__slow="warning").too_many == {"curves.slow"}


def test_the_table_counts_what_was_found_and_what_was_not() -> None:
    runs = [
        judged(WELL, curves__slow="ok"),
        judged(replace(WELL, name="other"), curves__slow="problem"),
        judged(SICK, curves__slow="warning"),
    ]
    said = markdown(runs, idle=(), asked=4, half="tune")
    assert "3 trainings, 2 healthy and 1 with one of 1 kinds of fault" in said
    assert "Not checked: 1" in said
    assert "| healthy runs with an alarm: at most 1 % | 1/2, 9–91 % | not reached |" in said
    assert "| faults found: at least 95 % | 1/1, 21–100 % | reached |" in said
    assert names(runs) == "other: false alarm [curves.slow]"


def test_a_fault_without_effect_does_not_count_and_is_named() -> None:
    runs = [
        judged(SICK, curves__slow="warning"),
        judged(replace(SICK, name="idle"), curves__slow="ok"),
    ]
    said = markdown(runs, idle=[runs[1].condition], asked=2, half="tune")
    assert "1 trainings, 0 healthy and 1 with one of 1 kinds of fault" in said
    assert "| faults found: at least 95 % | 1/1, 21–100 % | reached |" in said
    assert "With them, 1/2, 9–91 % of the faults would be found. They are: idle." in said
    assert "Not checked" not in said


def test_a_rule_that_kashika_lacks_is_said() -> None:
    said = markdown([judged(SICK, curves__overfitting="ok")], idle=(), asked=1, half=None)
    assert "Not in kashika, and so missed: `curves.slow`." in said


def test_logs_alone_leave_everything_but_the_curves_unknown() -> None:
    alone = next(one for one in EVERY if one.kind == "only_logs")
    row = "| from logs alone: all but curves is unknown | "
    assert f"{row}1/1" in markdown(
        [judged(alone, weights__zero="unknown")], idle=(), asked=1, half=None
    )
    assert f"{row}0/1" in markdown([judged(alone, weights__zero="ok")], idle=(), asked=1, half=None)


def test_a_training_that_fell_behind_rose_again_or_still_falls_is_not_healthy() -> None:
    assert complaints(GOOD) == []
    assert complaints(replace(GOOD, score=0.8))
    assert complaints(replace(GOOD, end=0.2, before=0.2))
    assert complaints(replace(GOOD, before=0.2))
    assert complaints(replace(GOOD, train_before=0.2))


def test_a_fault_that_changes_nothing_has_no_effect() -> None:
    assert effects(GOOD, twin=GOOD) == []
    assert effects(replace(GOOD, score=0.8), twin=GOOD)
    assert effects(replace(GOOD, end=math.nan), twin=GOOD)
    assert effects(replace(GOOD, end=0.3, least=0.3), twin=GOOD)
    assert effects(replace(GOOD, end=0.3), twin=None)


@pytest.mark.slow
def test_a_condition_is_made_and_checked(tmp_path: Path) -> None:
    blobs = next(one for one in EVERY if one.name == "healthy-plain-blobs-0")
    make(blobs, at=tmp_path)
    assert check(blobs, at=tmp_path) > 0
    (file,) = (tmp_path / "results").rglob("*.json")
    assert '"status": 0' in file.read_text()
