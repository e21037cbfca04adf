"""What the rules rest on, against independent oracles: scikit-learn, simulation, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm
from sklearn.linear_model import Ridge as Reference
from sklearn.neighbors import KNeighborsRegressor

from kashika import History, Observation
from kashika.distribution import Array, FloatArray
from kashika.naming import Split
from kashika.task import Task
from kashika.views.predictions.calibration import calibration
from kashika.views.predictions.class_counts import lower, upper
from kashika.views.predictions.copies import copies
from kashika.views.predictions.logged import improving, logged
from kashika.views.predictions.plain_inputs import plain_inputs, scaled
from kashika.views.predictions.simple_models import around, nearby, ridge
from kashika.views.predictions.suspects import at_depth

VALUES = Task("values", 0, "mse_loss")


def drawn(*shape: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(size=shape)


def seen(inputs: Array, targets: Array, *, outputs: Array | None = None) -> Observation:
    """A regression, or a classifier of as many classes as there are outputs."""
    given = targets.reshape(len(targets), -1) if outputs is None else outputs
    task = VALUES if outputs is None else Task("logits", given.shape[1], "cross_entropy")
    loss = np.zeros(len(targets))
    return Observation.of(task, inputs=inputs, outputs=given, targets=targets, loss=loss)


# --- simple models --------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(40, 5), (30, 60)])  # long, and wide
def test_ridge_answers_for_a_sample_from_the_others_as_if_trained_without_it(
    shape: tuple[int, int],
) -> None:
    x = drawn(*shape)
    y = x[:, :2] @ drawn(2, 2, seed=1) + drawn(len(x), 2, seed=2)
    mine = ridge(x, y)
    # Which penalty was chosen is seen from the slopes; then each sample is left out for real.
    centred = x - x.mean(axis=0)
    unit = np.mean(centred**2) * len(x)
    fitted = {
        p: Reference(alpha=p * unit).fit(x, y) for p in (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    }  # fmt: skip
    penalty = min(fitted, key=lambda p: float(np.abs(fitted[p].coef_.T - mine.slopes).max()))
    np.testing.assert_allclose(fitted[penalty].coef_.T, mine.slopes, atol=1e-8)
    np.testing.assert_allclose(fitted[penalty].predict(x), mine(x), atol=1e-8)
    # Leaving one out with a fixed mean of the inputs is exact for the penalised slopes.
    for i in range(0, len(x), 7):
        rest = np.arange(len(x)) != i
        one = Reference(alpha=penalty * unit).fit(x[rest], y[rest])
        np.testing.assert_allclose(one.predict(x[i : i + 1])[0], mine.left_out[i], atol=1e-6)


def test_ridge_of_inputs_that_say_nothing_answers_the_mean() -> None:
    y = drawn(20, 1)
    mine = ridge(np.zeros((20, 3)), y)
    np.testing.assert_allclose(mine(np.zeros((1, 3)))[0], y.mean(axis=0))
    np.testing.assert_allclose(mine.left_out[0], y[1:].mean(axis=0))


def test_neighbours_are_scikit_learns_without_the_sample_itself() -> None:
    x, y = drawn(50, 3), drawn(50, 2, seed=1)
    mine = around(x, y, widths=(4, 10))
    for k, width in enumerate((4, 10)):
        model = KNeighborsRegressor(width).fit(x, y)
        near = model.kneighbors(return_distance=False)  # of the samples themselves, without them
        np.testing.assert_allclose(mine[k], y[near].mean(axis=1))
    asked = drawn(7, 3, seed=2)
    model = KNeighborsRegressor(10).fit(x, y)
    np.testing.assert_allclose(nearby(x, y, asked=asked), model.predict(asked))


# --- plain inputs ---------------------------------------------------------------------------------


def test_the_columns_of_a_table_are_scaled_one_by_one_and_an_image_as_a_whole() -> None:
    table = drawn(100, 3) * [1.0, 100.0, 0.01] + [5.0, 0.0, -3.0]
    np.testing.assert_allclose(scaled(table, like=table).std(axis=0), 1)
    image = table.reshape(100, 1, 1, 3)
    plain = scaled(image, like=image)
    ratio = plain.std(axis=0) / table.std(axis=0)
    np.testing.assert_allclose(ratio, ratio[0])


def test_words_get_a_column_each_and_amounts_do_not() -> None:
    words = np.array([[0, 3], [2, 1], [1, 0], [3, 3]])
    plain = scaled(words, like=words)
    assert plain.shape == (4, 8)
    assert set(np.unique(plain)) == {0.0, 1.0}
    np.testing.assert_array_equal(plain.sum(axis=1), 2)
    bytes_of_an_image = np.arange(256).reshape(64, 4)
    assert scaled(bytes_of_an_image, like=bytes_of_an_image).shape == (64, 4)


def test_a_sample_that_is_there_twice_counts_once() -> None:
    x = drawn(60, 2)
    twice = seen(np.tile(x, (2, 1)), np.tile(x[:, 0], 2))
    once = plain_inputs(seen(x, x[:, 0]))
    plain = plain_inputs(twice)
    assert plain is not None
    assert once is not None
    np.testing.assert_array_equal(plain.rows, np.arange(60))
    np.testing.assert_allclose(plain.inputs, once.inputs)


def test_few_samples_and_samples_that_are_not_finite_are_not_asked() -> None:
    x = drawn(60, 2)
    assert plain_inputs(seen(x[:20], x[:20, 0])) is None
    holes = x.copy()
    holes[::2, 0] = np.nan
    plain = plain_inputs(seen(holes, x[:, 1]))
    assert plain is not None
    np.testing.assert_array_equal(plain.rows, np.arange(1, 60, 2))


# --- shares ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("part", "whole"), [(7, 50), (0, 10), (10, 10), (333, 1000)])
def test_the_interval_of_a_share_is_wilsons(part: int, whole: int) -> None:
    low, high = binomtest(part, whole).proportion_ci(0.95, method="wilson")
    some, all_of = np.array([float(part)]), np.array([float(whole)])
    assert lower(some, all_of)[0] == pytest.approx(low, abs=1e-4)
    assert upper(some, all_of)[0] == pytest.approx(high, abs=1e-4)


def test_of_nothing_no_share_is_known() -> None:
    none = np.zeros(1)
    assert (lower(none, none)[0], upper(none, none)[0]) == (0.0, 1.0)


@pytest.mark.parametrize("errors", [0.05, 0.15, 0.3])
def test_errors_among_the_deepest_third_of_two_normal_classes_are_those_of_a_simulation(
    errors: float,
) -> None:
    half = -norm.ppf(errors)
    x = half + np.random.default_rng(0).normal(size=400_000)  # of the class on the right
    deep = np.abs(x) >= np.quantile(np.abs(x), 2 / 3)
    assert at_depth(errors) == pytest.approx((x[deep] < 0).mean(), abs=2e-3)


# --- calibration ----------------------------------------------------------------------------------


def test_the_error_of_a_network_as_sure_as_right_is_that_of_a_simulation() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.5, 1.0, 200)
    outputs = np.log(np.column_stack([p, 1 - p]))
    gaps, eces = [], []
    for _ in range(400):
        y = (rng.random(200) > p).astype(int)
        one = calibration(seen(p[:, None], y, outputs=outputs), split="test")
        assert one is not None
        gaps.append(one.gap)
        tenth = np.clip((p * 10).astype(int), 0, 9)
        off = np.abs(np.bincount(tenth, p - (y == 0), minlength=10)) / 200
        eces.append(off.sum())
    assert one is not None
    assert one.error == pytest.approx(np.std(gaps), rel=0.15)
    # Beyond three standard deviations lies hardly any.
    assert (np.array(eces) > one.by_chance).mean() < 0.01
    assert one.by_chance < 2.5 * np.mean(eces)


# --- copies ---------------------------------------------------------------------------------------


def test_a_copy_is_named_with_its_place_in_both_splits() -> None:
    x = drawn(100, 2)
    test = np.concatenate([drawn(5, 2, seed=1), x[[7, 3]]])
    parts: dict[Split, Observation] = {"train": seen(x, x[:, 0]), "test": seen(test, test[:, 0])}
    (found,) = copies(parts)
    assert (found.copied, found.samples, found.by_chance) == (2, 7, 0.0)
    np.testing.assert_array_equal(found.index, [5, 6])
    np.testing.assert_array_equal(found.original, [7, 3])


def test_what_repeats_by_itself_is_told_by_the_other_split() -> None:
    few = np.random.default_rng(0).integers(0, 5, (400, 1))
    parts: dict[Split, Observation] = {
        "train": seen(few[:300], few[:300, 0] * 1.0), "test": seen(few[300:], few[300:, 0] * 1.0)
    }  # fmt: skip
    (found,) = copies(parts)
    assert (found.copied, found.by_chance) == (100, 1.0)


# --- the log --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_falling_loss_improves_and_a_level_one_does_not(scale: float) -> None:
    noise = 0.02 * drawn(100)
    falling = History.of({"train_loss": scale * (np.exp(-np.arange(100) / 50) + 0.2 * noise)})
    level = History.of({"train_loss": scale * (0.5 + np.exp(-np.arange(100) / 5) + noise)})
    assert improving(falling)
    assert not improving(level)
    assert not improving(History.of({"train_loss": [1.0, 0.5]}))
    assert not improving(None)


def test_the_value_of_the_log_that_is_compared_is_the_nearest_of_those_that_can_be_meant() -> None:
    y = np.arange(100) % 2
    outputs = np.eye(2)[np.where(np.arange(100) < 80, y, 1 - y)]
    one = seen(drawn(100, 2), y, outputs=outputs)
    curve = np.concatenate([np.linspace(0.5, 0.95, 50), np.full(50, 0.9)])
    (found,) = logged(History.of({"valid_acc": curve}), {"valid": one})
    assert found.now == 0.8
    assert found.logged == 0.9  # the end; the best is farther off, and 0.8 was long before
    assert curve[int(found.like_epoch) - 1] == pytest.approx(0.8, abs=0.01)
    assert found.lost == pytest.approx(0.1 / 0.4)
