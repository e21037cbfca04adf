"""Columns over the same rows become series, each at the epochs or steps beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from kashika.load.logs.tabular import series_of, unit_of
from kashika.texts import speaking

Cells = Sequence[float | None]


def found(**columns: Cells) -> dict[str, tuple[str, list[float], list[float]]]:
    return {
        name: (one.unit, one.x.tolist(), one.y.tolist())
        for name, one in series_of(columns)[0].items()
    }


@pytest.mark.parametrize(
    ("name", "unit"),
    [("epoch", "epoch"), ("Epoch", "epoch"), ("エポック", "epoch"), ("step", "step"),
     ("trainer/global_step", "step"), ("Iteration", "step"), ("_step", "step"), ("iter", "step"),
     ("loss", None), ("steps_per_second", None)],
)  # fmt: skip
def test_what_counts_is_known_by_its_name(name: str, unit: str | None) -> None:
    assert unit_of(name) == unit


def test_steps_are_taken_before_epochs_and_epochs_before_rows() -> None:
    assert found(epoch=[0, 1], step=[10, 20], loss=[2, 1]) == {"loss": ("step", [10, 20], [2, 1])}
    assert found(epoch=[0, 1], loss=[2, 1]) == {"loss": ("epoch", [0, 1], [2, 1])}
    assert found(loss=[2, None, 1]) == {"loss": ("row", [1, 3], [2, 1])}


def test_a_step_that_goes_nowhere_is_none() -> None:
    assert found(epoch=[0, 1], step=[5, 5], loss=[2, 1]) == {"loss": ("epoch", [0, 1], [2, 1])}


def test_steps_within_epochs_are_counted_through() -> None:
    losses, steps = [6.0, 5, 4, 3, 2, 1], [100, 200] * 3
    assert found(epoch=[1, 1, 2, 2, 3, 3], iter=steps, loss=losses) == {
        "loss": ("step", [100, 200, 300, 400, 500, 600], [6, 5, 4, 3, 2, 1])
    }  # fmt: skip


def test_a_run_that_begins_anew_is_not_counted_through() -> None:
    values = found(epoch=[1, 2, 1, 2], step=[10, 20, 10, 20], loss=[4.0, 3, 2, 1])
    assert values["loss"][1] == [10, 20, 10, 20]


def test_each_series_has_the_rows_that_it_stands_in() -> None:
    valid: Cells = [None, 2.0, None]
    assert found(step=[1, 2, 3], loss=[3.0, None, 1.0], val_loss=valid) == {
        "loss": ("step", [1, 3], [3, 1]), "val_loss": ("step", [2], [2])
    }  # fmt: skip


def test_a_missing_cell_is_no_value_and_nan_is_one() -> None:
    (_, x, y) = found(epoch=[1, 2, 3], loss=[1.0, None, np.nan])["loss"]
    assert x == [1, 3]
    assert np.isnan(y[1])


def test_fractions_of_epochs_stay_fractions() -> None:
    assert found(epoch=[0.5, 1.0], loss=[2, 1])["loss"][1] == [0.5, 1.0]


def test_what_measures_nothing_is_left_out_and_named() -> None:
    series, notes = series_of({
        "index": [0, 1], "time": [1.0, 2.0], "eval_runtime": [1.0, 2.0], "loss": [2.0, 1.0],
    })  # fmt: skip
    assert list(series) == ["loss"]
    with speaking("en"):
        assert list(map(str, notes)) == ["Not read as series: index, time, eval_runtime"]


def test_values_without_a_place_are_counted() -> None:
    series, notes = series_of({"step": [1, None, 3], "loss": [3.0, 2.0, 1.0]})
    assert series["loss"].y.tolist() == [3, 1]
    with speaking("en"):
        assert list(map(str, notes)) == [
            "Values in rows without an epoch or a step were left out: loss (1)"
        ]
