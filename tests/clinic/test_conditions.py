from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from clinic.caching import key
from clinic.conditions import Condition, conditions
from clinic.data import splits
from clinic.faults import FAULTS, base, strength_names
from clinic.recipe import Data

EVERY = conditions()
TABLE = Path(__file__).parents[2] / "docs" / "reference.md"
DISEASES = {
    "curves.nonfinite", "curves.diverging", "curves.not_learning", "curves.slow",
    "curves.still_improving", "curves.unstable", "curves.overfitting", "curves.duplicate",
    "predictions.underfitting", "predictions.constant", "predictions.class_ignored",
    "predictions.imbalance", "predictions.overconfident", "predictions.label_noise",
    "predictions.leakage", "predictions.log_mismatch", "predictions.mode_gap",
    "predictions.double_softmax", "predictions.double_sigmoid", "predictions.output_activation",
    "features.unscaled_input", "features.unscaled_target", "features.dead_units",
    "features.saturated_units", "features.collapsed", "weights.nonfinite", "weights.large",
    "weights.untrained", "weights.identical_units", "weights.zero", "gradients.nonfinite",
    "gradients.missing", "gradients.zero", "gradients.vanishing", "gradients.exploding",
}  # fmt: skip
"""Every id of the project's list of findings that is more than a note."""


def test_the_table_is_as_large_as_its_intervals_need() -> None:
    assert len(EVERY) >= 600
    assert sum(one.healthy for one in EVERY) >= 160
    assert len(FAULTS) >= 34
    assert len({one.name for one in EVERY}) == len(EVERY)


def test_every_disease_is_the_first_cause_of_a_fault_and_there_is_no_other() -> None:
    assert {fault.causes[0] for fault in FAULTS} == DISEASES
    assert {cause for fault in FAULTS for cause in fault.causes} <= DISEASES


def test_both_halves_hold_every_kind_at_every_strength() -> None:
    def held(half: str) -> set[tuple[str, str]]:
        return {(one.kind, one.strength) for one in EVERY if one.half == half}

    assert held("tune") == held("publish")
    sizes = Counter((one.half, one.healthy) for one in EVERY)
    assert abs(sizes["tune", True] - sizes["publish", True]) <= 30
    assert abs(sizes["tune", False] - sizes["publish", False]) <= 30


def test_no_training_stands_twice_in_the_table() -> None:
    # Else what was tuned on might be published.
    keys = Counter(key(one) for one in EVERY)
    assert [one.name for one in EVERY if keys[key(one)] > 1] == []


def test_every_fault_changes_the_recipe_that_it_is_put_into() -> None:
    for fault in FAULTS:
        for name in fault.bases:
            made = {fault.into(base(name), value) for value in fault.strengths}
            assert len(made) == len(fault.strengths), fault.name
            own = fault.name.startswith(("overfit", "overconfident"))  # the base is the fault
            assert own or base(name) not in made, fault.name
        assert len(strength_names(fault)) == len(fault.strengths)


def test_what_logs_alone_show_is_about_curves() -> None:
    alone = [one for one in EVERY if one.recipe.left.only_logs]
    assert {cause.split(".")[0] for one in alone for cause in one.causes} == {"curves"}
    assert any(one.healthy for one in alone)
    assert any(not one.healthy for one in alone)


def test_the_table_is_the_same_every_time() -> None:
    assert conditions() == EVERY


@pytest.mark.parametrize(
    "name",
    sorted({one.recipe.data.name for one in EVERY}),
)
def test_data_are_the_same_for_the_same_seed_and_no_sample_is_in_two_splits(name: str) -> None:
    data = Data(name, train=100, valid=40, test=30)
    first, again, other = (splits(data, seed=seed) for seed in (0, 0, 1))
    for split in first:
        np.testing.assert_array_equal(first[split][0], again[split][0])
    assert not np.array_equal(first["train"][0], other["train"][0])
    rows = [row.tobytes() for split in first for row in first[split][0]]
    assert len(set(rows)) == len(rows) == 170


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_as_many_labels_are_flipped_as_asked(share: float) -> None:
    clean = splits(Data("digits", train=1000, valid=300, test=300), seed=0)
    noisy = splits(Data("digits", train=1000, valid=300, test=300, flipped=share), seed=0)
    changed = float((clean["train"][1] != noisy["train"][1]).mean())
    assert abs(changed - share) < 4 * np.sqrt(share * (1 - share) / 1000)
    np.testing.assert_array_equal(clean["valid"][1], noisy["valid"][1])


def test_leaked_rows_are_rows_of_the_training_split() -> None:
    leaked = splits(Data("moons", train=200, valid=100, test=100, leaked=0.3), seed=0)
    train = {row.tobytes() for row in leaked["train"][0]}
    share = np.mean([row.tobytes() in train for row in leaked["valid"][0]])
    assert 0.15 < share < 0.45


def test_a_missing_class_is_missing_from_train_only() -> None:
    data = splits(Data("digits", train=500, valid=300, test=300, missing=1), seed=0)
    assert set(data["train"][1]) == set(range(9))
    assert set(data["valid"][1]) == set(range(10))


def _named(kind: str) -> list[Condition]:
    return [one for one in EVERY if one.kind == kind]


def test_the_documented_kinds_of_healthy_are_there() -> None:
    asked = {
        "converged_far", "small_valid", "dropout", "last_spike", "short", "warm_up", "restarts",
        "label_smoothing", "clipping", "frozen_trunk", "perfect", "some_dead", "hard",
        "imbalanced_handled", "early_stopped",
    }  # fmt: skip
    assert asked <= {one.kind for one in EVERY if one.healthy}
    assert all(one.recipe.left.frozen == ("trunk.*",) for one in _named("frozen_trunk"))


def test_names_can_be_names_of_folders() -> None:
    assert all(re.fullmatch(r"[a-z0-9_-]+", one.name) for one in EVERY)
