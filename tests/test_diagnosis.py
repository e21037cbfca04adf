"""The causes that lie behind findings."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kashika import Finding, Level
from kashika.diagnosis import CAUSES, MOST, Cause, diagnoses
from kashika.error_rates import Rate, rates_of, right_causes
from kashika.view import id_of
from kashika.views import BUILTIN

RULES = {id_of(view, rule) for view in BUILTIN for rule in view.rules}
NAMED = {rule for one in CAUSES for rule in (*one.decides, *one.supports, *one.needs)}


def alarms(*rules: str, level: Level = Level.WARNING) -> list[Finding]:
    return [Finding(rule, level) for rule in rules]


def causes(findings: list[Finding]) -> list[str]:
    return [one.cause for one in diagnoses(findings)]


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_a_cause_is_named_where_the_alarms_decide_for_it_and_for_no_other(cause: Cause) -> None:
    others = {rule for one in CAUSES if one is not cause for rule in one.decides}
    supports = [rule for rule in cause.supports if rule not in others]
    found = alarms(*cause.decides, *cause.needs, *supports, level=Level.PROBLEM)
    assert causes(found)[0] == cause.name


def test_no_alarm_no_diagnosis() -> None:
    quiet = [Finding(rule, level) for rule in NAMED for level in (Level.OK, Level.UNKNOWN)]
    assert diagnoses(quiet) == ()
    assert diagnoses([Finding(rule, Level.NOTE) for rule in NAMED]) == ()
    assert diagnoses([Finding(rule, Level.PROBLEM, muted="known") for rule in NAMED]) == ()


def test_one_cause_gathers_all_alarms_that_it_explains() -> None:
    found = alarms("curves.unstable", "features.dead_units", "predictions.constant")
    (one,) = diagnoses(found)
    assert one.cause == "steps_too_large"
    assert {finding.rule for finding in one.findings} == {finding.rule for finding in found}


def test_two_independent_faults_have_two_diagnoses_the_worse_one_first() -> None:
    found = [
        Finding("predictions.leakage", Level.WARNING),
        Finding("curves.overfitting", Level.PROBLEM),
    ]
    assert causes(found) == ["memorising", "shared_samples"]


def test_of_two_causes_the_one_that_explains_more_is_named() -> None:
    assert causes(alarms("curves.overfitting", "predictions.overconfident")) == ["memorising"]
    assert causes(alarms("curves.overfitting", "predictions.label_noise")) == ["wrong_labels"]


def test_a_symptom_goes_to_its_cause_and_stands_alone_without_it() -> None:
    assert causes(alarms("curves.not_learning")) == ["nothing_learned"]
    assert causes(alarms("curves.not_learning", "weights.identical_units")) == ["equal_start"]
    assert causes(alarms("curves.not_learning", "gradients.vanishing")) == ["lost_signal"]


def test_swings_with_a_class_that_is_ignored_are_data_in_order() -> None:
    assert causes(alarms("curves.unstable", "predictions.class_ignored"))[0] == "sorted_data"
    assert causes(alarms("curves.unstable"))[0] == "steps_too_large"


def test_every_alarm_that_a_rule_can_raise_decides_for_a_cause() -> None:
    notes_only = {
        "boundary.unfaithful", "gradients.outliers", "curves.best_passed", "curves.overconfident",
        "curves.valid_below_train",
    }  # fmt: skip
    decided = {rule for one in CAUSES for rule in one.decides}
    assert RULES - decided <= notes_only


def test_causes_have_names_of_their_own() -> None:
    assert max(Counter(one.name for one in CAUSES).values()) == 1


@given(st.dictionaries(st.sampled_from(sorted(NAMED)), st.sampled_from(Level)))
def test_diagnoses_explain_alarms_once_and_are_few(levels: dict[str, Level]) -> None:
    found = diagnoses([Finding(rule, level) for rule, level in levels.items()])
    assert len(found) <= MOST
    deciding = {one.name: set(one.decides) for one in CAUSES}
    decided = [
        finding.rule
        for one in found
        for finding in one.findings
        if finding.counts and finding.rule in deciding[one.cause]
    ]
    assert len(found) == len({one.cause for one in found})
    assert len(found) == 0 or decided
    for one in found:
        assert any(f.counts and f.rule in deciding[one.cause] for f in one.findings)


def test_the_order_of_the_findings_does_not_matter() -> None:
    found = alarms("curves.unstable", "features.dead_units", "curves.overfitting")
    assert len({tuple(causes(list(one))) for one in permutations(found)}) == 1


def test_a_rate_has_the_interval_of_its_count() -> None:
    rate = Rate(0, 160)
    assert rate.share == 0
    assert rate.interval == pytest.approx((0, 0.0228), abs=1e-4)  # 1 - 0.025 ** (1 / 160)


def test_what_was_not_measured_has_no_rate() -> None:
    assert rates_of("curves.unheard_of") is None
    assert right_causes("unheard_of") is None
