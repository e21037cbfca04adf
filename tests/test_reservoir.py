"""A seeded choice out of a stream: the same rows however they come, each with the same chance."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kashika.reservoir import Reservoir


def filled(most: int, keys: list[float], sizes: list[int]) -> Reservoir:
    """Offer rows in batches of these sizes, over and over."""
    reservoir, start, step = Reservoir(most), 0, 0
    while start < len(keys):
        size = sizes[step % len(sizes)]
        here = np.array(keys[start : start + size])
        rows = reservoir.wanted(here)
        reservoir.add(here[rows], start + rows, {"key": here[rows]})
        start, step = start + size, step + 1
    return reservoir


@given(
    st.integers(1, 9),
    st.lists(st.floats(0, 1), min_size=1, max_size=60, unique=True),
    st.lists(st.integers(1, 20), min_size=1, max_size=4),
)
def test_the_rows_with_the_smallest_keys_stay_however_they_come(
    most: int, keys: list[float], sizes: list[int]
) -> None:
    reservoir = filled(most, keys, sizes)
    expected = np.sort(np.argsort(keys)[:most])
    np.testing.assert_array_equal(reservoir.ids, expected)
    np.testing.assert_array_equal(reservoir.columns["key"], np.array(keys)[expected])


def test_a_smaller_reservoir_keeps_a_part_of_what_a_larger_one_keeps() -> None:
    keys = np.random.default_rng(0).random(500).tolist()
    few, many = filled(20, keys, [64]), filled(100, keys, [64])
    assert set(few.ids) < set(many.ids)


def test_every_row_has_the_same_chance() -> None:
    generator = np.random.default_rng(0)
    counts = np.zeros(40)
    for _ in range(2_000):
        counts[filled(10, generator.random(40).tolist(), [7]).ids] += 1
    # 2,000 draws of one in four: a standard deviation of 19.4 around 500.
    assert np.abs(counts - 500).max() < 4 * 19.4


def test_a_column_that_is_not_in_every_batch_is_lost_and_the_others_stay() -> None:
    reservoir = Reservoir(10)
    keys, ones = np.array([0.1, 0.2]), np.ones((2, 3))
    reservoir.add(keys, np.array([0, 1]), {"a": ones, "b": ones, "c": ones})
    reservoir.add(keys + 0.5, np.array([2, 3]), {"a": ones, "c": np.ones((2, 4))})
    assert {name: one.shape for name, one in reservoir.columns.items()} == {"a": (4, 3)}
