"""A series keeps every value, and knows which of them belong to the last run of the training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kashika.history import Series, on_one_axis

RUNS = Path(__file__).parents[2] / "shared" / "runs"


def series(x: object, y: object = None) -> Series:
    places = np.asarray(x)
    return Series(places, np.arange(places.size, dtype=float) if y is None else np.asarray(y))


PLACES = st.lists(st.integers(0, 20), max_size=40).map(lambda x: series(np.array(x, dtype=int)))


@given(PLACES)
def test_the_segments_are_the_series_in_pieces_that_do_not_go_back(whole: Series) -> None:
    for part in ("x", "y"):
        pieces = [getattr(one, part) for one in whole.segments]
        np.testing.assert_array_equal(np.concatenate(pieces), getattr(whole, part))
    assert all((np.diff(one.x) >= 0).all() for one in whole.segments)


@given(PLACES)
def test_the_last_run_ends_as_the_log_does_and_does_not_go_back(whole: Series) -> None:
    last = whole.latest
    assert (np.diff(last.x) >= 0).all()
    np.testing.assert_array_equal(last.y[-1:], whole.y[-1:])


@given(PLACES)
def test_the_mean_at_each_x_lies_between_its_least_and_greatest_value(whole: Series) -> None:
    for one in whole.segments:
        low, high = one.spread
        assert (np.diff(one.averaged.x) > 0).all()
        assert (low <= one.averaged.y + 1e-9).all()
        assert (one.averaged.y <= high + 1e-9).all()


def test_a_log_that_was_begun_anew_is_judged_by_its_last_run() -> None:
    whole = series([1, 2, 3, 4, 5, 1, 2, 3])  # C051
    assert whole.starts == (0, 5)
    assert whole.latest.x.tolist() == [1, 2, 3]
    assert whole.latest.y.tolist() == [5, 6, 7]


def test_a_run_that_was_resumed_is_one_run_and_the_later_value_counts() -> None:
    whole = series([*range(37), *range(35, 50)])
    assert whole.latest.x.tolist() == [*range(50)]
    assert whole.latest.y[34:37].tolist() == [34, 37, 38]  # epoch 35 is the resumed one


def test_a_resume_right_behind_the_end_joins_and_one_of_a_resume_joins_too() -> None:
    assert series([0, 1, 2, 3, 2, 3, 4, 3, 4, 5]).latest.x.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_leap_in_a_log_of_regular_strides_begins_a_segment() -> None:
    assert series([*range(10), *range(200, 210)]).starts == (0, 10)
    assert series([2**k for k in range(12)]).starts == (0,)  # its strides are not regular
    assert series([1, 2, 3, 5, 6, 7, 8, 9, 10]).starts == (0,)  # one row is missing


def test_several_values_at_one_place_begin_no_segment() -> None:
    whole = series([1, 1, 1, 2, 2, 2], [1.0, 2, 3, 0, 0, 6])
    assert whole.starts == (0,)
    assert whole.averaged.y.tolist() == [2, 2]
    assert [one.tolist() for one in whole.spread] == [[1, 0], [3, 6]]


def test_a_value_right_behind_the_last_one_was_measured_after_training() -> None:
    whole = series([1718, 3437, 5156, 6875, 8594, 8595])
    assert whole.afterwards.x.tolist() == [8595]
    assert whole.during.x.tolist() == [1718, 3437, 5156, 6875, 8594]
    regular = series([1, 2, 3, 4, 5])
    assert (regular.afterwards.x.size, regular.during.x.size) == (0, 5)


def test_shares_in_percent_are_hundredths_and_others_stay() -> None:
    assert Series(np.arange(2), np.array([50.0, 100.0]), percent=True).fraction.y.tolist() == [
        0.5,
        1,
    ]
    plain = series([1, 2])
    assert plain.fraction is plain


def test_series_of_one_unit_keep_their_places() -> None:
    train, valid = series([1, 2, 3]), series([10, 20])
    assert on_one_axis({"train": train, "valid": valid}) == {"train": train, "valid": valid}


@pytest.mark.parametrize("first", [0, 1])
def test_epochs_end_where_the_steps_end(first: int) -> None:
    train = Series(np.arange(1, 1001), np.zeros(1000), "step")
    valid = Series(np.arange(first, first + 10), np.zeros(10), "epoch")
    found = on_one_axis({"train": train, "valid": valid})
    np.testing.assert_allclose(found["valid"].x, np.arange(100, 1001, 100))
    assert found["train"] is train


def test_the_real_log_of_five_runs_falls_into_its_five_pieces() -> None:
    path = RUNS / "step_comma_loss_train.txt"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    steps, losses = np.loadtxt(path, delimiter=",", unpack=True)
    whole = Series(steps.astype(int), losses, "step")
    assert [one.y.size for one in whole.segments] == [504, 11, 10, 30, 500]
    assert whole.latest.y.size == 500
