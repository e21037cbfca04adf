"""How far values are from a distribution, as SciPy has it, and how many lie beyond two limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from kashika.distribution import KEPT, Distribution, FloatArray


def uniform(x: FloatArray) -> FloatArray:
    return np.clip((x + 1) / 2, 0.0, 1.0)


@pytest.mark.parametrize("size", [1, 7, 1_000])
@pytest.mark.parametrize("width", [0.9, 1.0, 1.3])
def test_the_distance_is_that_of_kolmogorov_and_smirnov(size: int, width: float) -> None:
    values = np.random.default_rng(0).uniform(-width, width, size)
    expected = stats.kstest(values, uniform).statistic
    assert Distribution.of(values).distance(uniform) == pytest.approx(expected)


@pytest.mark.parametrize("width", [0.9, 1.0, 1.3])
def test_from_codes_the_distance_is_at_most_that(width: float) -> None:
    values = np.random.default_rng(0).uniform(-width, width, 4 * KEPT).astype(np.float32)
    expected = stats.kstest(values.astype(np.float64), uniform).statistic
    found = Distribution.of(values).distance(uniform)
    assert expected - 0.002 <= found <= expected + 1e-6


def test_of_no_finite_value_there_is_no_distance_and_no_share() -> None:
    nothing = Distribution.of([np.nan, np.inf])
    assert np.isnan(nothing.distance(uniform))
    assert np.isnan(nothing.beyond(-1, 1))


@pytest.mark.parametrize("size", [10, 3 * KEPT])
def test_the_share_beyond_two_limits_counts_what_is_finite(size: int) -> None:
    values = np.random.default_rng(0).normal(size=size).astype(np.float32)
    expected = np.mean((values < -0.97) | (values > 0.97))
    beside = Distribution.of(np.append(values, [np.nan, np.inf]).astype(np.float32))
    assert beside.beyond(-0.97, 0.97) == pytest.approx(expected, abs=0.0 if size < KEPT else 2e-3)
