"""Separation and effective rank: closed forms, invariances, and scikit-learn's figures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

from kashika.distribution import FloatArray
from kashika.views.features.separation import effective_rank, separation


def noise(rows: int, units: int, *, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(rows, units))


def spread(*sizes: float, units: int = 0) -> FloatArray:
    """Rows whose centred features have exactly these singular values, up to a common factor."""
    one = np.diag(sizes)
    return np.pad(np.concatenate([one, -one]), ((0, 0), (0, max(0, units - len(sizes)))))


# --- separation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("units", [1, 3, 400])
def test_both_figures_are_scikit_learns(units: int) -> None:
    labels = np.array([5, 0, 2, 0, 5, 9, 5, 2, 2, 0] * 8)
    labels[13] = 77  # alone in its class
    values = noise(80, units) + 0.3 * labels[:, None]
    silhouette, purity = separation(values, labels)
    assert silhouette == pytest.approx(silhouette_score(values, labels))
    near = NearestNeighbors(n_neighbors=10).fit(values).kneighbors(return_distance=False)
    assert purity == pytest.approx(np.mean(labels[near] == labels[:, None]))


def test_rare_classes_keep_their_neighbours_where_only_some_rows_are_asked() -> None:
    # Three hundred classes of ten: a choice of a thousand rows would leave three or four of each.
    labels = np.arange(3000) % 300
    values = 1000.0 * noise(300, 8)[labels] + noise(3000, 8, seed=1)
    silhouette, purity = separation(values, labels)
    assert purity == pytest.approx(9 / 10)
    assert silhouette > 0.99


def test_what_some_rows_tell_is_true_of_all() -> None:
    labels = np.arange(3000) % 2
    values = noise(3000, 4) + labels[:, None]
    silhouette, _ = separation(values, labels)
    assert silhouette == pytest.approx(silhouette_score(values, labels), abs=0.02)


def test_a_layer_that_has_collapsed_separates_nothing() -> None:
    assert np.isnan(separation(np.ones((20, 5)), np.arange(20) % 2)).all()


# --- effective rank ------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 5, 30])
def test_k_directions_of_equal_size_have_the_effective_rank_k(k: int) -> None:
    rank, most = effective_rank(spread(*[1.0] * k, units=40))
    assert rank == pytest.approx(k)
    assert most == min(2 * k - 1, 40)


def test_two_directions_of_different_size_have_the_entropy_of_their_shares() -> None:
    # Shares 3/4 and 1/4: exp(-3/4 ln 3/4 - 1/4 ln 1/4) = 4 / 3 ** (3 / 4).
    rank, most = effective_rank(spread(3.0, 1.0))
    assert rank == pytest.approx(4 / 3**0.75)
    assert most == 2


def test_neither_a_turn_nor_a_shift_nor_a_unit_changes_the_effective_rank() -> None:
    values = noise(50, 6) * [9, 5, 2, 1, 1, 0.1]
    expected, _ = effective_rank(values)
    turned = values @ ortho_group.rvs(6, random_state=0)
    for one in (turned, values + 100, 1e-30 * values, 1e30 * values, values[::-1]):
        assert effective_rank(one)[0] == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (20, 20), (3, 900)])
def test_the_effective_rank_is_the_one_of_the_singular_values(shape: tuple[int, int]) -> None:
    values = noise(*shape)
    sizes = np.linalg.svd(values - values.mean(axis=0), compute_uv=False)
    shares = sizes[sizes > 1e-9] / sizes.sum()
    rank, most = effective_rank(values)
    assert rank == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-6)
    assert most == min(shape[0] - 1, shape[1])
    assert 1 <= rank <= most


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (20, 3)], ids=["none", "one row", "constant"])
def test_rows_that_do_not_differ_have_no_rank(shape: tuple[int, int]) -> None:
    rank, most = effective_rank(np.full(shape, 0.1))
    assert np.isnan(rank)
    assert most == max(0, min(shape[0] - 1, 3))


def test_of_many_rows_a_seeded_choice_is_looked_at() -> None:
    values = noise(4000, 3)
    assert effective_rank(values) == effective_rank(values)
    assert effective_rank(values)[0] == pytest.approx(3, abs=0.01)
