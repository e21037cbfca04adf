"""A grid that is asked closely only where the answer changes says what a dense one says."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kashika.distribution import FloatArray, IntArray
from kashika.views.boundary.grid import STEP, TOLERANCE, Ask, fill, nearest

SQUARE = np.linspace(-1, 1, 201)


def surface(z: FloatArray) -> tuple[IntArray, FloatArray]:
    """Two classes by the sign of a logit."""
    sure = 1 / (1 + np.exp(-np.abs(z)))
    return (z > 0).astype(int), np.column_stack([sure, np.abs(z)])


def circle(places: FloatArray) -> tuple[IntArray, FloatArray]:
    return surface(20 * (np.hypot(places[:, 0], places[:, 1]) - 0.6))


@dataclass
class Counted:
    """It says how often it was asked, and where."""

    ask: Ask
    places: list[FloatArray] = field(default_factory=list)

    def __call__(self, places: FloatArray) -> tuple[IntArray, FloatArray]:
        self.places.append(places)
        return self.ask(places)


# --- as good as asking everywhere -----------------------------------------------------------------


def test_the_classes_are_those_of_the_dense_grid_for_a_fraction_of_the_questions() -> None:
    counted = Counted(circle)
    found, dense = fill(counted, SQUARE, SQUARE), fill(circle, SQUARE, SQUARE, step=1)
    np.testing.assert_array_equal(found.classes, dense.classes)
    np.testing.assert_allclose(found.values[0], dense.values[0], atol=TOLERANCE)
    asked = np.concatenate(counted.places)
    assert len(asked) == found.asked.sum() < 0.25 * SQUARE.size**2
    assert len(np.unique(asked, axis=0)) == len(asked)  # nothing is asked twice
    assert dense.asked.all()


@given(
    width=st.integers(2, 40), height=st.integers(2, 40), step=st.sampled_from([1, 2, 4, 8]),
    seed=st.integers(0, 99),
)  # fmt: skip
@settings(deadline=None)
def test_a_plane_is_the_same_on_any_grid_with_any_step(
    width: int, height: int, step: int, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    x, y = np.cumsum(draw.uniform(0.1, 1, width)), np.cumsum(draw.uniform(0.1, 1, height))
    slope = draw.normal(size=2)

    def ask(places: FloatArray) -> tuple[IntArray, FloatArray]:
        return np.zeros(len(places), dtype=int), (places @ slope)[:, None]

    found = fill(ask, x, y, step=step)
    expected = slope[0] * x + slope[1] * y[:, None]
    np.testing.assert_allclose(found.values[0], expected, atol=1e-9)
    # Interpolation is exact for a plane, so nobody is asked twice as closely as at first.
    assert found.asked.sum() == (-(-(width - 1) // step) + 1) * (-(-(height - 1) // step) + 1)


@given(step=st.sampled_from([2, 4, 8]), seed=st.integers(0, 199))
@settings(deadline=None)
def test_wherever_two_neighbours_differ_both_were_asked(step: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    waves, turn = draw.normal(size=(6, 2)) * 6, draw.uniform(0, 6, 6)
    found = fill(
        lambda p: surface(np.cos(p @ waves.T + turn).sum(axis=1)), SQUARE, SQUARE[:77], step=step
    )
    for one, other, asked, beside in (
        (found.classes[1:], found.classes[:-1], found.asked[1:], found.asked[:-1]),
        (found.classes[:, 1:], found.classes[:, :-1], found.asked[:, 1:], found.asked[:, :-1]),
    ):
        differ = one != other
        assert (asked & beside)[differ].all()


def test_the_number_of_questions_follows_the_line_and_not_the_area() -> None:
    counts = []
    for size in (129, 257, 513):
        axis = np.linspace(-1, 1, size)
        # A step, flat on both sides: all that there is to see is its line.
        found = fill(lambda p: surface(np.where(p[:, 0] > p[:, 1] / 3, 9.0, -9.0)), axis, axis)
        counts.append(found.asked.sum() - len(np.arange(0, size, STEP)) ** 2)
    assert counts[1] / counts[0] == pytest.approx(2, rel=0.1)
    assert counts[2] / counts[1] == pytest.approx(2, rel=0.1)


# --- what is small --------------------------------------------------------------------------------


def test_an_island_between_the_places_of_the_first_pass_is_found_around_a_sample() -> None:
    middle = SQUARE[102], SQUARE[53]  # four cells away from any place that is asked at first

    def ask(places: FloatArray) -> tuple[IntArray, FloatArray]:
        inside = np.hypot(*(places - middle).T) < 0.018
        return inside.astype(int), np.ones((len(places), 1))

    missed = fill(ask, SQUARE, SQUARE, step=8)
    assert missed.classes.max() == 0
    found = fill(
        ask, SQUARE, SQUARE, step=8, places=np.array([middle, (0, 0)]), classes=np.array([1, 0])
    )
    np.testing.assert_array_equal(found.classes, fill(ask, SQUARE, SQUARE, step=1).classes)
    assert found.classes.sum() > 1


def test_a_thin_tongue_is_followed_from_where_it_begins() -> None:
    # One cell wide, and between the places of the first pass: only its root can be seen.
    def ask(places: FloatArray) -> tuple[IntArray, FloatArray]:
        x, y = places.T
        tongue = (np.abs(y - SQUARE[101]) < 0.005) & (x < 0.8)
        return ((x < -0.5) | tongue).astype(int), np.ones((len(places), 1))

    found = fill(ask, SQUARE, SQUARE)
    np.testing.assert_array_equal(found.classes, fill(ask, SQUARE, SQUARE, step=1).classes)


# --- what is no number ----------------------------------------------------------------------------


def test_where_there_is_no_answer_there_is_none_and_nobody_insists() -> None:
    def ask(places: FloatArray) -> tuple[IntArray, FloatArray]:
        x = places[:, 0]
        value = np.where(x > 0.3, np.nan, x)
        return np.where(x > 0.3, -1, 0), value[:, None]

    found = fill(ask, SQUARE, SQUARE)
    np.testing.assert_array_equal(found.classes, np.tile(np.where(SQUARE > 0.3, -1, 0), (201, 1)))
    np.testing.assert_array_equal(np.isnan(found.values[0]), np.tile(SQUARE > 0.3, (201, 1)))
    assert found.asked.mean() < 0.15


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_infinite_values_stay_infinite_between_each_other(value: float) -> None:
    found = fill(
        lambda p: (np.zeros(len(p), dtype=int), np.full((len(p), 1), value)), SQUARE, SQUARE
    )
    np.testing.assert_array_equal(found.values, np.full((1, 201, 201), value))


def test_the_noise_of_a_network_in_float32_is_not_followed() -> None:
    draw = np.random.default_rng(0)

    def ask(places: FloatArray) -> tuple[IntArray, FloatArray]:
        return np.zeros(len(places), int), 0.7 + 1e-7 * draw.normal(size=(len(places), 1))

    assert fill(ask, SQUARE, SQUARE).asked.mean() < 0.07


# --- places ---------------------------------------------------------------------------------------


def test_a_place_belongs_to_the_nearest_point_of_the_grid_and_outside_to_none() -> None:
    x, y = np.array([0.0, 1.0, 2.0]), np.array([0.0, 10.0])
    places = np.array([[0.4, 4.0], [0.6, 6.0], [2.4, 14.0], [2.6, 0.0], [0.0, -6.0], [np.nan, 0]])
    rows, columns, inside = nearest(places, x, y)
    np.testing.assert_array_equal(inside, [True, True, True, False, False, False])
    np.testing.assert_array_equal(rows[:3], [0, 1, 1])
    np.testing.assert_array_equal(columns[:3], [0, 1, 2])
