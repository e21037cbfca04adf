"""Samples put into a t-SNE of others, and planes of wide features."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from kashika.distribution import FloatArray
from kashika.projection import embed, principal, project
from kashika.texts import Sentence


def noise(rows: int, units: int, *, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(rows, units))


def clouds(rows: int, units: int = 6, *, seed: int = 0) -> FloatArray:
    """Two clouds far apart, even rows and odd rows."""
    return noise(rows, units, seed=seed) + 30.0 * (np.arange(rows) % 2)[:, None]


# --- wide features -------------------------------------------------------------------------------


def test_the_share_of_a_plane_is_that_of_the_whole_variance_however_wide_the_layer() -> None:
    values = noise(300, 400)
    values[:, :2] *= 20
    spectrum = np.linalg.svd(values - values.mean(axis=0), compute_uv=False) ** 2
    expected = spectrum[:2].sum() / spectrum.sum()
    assert principal(values).explained == pytest.approx(expected, rel=1e-3)
    assert project(values)[0].explained == pytest.approx(expected, rel=1e-3)


def test_a_plane_of_many_wide_rows_is_that_of_all_of_them() -> None:
    values = noise(2500, 300)
    values[:, 7] *= 30
    found = principal(values)
    assert len(found.coordinates) == 2500
    assert abs(np.corrcoef(found.coordinates[:, 0], values[:, 7])[0, 1]) > 0.99


# --- samples put into a t-SNE of others ----------------------------------------------------------


def test_a_training_sample_that_comes_again_lands_among_its_own_kind() -> None:
    train = clouds(80)
    found = embed(train, train[:20])
    near = cdist(found.test.coordinates, found.train.coordinates).argmin(axis=1)
    np.testing.assert_array_equal(near % 2, np.arange(20) % 2)
    assert found.test.trustworthiness > 0.9
    assert found.train.trustworthiness > 0.9
    assert (found.train.method, found.test.method) == ("tsne", "tsne")


def test_the_training_samples_do_not_move_for_the_others() -> None:
    train = clouds(60)
    first, second = embed(train, clouds(5, seed=1)), embed(train, 100 + noise(9, 6))
    np.testing.assert_array_equal(first.train.coordinates, second.train.coordinates)
    apart = project(train)[1].coordinates - first.train.coordinates
    np.testing.assert_allclose(apart, np.broadcast_to(apart[0], apart.shape), atol=1e-9)


def test_a_test_sample_has_its_place_whatever_comes_with_it() -> None:
    train, test = clouds(60), clouds(12, seed=1)
    together, alone = embed(train, test).test, embed(train, test[3:4]).test
    np.testing.assert_allclose(alone.coordinates[0], together.coordinates[3], atol=1e-6)


def test_the_same_seed_gives_the_same_picture_and_nobody_elses_random_state_is_used() -> None:
    before = np.random.get_state()[1].tobytes()  # type: ignore[index]
    first, second = (embed(clouds(40), clouds(8, seed=1), seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.test.coordinates, second.test.coordinates)
    assert np.random.get_state()[1].tobytes() == before  # type: ignore[index]


def test_wide_samples_are_put_in_along_the_directions_of_the_training_samples() -> None:
    found = embed(clouds(80, 300), clouds(20, 300, seed=1))
    near = cdist(found.test.coordinates, found.train.coordinates).argmin(axis=1)
    np.testing.assert_array_equal(near % 2, np.arange(20) % 2)


@pytest.mark.parametrize("units", [1, 2])
def test_up_to_two_features_stay_as_they_are(units: int) -> None:
    train, test = noise(20, units), noise(7, units, seed=1)
    found = embed(train, test)
    np.testing.assert_array_equal(found.train.coordinates, train)
    np.testing.assert_array_equal(found.test.coordinates, test)
    assert found.test.method == "plain"
    assert found.test.trustworthiness == 1.0


@pytest.mark.parametrize(
    ("train", "test", "reason"),
    [
        (noise(9, 5), noise(4, 5), Sentence("features.few_for_tsne", rows=9)),
        (np.ones((20, 5)), noise(4, 5), Sentence("features.identical", rows=20)),
        (noise(20, 5), noise(0, 5), Sentence("features.few_rows", rows=0)),
    ],
    ids=["few", "identical", "no test sample"],
)
def test_what_cannot_be_put_in_says_why_on_both_sides(
    train: FloatArray, test: FloatArray, reason: Sentence
) -> None:
    found = embed(train, test)
    for one, rows in ((found.train, train), (found.test, test)):
        assert one.refused == reason
        assert len(one.targets) == len(rows)
        assert len(one.coordinates) == 0


@pytest.mark.parametrize("rows", [10, 11, 16])
def test_few_training_samples_are_enough_and_nothing_is_said_about_it(
    rows: int, caplog: pytest.LogCaptureFixture
) -> None:
    found = embed(noise(rows, 4), noise(1, 4, seed=1))
    assert np.isfinite(found.test.coordinates).all()
    assert 0 <= found.test.trustworthiness <= 1
    assert caplog.messages == []


def test_a_test_sample_far_from_all_others_takes_none_of_them_along() -> None:
    test = clouds(6, seed=1)
    far = np.concatenate([test, np.full((1, 6), 1e6)])
    plain, found = embed(clouds(60), test).test, embed(clouds(60), far).test
    np.testing.assert_allclose(found.coordinates[:6], plain.coordinates, atol=1e-6)
