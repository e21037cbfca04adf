"""What a Distribution says is true of the values, whatever they are and however they arrive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import reduce
from itertools import permutations
from math import fsum, inf, nan, sqrt
from operator import add
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kashika.distribution import KEPT, Array, Distribution, FloatArray, IntArray

BIG = 1.7e308
DENORMAL = 5e-324  # the least number above zero
MANY = KEPT + 1000

anything = st.floats() | st.sampled_from(
    [nan, inf, -inf, 0.0, -0.0, DENORMAL, -DENORMAL, BIG, -BIG]
)
pieces = st.lists(st.lists(anything, max_size=8), min_size=1, max_size=6)
computable = arrays(
    st.sampled_from([np.float32, np.float64]),
    st.integers(1, 60),
    elements=st.floats(-(2.0**100), 2.0**100, width=32),
)

DRAWS: dict[str, Callable[[np.random.Generator], FloatArray]] = {
    "normal": lambda rng: rng.normal(3, 2, MANY),
    "float16": lambda rng: rng.normal(3, 2, MANY).astype(np.float16),
    "float32": lambda rng: rng.normal(0, 1e-3, MANY).astype(np.float32),
    "sixty decades": lambda rng: rng.choice([-1, 1], MANY) * 10.0 ** rng.uniform(-30, 30, MANY),
    "half zero": lambda rng: np.maximum(rng.normal(size=MANY), 0),
    "constant": lambda _: np.full(MANY, 0.1),
}
"""More values than are kept, within the range of bfloat16."""


def many(draw: str) -> FloatArray:
    return DRAWS[draw](np.random.default_rng(0))


def exact_moments(values: Sequence[float]) -> tuple[Decimal, Decimal, Decimal]:
    """Return mean, standard deviation and root mean square with sixty digits and no overflow."""
    with localcontext(prec=60):
        exact = [Decimal(value) for value in values]
        mean = sum(exact, Decimal(0)) / len(exact)
        sd = (sum(((x - mean) ** 2 for x in exact), Decimal(0)) / len(exact)).sqrt()
        rms = (sum((x * x for x in exact), Decimal(0)) / len(exact)).sqrt()
        return mean, sd, rms


def assert_moments(found: Distribution, values: Sequence[float]) -> None:
    """Compare mean and deviation with exact ones, to 1e-12 of the size of the values."""
    finite = [value for value in values if np.isfinite(value)]
    if not finite:
        assert np.isnan([found.mean, found.sd, found.rms]).all()
        return
    mean, sd, rms = exact_moments(finite)
    near = Decimal("1e-12") * rms + 4 * Decimal(DENORMAL)
    assert abs(Decimal(found.mean) - mean) <= near
    assert abs(Decimal(found.sd) - sd) <= near
    assert abs(Decimal(found.rms) - rms) <= near


def counts(one: Distribution) -> tuple[object, ...]:
    return (one.size, one.nan, one.infinite, one.zeros, repr(one.least), repr(one.greatest))


# --- what is counted and computed ----------------------------------------------------------------


@given(st.lists(anything, max_size=40))
@settings(deadline=None)
def test_counts_are_exact_and_moments_those_of_sixty_digits(values: list[float]) -> None:
    one = Distribution.of(values)
    assert one.size == len(values)
    assert one.nan == sum(value != value for value in values)
    assert one.infinite == sum(value in (inf, -inf) for value in values)
    assert one.zeros == values.count(0.0)
    finite = [value for value in values if np.isfinite(value)]
    assert one.finite == len(finite)
    if finite:
        assert (one.least, one.greatest) == (min(finite), max(finite))
    assert_moments(one, values)


def test_a_small_spread_far_from_zero_is_not_lost() -> None:
    values = 1e8 + np.array([-1.0, 0.0, 1.0])
    assert Distribution.of(values).sd == pytest.approx(sqrt(2 / 3), rel=1e-12)


def test_the_mean_of_a_constant_is_the_constant_and_its_deviation_zero() -> None:
    for size in (1, 3, 70_000):
        one = Distribution.of(np.full(size, 0.1))
        assert (one.mean, one.sd, one.least, one.greatest) == (0.1, 0.0, 0.1, 0.1)
    merged = Distribution.of([0.1] * 3) + Distribution.of([0.1] * 7)
    assert (merged.mean, merged.sd) == (0.1, 0.0)


@pytest.mark.parametrize("n", [2, 10, 50_000])
def test_whole_numbers_from_0_to_n_have_their_closed_forms(n: int) -> None:
    for kind in (np.int64, np.uint16, np.int32):
        one = Distribution.of(np.arange(n, dtype=kind))
        assert one.mean == (n - 1) / 2
        assert one.sd == pytest.approx(sqrt((n * n - 1) / 12), rel=1e-14)
        assert one.norm == pytest.approx(sqrt((n - 1) * n * (2 * n - 1) / 6), rel=1e-14)


def test_truth_values_are_zeros_and_ones() -> None:
    one = Distribution.of([True, False, False, False])
    assert (one.zeros, one.mean, one.least, one.greatest) == (3, 0.25, 0.0, 1.0)


@pytest.mark.parametrize(
    ("values", "mean", "sd"),
    [
        ([BIG, BIG], BIG, 0.0),
        ([BIG, -BIG], 0.0, BIG),
        ([BIG, -BIG, -BIG, -BIG], -BIG / 2, BIG * sqrt(0.75)),
        ([DENORMAL, -DENORMAL], 0.0, DENORMAL),
        ([1e-200, -1e-200], 0.0, 1e-200),
    ],
)
def test_moments_reach_to_both_ends_of_the_floating_point_numbers(
    values: list[float], mean: float, sd: float
) -> None:
    merged = reduce(add, [Distribution.of(value) for value in values])
    for one in (Distribution.of(values), merged):
        np.testing.assert_allclose([one.mean, one.sd], [mean, sd], rtol=1e-14, atol=DENORMAL)


def test_float16_is_computed_in_more_than_float16() -> None:
    one = Distribution.of(np.array([60_000, 60_000, -60_000], dtype=np.float16))
    assert one.mean == 60_000 / 3
    found, edges = one.histogram(bins=2)
    assert (found.tolist(), edges.tolist()) == ([1, 2], [-60_000, 0, 60_000])


def test_nothing_at_all_and_nothing_finite_have_no_moments() -> None:
    for values in ([], [nan], [inf, -inf]):
        one = Distribution.of(values)
        assert one.finite == 0
        assert np.isnan(
            [one.mean, one.sd, one.rms, one.least, one.greatest, one.quantile(0.5)]
        ).all()
        assert one.norm == 0.0
        assert one.histogram(bins=4)[0].tolist() == [0, 0, 0, 0]


def test_shares_are_of_all_values() -> None:
    one = Distribution.of([0.0, -0.0, 1.0, nan, inf, -inf, 2.0, 3.0])
    assert one.zero_share == 2 / 8
    assert one.nonfinite_share == 3 / 8
    assert np.isnan([Distribution.of([]).zero_share, Distribution.of([]).nonfinite_share]).all()


def test_the_shape_is_that_of_the_array_until_it_is_merged() -> None:
    one = Distribution.of(np.zeros((3, 4)))
    assert one.shape == (3, 4)
    assert Distribution.of(7.0).shape == ()
    assert (one + one).shape == (24,)


def test_an_array_that_changes_later_changes_nothing() -> None:
    array = np.ones(3)
    one = Distribution.of(array)
    array[:] = nan
    assert one.quantile(1.0) == 1.0


# --- merging -------------------------------------------------------------------------------------


@given(pieces, st.data())
@settings(deadline=None)
def test_merged_in_any_order_they_are_what_all_at_once_would_be(
    parts: list[list[float]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(parts))
    values = [value for part in parts for value in part]
    whole, merged = Distribution.of(values), reduce(add, map(Distribution.of, order))
    assert merged.size == len(values)
    assert counts(merged)[:4] == counts(whole)[:4]
    np.testing.assert_array_equal([merged.least, merged.greatest], [whole.least, whole.greatest])
    assert sorted(kept(merged).tolist()) == sorted(kept(whole).tolist())
    assert_moments(merged, values)


@given(st.lists(st.lists(anything, max_size=8), min_size=3, max_size=3))
@settings(deadline=None)
def test_it_does_not_matter_which_two_are_merged_first(parts: list[list[float]]) -> None:
    a, b, c = map(Distribution.of, parts)
    left, right = (a + b) + c, a + (b + c)
    assert counts(left) == counts(right)
    assert kept(left).tolist() == kept(right).tolist()
    assert_moments(left, [value for part in parts for value in part])
    assert_moments(right, [value for part in parts for value in part])


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_parts_of_many_values_give_the_same_counts_as_all_of_them(
    draw: str, order: tuple[int, ...]
) -> None:
    values = many(draw)
    whole = Distribution.of(values)
    parts = [Distribution.of(part) for part in np.split(values, [KEPT - 5, KEPT + 900])]
    merged = reduce(add, [parts[i] for i in order])
    assert counts(merged) == counts(whole)
    assert merged.codes is not None
    assert whole.codes is not None
    np.testing.assert_array_equal(merged.codes, whole.codes)
    exact = values.astype(np.float64)
    rms = sqrt(float(np.mean(exact**2)))
    np.testing.assert_allclose(merged.mean, np.mean(exact), rtol=0, atol=1e-12 * rms)
    np.testing.assert_allclose(merged.sd, np.std(exact), rtol=1e-12, atol=1e-12 * rms)


def test_up_to_65536_values_are_kept_and_one_more_is_counted() -> None:
    assert KEPT == 65_536
    full = Distribution.of(np.arange(KEPT, dtype=np.float32))
    assert full.codes is None
    assert kept(full).dtype == np.float32
    for more in (full + Distribution.of(1.0), Distribution.of(np.zeros(KEPT + 1))):
        assert more.values is None
        assert more.codes is not None
        assert more.codes.nbytes == 512 * 1024
        assert more.codes.sum() == KEPT + 1


def test_values_that_are_not_finite_take_no_place_among_the_kept() -> None:
    full = Distribution.of(np.r_[np.zeros(KEPT), np.full(1000, nan), inf])
    assert kept(full).size == KEPT
    assert (full.size, full.nan, full.infinite) == (KEPT + 1001, 1000, 1)


def test_nothing_is_added_by_an_empty_one() -> None:
    one = Distribution.of([[1.0, nan]])
    assert one + Distribution.of([]) is one
    assert Distribution.of([]) + one is one


SPECIAL = np.array([nan, inf, -inf, 0.0, -0.0, DENORMAL, 3.4e38, -3.4e38, 1e-41, 1.0, 1.00390625])


@given(
    kind=st.sampled_from([np.float16, np.float32, np.float64, np.int8, np.int64, np.bool_]),
    cuts=st.lists(st.integers(0, 4 * KEPT), max_size=4),
    centre=st.sampled_from([0.0, 1.0, 1000.0]),
    data=st.data(),
)
@settings(deadline=None, max_examples=40)
def test_wherever_many_values_are_cut_the_parts_add_up_to_the_whole(
    kind: type[np.generic], cuts: list[int], centre: float, data: st.DataObject
) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(centre, 1, 4 * KEPT)
    if issubclass(kind, np.floating):
        values[rng.integers(0, values.size, 5 * SPECIAL.size)] = np.tile(SPECIAL, 5)
    with np.errstate(over="ignore", invalid="ignore"):
        values = values.astype(kind)
    whole = Distribution.of(values)
    parts = data.draw(st.permutations(np.split(values, sorted(cuts))))
    merged = reduce(add, map(Distribution.of, parts))
    assert counts(merged) == counts(whole)
    np.testing.assert_array_equal(merged.codes, whole.codes)
    scale = whole.rms
    np.testing.assert_allclose([merged.mean, merged.sd], [whole.mean, whole.sd], atol=1e-14 * scale)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_moments_of_many_values_are_exact_relative_to_their_deviation(
    kind: type[np.float32] | type[np.float64],
) -> None:
    rng = np.random.default_rng(0)
    for centre, deviation in ((0, 1), (1, 1e-3), (1e3, 1e-3), (1e30, 1e25), (-3e-30, 1e-30)):
        values = rng.normal(centre, deviation, 5 * KEPT).astype(kind)
        exact = values.astype(np.float64)
        mean = fsum(exact) / exact.size
        sd = sqrt(fsum((exact - mean) ** 2) / exact.size)
        one = reduce(add, map(Distribution.of, np.split(values, [7, KEPT, 3 * KEPT])))
        for found in (one, Distribution.of(values)):
            assert abs(found.mean - mean) <= 1e-12 * sd + np.spacing(abs(mean))
            assert abs(found.sd - sd) <= 1e-12 * sd + np.spacing(abs(mean))


def test_the_order_of_merging_does_not_change_a_single_bit() -> None:
    rng = np.random.default_rng(0)
    parts = [Distribution.of(rng.normal(10.0**k, 1, 1000)) for k in range(-8, 9)]
    sums = set()
    for _ in range(20):
        rng.shuffle(parts)
        merged = reduce(add, parts)
        sums.add((merged.mean, merged.sd, merged.rms))
    assert len(sums) == 1


def test_a_thousand_merges_lose_nothing() -> None:
    values = np.random.default_rng(0).normal(1e6, 1, 70_000)
    merged = reduce(add, map(Distribution.of, np.array_split(values, 1000)))
    mean = fsum(values) / values.size
    assert merged.mean == mean
    assert merged.sd == pytest.approx(
        sqrt(fsum((values - mean) ** 2) / values.size), rel=1e-13, abs=0
    )


def test_a_large_array_is_looked_at_in_parts_that_add_up() -> None:
    values = np.random.default_rng(0).standard_normal(1 << 22, dtype=np.float32)
    values[::1000] = nan
    whole = Distribution.of(values)
    merged = reduce(add, map(Distribution.of, np.split(values, 8)))
    assert counts(merged) == counts(whole)
    np.testing.assert_array_equal(merged.codes, whole.codes)
    assert merged.sd == pytest.approx(whole.sd, rel=1e-14)


@pytest.mark.parametrize("order", ["C", "F"])
def test_how_an_array_lies_in_memory_does_not_matter(order: Literal["C", "F"]) -> None:
    values = np.random.default_rng(0).standard_normal((300, 400), dtype=np.float32)
    plain = Distribution.of(values)
    odd = np.frombuffer(b"." + values.tobytes(order), np.uint8)[1:].view(np.float32)
    wide = np.asarray(np.stack([values, values], axis=-1), order=order)[..., 1]
    for other in (odd, wide, values[::-1, ::-1], values.astype(">f4"), values.T):
        found = Distribution.of(other)
        assert found.shape == other.shape
        assert counts(found) == counts(plain)
        np.testing.assert_array_equal(found.codes, plain.codes)
        assert found.sd == pytest.approx(plain.sd, rel=1e-14)


# --- formats of sixteen bits ---------------------------------------------------------------------


def of_bits(bits: npt.NDArray[np.uint16], kind: str) -> Array:
    """Return the values that bits stand for, in float32."""
    with np.errstate(invalid="ignore"):
        if kind == "float16":
            return bits.view(np.float16).astype(np.float32)
        return (bits.astype(np.uint32) << 16).view(np.float32)


def look(bits: npt.NDArray[np.uint16], kind: str) -> Distribution:
    if kind == "float16":
        return Distribution.of(bits.view(np.float16))
    return Distribution.of_bfloat16(bits)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("size", [0, 1, 1000, 3 * KEPT])
def test_bits_are_looked_at_as_the_values_that_they_stand_for(kind: str, size: int) -> None:
    bits = np.random.default_rng(0).integers(0, 65536, size).astype(np.uint16)
    found, wide = look(bits, kind), Distribution.of(of_bits(bits, kind))
    assert counts(found) == counts(wide)
    assert found.nan or size < 1000
    np.testing.assert_array_equal(found.codes, wide.codes)
    np.testing.assert_array_equal(found.values, wide.values)
    if size:
        np.testing.assert_allclose([found.mean, found.sd], [wide.mean, wide.sd], rtol=1e-13)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_every_finite_code_once_has_the_moments_of_whole_numbers(kind: str) -> None:
    bits = np.repeat(np.arange(65536, dtype=np.uint16), 3)
    found = look(bits, kind)
    values = of_bits(bits, kind)
    finite = [Fraction(value) for value in values[np.isfinite(values)].tolist()]
    assert found.finite == len(finite)
    assert found.zeros == 6
    assert found.mean == 0.0
    assert found.sd == found.rms
    square = sum((x * x for x in finite), Fraction(0)) / len(finite)
    assert abs(Fraction(found.sd) ** 2 / square - 1) < Fraction(1, 2**51)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_moments_from_bits_are_exact_wherever_they_are_cut(kind: str) -> None:
    bits = np.random.default_rng(0).integers(0, 0x7000, 8 * KEPT).astype(np.uint16)
    whole = look(bits, kind)
    merged = reduce(add, [look(part, kind) for part in np.split(bits, [KEPT + 1, 5 * KEPT])])
    assert merged.moments == whole.moments


def test_values_are_counted_at_the_nearest_code_and_beyond_the_last_at_the_last() -> None:
    for value, code in (
        (1.0, 0x3F80), (1 + 2.0**-9, 0x3F80), (1 + 2.0**-8, 0x3F81), (1 + 3 * 2.0**-9, 0x3F81),
        (-1 - 2.0**-8, 0xBF81), (3.4e38, 0x7F7F), (1e300, 0x7F7F), (-BIG, 0xFF7F),
        (0.0, 0), (-0.0, 0x8000), (1e-45, 0), (DENORMAL, 0), (2.0**-133, 1),
    ):  # fmt: skip
        found = Distribution.of(np.full(MANY, value)).codes
        assert found is not None
        assert np.flatnonzero(found).tolist() == [code]
        assert found[code] == MANY
    found = Distribution.of(np.full(MANY, np.finfo(np.float32).max)).codes
    assert found is not None
    assert found[0x7F7F] == MANY


def test_zero_has_no_sign_as_the_least_or_the_greatest_value() -> None:
    for values in ([-0.0], [0.0, -0.0], [-0.0, 0.0], [-0.0] * MANY, [0.0, -0.0] * MANY):
        one = Distribution.of(values)
        assert repr((one.least, one.greatest)) == "(0.0, 0.0)"
        assert one.zeros == len(values)


def test_another_way_to_count_is_used_where_it_is_given() -> None:
    called = []

    def slowly(codes: npt.NDArray[np.int32]) -> IntArray:
        called.append(codes.size)
        return np.histogram(codes, bins=65536, range=(0, 65536))[0]

    values = np.random.default_rng(0).standard_normal(MANY, dtype=np.float32)
    bits = np.arange(MANY, dtype=np.uint16)
    for usual, other in (
        (Distribution.of(values), Distribution.of(values, count=slowly)),
        (Distribution.of_bfloat16(bits), Distribution.of_bfloat16(bits, count=slowly)),
    ):
        assert called.pop() == MANY
        np.testing.assert_array_equal(usual.codes, other.codes)


# --- histograms and quantiles --------------------------------------------------------------------


@given(computable, st.integers(1, 50))
@settings(deadline=None)
def test_a_histogram_of_kept_values_is_exactly_that_of_numpy(values: Array, bins: int) -> None:
    try:
        expected = np.histogram(values, bins=bins)
    except ValueError:  # "too many bins for data range"; another test is about that
        return
    for found, want in zip(Distribution.of(values).histogram(bins=bins), expected, strict=True):
        np.testing.assert_array_equal(found, want)
        assert found.dtype == want.dtype


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_layer_of_1024_weights_in_20_bins_is_exactly_what_the_notebook_draws(
    kind: npt.DTypeLike,
) -> None:
    weights = np.random.default_rng(0).normal(0, 0.146, (32, 32)).astype(kind)
    weights[:, 3] = 0
    found, edges = Distribution.of(weights).histogram()
    expected, expected_edges = np.histogram(weights.ravel(), bins=20)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(edges, expected_edges)


@pytest.mark.parametrize("draw", DRAWS)
def test_a_histogram_of_codes_puts_no_value_further_than_it_says(draw: str) -> None:
    values = many(draw).astype(np.float64)
    found, edges = Distribution.of(many(draw)).histogram(bins=20)
    assert found.sum() == MANY
    if np.ptp(values):
        np.testing.assert_allclose(edges, np.linspace(values.min(), values.max(), 21), rtol=1e-12)
    ordered, slack = np.sort(values), 0.004 * np.abs(edges)
    below = np.r_[0, np.cumsum(found)]
    assert (below >= np.searchsorted(ordered, edges - slack))[:-1].all()
    assert (below <= np.searchsorted(ordered, edges + slack, side="right"))[1:].all()


@pytest.mark.parametrize("limit", [BIG, np.float32(3.4e38)])
def test_a_range_that_overflows_is_counted_all_the_same(limit: float | np.float32) -> None:
    values = np.array([-limit, -limit, 0, limit])
    found, edges = Distribution.of(values).histogram(bins=4)
    assert found.tolist() == [2, 0, 1, 1]
    np.testing.assert_allclose(edges, np.array([-1, -0.5, 0, 0.5, 1]) * float(limit), rtol=1e-6)
    assert Distribution.of(values).quantile(0.0) == -float(limit)
    np.testing.assert_allclose(Distribution.of(values).quantile(5 / 6), float(limit) / 2, rtol=1e-6)


def test_a_range_that_overflows_is_counted_from_codes_too() -> None:
    found, edges = Distribution.of(np.linspace(-BIG / 2, BIG / 2, MANY) * 2).histogram(bins=2)
    assert found.sum() == MANY
    np.testing.assert_allclose(edges, [-BIG, 0, BIG], atol=1e292)


@pytest.mark.parametrize("values", [[1e16, np.nextafter(1e16, inf)], [DENORMAL, 2 * DENORMAL]])
def test_values_too_close_for_bins_fall_into_one(values: list[float]) -> None:
    found, edges = Distribution.of(values).histogram(bins=20)
    assert found.tolist() == [2]
    assert edges[0] < values[0] < values[1] < edges[1]


@given(computable, st.floats(0, 1))
@settings(deadline=None)
def test_a_quantile_of_kept_values_is_exactly_that_of_numpy(values: Array, q: float) -> None:
    assert Distribution.of(values).quantile(q) == np.quantile(values.astype(np.float64), q)


@pytest.mark.parametrize("draw", DRAWS)
def test_a_quantile_of_codes_is_that_of_numpy_within_a_256th_of_its_neighbours(draw: str) -> None:
    values = many(draw)
    ordered, one = np.sort(values.astype(np.float64)), Distribution.of(values)
    for q in np.r_[np.linspace(0, 1, 101), 0.5 / MANY, 1 - 0.5 / MANY]:
        place = int(q * (MANY - 1))
        near = np.abs(ordered[place : place + 2]).max() / 256
        assert abs(one.quantile(float(q)) - np.quantile(ordered, q)) <= near


def test_a_quantile_between_two_clusters_is_interpolated() -> None:
    values = np.repeat([1.0, 2.0], MANY)
    assert Distribution.of(values).quantile(0.5) == np.quantile(values, 0.5) == 1.5


def test_the_ends_of_codes_are_the_exact_ends_of_the_values() -> None:
    values = np.linspace(-np.pi, np.e, MANY)
    one = Distribution.of(values)
    assert (one.quantile(0.0), one.quantile(1.0)) == (-np.pi, np.e)


def test_the_scale_of_the_values_does_not_matter() -> None:
    values = many("normal")
    one, scaled = Distribution.of(values), Distribution.of(values * 2.0**-60)
    for q in (0.0, 0.1, 0.5, 1.0):
        assert scaled.quantile(q) == one.quantile(q) * 2.0**-60
    assert scaled.sd == one.sd * 2.0**-60
    np.testing.assert_array_equal(scaled.histogram()[0], one.histogram()[0])


def kept(one: Distribution) -> Array:
    assert one.values is not None
    return one.values
