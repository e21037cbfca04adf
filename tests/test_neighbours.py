"""Who lies next to whom: the same as by comparing every row with every other one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn import manifold

from kashika.distribution import FloatArray
from kashika.neighbours import chosen, distances, nearest, trustworthiness


def noise(rows: int, units: int, *, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(rows, units))


def test_up_to_the_limit_every_row_is_chosen() -> None:
    np.testing.assert_array_equal(chosen(7, most=7), np.arange(7))


def test_of_more_rows_a_seeded_choice_is_taken_each_once_and_in_order() -> None:
    first, again, other = (chosen(500, most=40, seed=seed) for seed in (0, 0, 1))
    assert len(first) == 40
    assert (np.diff(first) > 0).all()
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("offset", [0.0, 1e7])
def test_distances_are_euclidean_however_far_from_the_origin(offset: float) -> None:
    values, asked = noise(50, 6), np.array([3, 4, 30])
    expected = cdist(values[asked], values)
    expected[np.arange(3), asked] = np.inf
    ((some, found),) = distances(values + offset, asked)
    np.testing.assert_array_equal(some, asked)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_distances_come_in_blocks_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    values, asked = noise(50, 6), np.arange(0, 50, 3)
    ((_, whole),) = distances(values, asked)
    monkeypatch.setattr("kashika.neighbours._AT_ONCE", 120)
    parts = list(distances(values, asked))
    assert [len(some) for some, _ in parts] == [2] * 8 + [1]
    np.testing.assert_allclose(np.concatenate([found for _, found in parts]), whole)


def test_the_nearest_are_those_with_the_least_distance() -> None:
    apart = noise(5, 30) ** 2
    expected = np.sort(np.argsort(apart, axis=1)[:, :4], axis=1)
    np.testing.assert_array_equal(np.sort(nearest(apart, count=4), axis=1), expected)


@pytest.mark.parametrize("rows", [3, 4, 12, 21, 22, 200])
def test_the_trustworthiness_of_all_rows_is_scikit_learns(rows: int) -> None:
    values, places = noise(rows, 5), noise(rows, 2, seed=1)
    k = min(10, (rows - 1) // 2)
    expected = manifold.trustworthiness(values, places, n_neighbors=k)
    assert trustworthiness(values, places, asked=np.arange(rows)) == pytest.approx(expected)


def test_some_rows_tell_the_trustworthiness_of_all() -> None:
    values = noise(3000, 6)
    places = values[:, :2]
    expected = manifold.trustworthiness(values, places, n_neighbors=10)
    found = trustworthiness(values, places, asked=chosen(3000, most=500))
    assert found == pytest.approx(expected, abs=0.01)


def test_a_picture_that_is_the_layer_is_fully_trustworthy() -> None:
    values = noise(90, 2)
    assert trustworthiness(values, -3 * values, asked=np.arange(90)) == 1.0
    assert trustworthiness(values, -3 * values, asked=np.arange(60, 90), among=60) == 1.0


def test_rows_that_were_put_in_are_compared_with_those_that_were_there_only() -> None:
    values, places = noise(70, 4), noise(70, 2, seed=1)
    # Each of them alone with those that were there: its own part of scikit-learn's sum.
    there, k = np.arange(50), 10
    penalty = 0.0
    for row in range(50, 70):
        among = np.append(there, row)
        ranks = np.argsort(np.argsort(cdist(values[[row]], values[among[:-1]])[0])) + 1
        near = np.argsort(cdist(places[[row]], places[there])[0])[:k]
        penalty += np.maximum(ranks[near] - k, 0).sum()
    worst = k * (2 * 51 - 3 * k - 1) / 2
    found = trustworthiness(values, places, asked=np.arange(50, 70), among=50)
    assert found == pytest.approx(1 - penalty / (20 * worst))
