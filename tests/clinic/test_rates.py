"""The numbers that kashika quotes of itself, from what the clinic saw."""

from __future__ import annotations

import tomllib

from clinic.conditions import conditions
from clinic.faults import FAULTS
from clinic.judging import Judgement
from clinic.rates import BEHIND, causes, toml
from kashika.diagnosis import CAUSES

TABLE = conditions()
HEALTHY = next(one for one in TABLE if one.healthy)
OVERFIT = [one for one in TABLE if one.kind == "overfit_size"][:2]


def judgement(number: int, rule: str, level: str, *named: str) -> Judgement:
    condition = HEALTHY if number < 0 else OVERFIT[number]
    return Judgement(condition, {rule: level}, "", 0.1, tuple(named))


SEEN = [
    judgement(0, "curves.overfitting", "problem", "memorising"),
    judgement(1, "curves.overfitting", "ok"),
    judgement(-1, "curves.overfitting", "warning", "wrong_labels", "memorising"),
]


def test_every_fault_has_causes_that_kashika_can_name() -> None:
    assert set(BEHIND) == {fault.name for fault in FAULTS}
    assert {cause for named in BEHIND.values() for cause in named} <= {one.name for one in CAUSES}


def test_a_rule_is_right_on_its_own_fault_and_wrong_on_a_healthy_run() -> None:
    found = tomllib.loads(toml(SEEN))
    assert found["rules"] == {"curves.overfitting": {"found": [1, 2], "false": [1, 1]}}


def test_a_cause_is_right_where_it_lies_behind_the_fault_and_was_named_first() -> None:
    found = tomllib.loads(toml(SEEN))
    assert found["causes"] == {"memorising": {"right": [1, 1]}, "wrong_labels": {"right": [0, 1]}}


def test_the_table_counts_the_first_two_causes() -> None:
    seen = [judgement(0, "a.b", "ok", "wrong_labels", "memorising"), SEEN[1]]
    row = causes(seen).splitlines()[2]
    assert row.startswith("| overfit_size | memorising | 0/2, ")
    assert "| 1/2, " in row
