from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from clinic.caching import key
from clinic.conditions import CALMER, GROUPS, Condition, Group, conditions, resized
from clinic.cousins import COUSINS
from clinic.data import COPIED, IMAGES, draw, splits
from clinic.faults import FAULTS, MEASURED, base, strength_names
from clinic.healthy import PLAIN
from clinic.recipe import Data
from clinic.siblings import SIBLINGS
from clinic.training import built

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


def _of(group: Group) -> list[Condition]:
    return [one for one in EVERY if group.first <= one.seed < group.first + 10]


def test_the_table_is_as_large_as_its_intervals_need() -> None:
    for half in ("tune", "publish"):
        assert len([one for one in EVERY if one.half == half]) >= 600
        assert sum(one.healthy for one in EVERY if one.half == half) >= 160
    assert len(FAULTS) >= 34
    assert len({one.name for one in EVERY}) == len(EVERY)


def test_every_disease_is_the_first_cause_of_a_fault_and_there_is_no_other() -> None:
    assert {fault.causes[0] for fault in FAULTS} == DISEASES
    assert {cause for fault in FAULTS for cause in fault.causes} <= DISEASES


def test_the_groups_hold_the_same_kinds_and_strengths_and_bases() -> None:
    def held(group: Group) -> Counter[tuple[object, ...]]:
        return Counter(
            (
                one.kind, one.strength, one.causes, one.certain, one.base.partition("-on-")[0],
                one.recipe.left, one.seed - group.first,
            )
            for one in _of(group)
        )  # fmt: skip

    first, *others = map(held, GROUPS)
    assert all(other == first for other in others)


def test_every_training_is_in_the_half_of_its_group_and_on_its_data() -> None:
    assert sum(len(_of(group)) for group in GROUPS) == len(EVERY)
    for group in GROUPS:
        names = set(group.data.values()) if group.data else set(COUSINS)
        assert {one.recipe.data.name for one in _of(group)} == names
        assert {one.half for one in _of(group)} == {group.half}


def test_the_halves_share_no_data_set_and_no_seed() -> None:
    def used(half: str) -> tuple[set[str], set[int]]:
        chosen = [one for one in EVERY if one.half == half]
        return {one.recipe.data.name for one in chosen}, {one.seed for one in chosen}

    tuned, published = used("tune"), used("publish")
    assert tuned[0] == {*SIBLINGS, *SIBLINGS.values()}
    assert published[0] == set(COUSINS.values())
    assert tuned[0].isdisjoint(published[0])
    assert tuned[1].isdisjoint(published[1])


def test_every_fault_finds_the_training_without_it() -> None:
    known = {one.name: one for one in EVERY}
    for one in EVERY:
        if one.base in PLAIN or one.base.partition("-on-")[0] in PLAIN:
            twin = known[f"healthy-plain-{one.base}-{one.seed}"]
            assert (twin.half, twin.healthy) == (one.half, True)


@pytest.mark.parametrize(("name", "other"), [*SIBLINGS.items(), *COUSINS.items()])
def test_what_stands_for_a_data_set_has_its_form_and_is_another(name: str, other: str) -> None:
    (X, y), (tried, wanted) = (draw(one, 2000, noise=0.0, seed=3) for one in (name, other))
    assert X.shape == tried.shape
    assert X.dtype == tried.dtype
    assert y.shape == wanted.shape
    assert y.dtype == wanted.dtype
    assert not np.array_equal(X, tried)
    for special in (IMAGES, COPIED, MEASURED):
        assert (name in special) == (other in special)
    if y.dtype.kind == "i":
        assert (y.min(), y.max()) == (wanted.min(), wanted.max())
    if X.dtype.kind == "i" or name in IMAGES:
        assert (X.min(), X.max()) == (tried.min(), tried.max())


@pytest.mark.parametrize("name", sorted(MEASURED))
def test_measured_inputs_are_of_very_unequal_size(name: str) -> None:
    X, _ = draw(name, 100, noise=0.0, seed=0)
    sizes = np.abs(X).mean(axis=0)
    assert sizes.max() > 50 * sizes.min()


@pytest.mark.parametrize(
    ("network", "more"),
    [
        ("MLP(2, [32, 16], 1, activation='Tanh')", "MLP(2, [40, 20], 1, activation='Tanh')"),
        ("MLP(5, [], 1)", "MLP(5, [], 1)"),
        ("CNN(10, channels=8)", "CNN(10, channels=10)"),
        ("Recurrent(8, 24, 4, kind='GRU', tokens=8)", "Recurrent(8, 30, 4, kind='GRU', tokens=8)"),
        ("Transformer(8, 13, 2)", "Transformer(8, 13, 2, width=20)"),
    ],
)
def test_a_wider_network_takes_and_gives_the_same(network: str, more: str) -> None:
    assert resized(network, by=1.25) == more


@pytest.mark.parametrize(
    ("network", "less"),
    [
        ("MLP(2, [32, 16], 1, activation='Tanh')", "MLP(2, [26, 13], 1, activation='Tanh')"),
        ("MLP(2, [5, 4, 3], 1)", "MLP(2, [4, 4, 4], 1)"),
        ("Decoder(8, 16)", "Decoder(8, 16, width=12)"),
        ("Transformer(8, 13, 2, width=22)", "Transformer(8, 13, 2, width=18)"),
    ],
)
def test_a_narrower_network_keeps_four_units_and_whole_heads(network: str, less: str) -> None:
    assert resized(network, by=0.8) == less


@pytest.mark.parametrize("network", ["MLP(2, [32, 16], 1)", "CNN(10, channels=8)"])
def test_a_network_once_as_wide_is_the_same(network: str) -> None:
    assert resized(network, by=1.0) == network


def test_what_is_trained_otherwise_is_in_the_table() -> None:
    known = {one.name.rpartition("-")[0] for one in EVERY if one.healthy}
    assert {f"healthy-{kind}-{name}" for kind, name in CALMER} <= known


def test_every_resized_network_can_be_built() -> None:
    for network in {one.recipe.network for one in EVERY if "-on-" in one.name}:
        assert sum(one.numel() for one in built(network).parameters()) > 0


def test_what_is_no_call_cannot_be_made_wider() -> None:
    with pytest.raises(ValueError, match="expected NAME"):
        resized("MLP", by=2.0)


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
