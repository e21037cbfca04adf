"""The interval of a share, by its definition and by its closed forms."""

from __future__ import annotations

from math import comb, fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kashika.proportion import interval

counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def at_least(successes: int, trials: int, share: float) -> float:
    """Return the probability of so many successes or more, summed term by term."""
    return fsum(
        comb(trials, k) * share**k * (1 - share) ** (trials - k)
        for k in range(successes, trials + 1)
    )


def test_100_of_100_right_is_not_100_percent() -> None:
    low, high = interval(100, 100)
    assert low == pytest.approx(0.025 ** (1 / 100), rel=1e-12)  # share ** 100 = 0.025
    assert f"{low:.4f}" == "0.9638"
    assert high == 1.0


@pytest.mark.parametrize("trials", [1, 3, 100, 10_000])
def test_none_of_n_and_all_of_n_have_closed_forms(trials: int) -> None:
    least = 0.025 ** (1 / trials)
    assert interval(trials, trials) == pytest.approx((least, 1.0), rel=1e-12)
    assert interval(0, trials) == pytest.approx((0.0, 1 - least), rel=1e-9)
    assert (interval(0, trials)[0], interval(trials, trials)[1]) == (0.0, 1.0)


@given(counts)
def test_each_end_is_where_the_tail_of_the_binomial_holds_a_fortieth(
    count: tuple[int, int],
) -> None:
    successes, trials = count
    low, high = interval(successes, trials)
    if successes:
        assert at_least(successes, trials, low) == pytest.approx(0.025, rel=1e-6)
    if successes < trials:
        assert 1 - at_least(successes + 1, trials, high) == pytest.approx(0.025, rel=1e-6)


@given(counts)
def test_it_lies_around_the_share_and_is_the_same_for_failures_mirrored(
    count: tuple[int, int],
) -> None:
    successes, trials = count
    low, high = interval(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    mirrored = interval(trials - successes, trials)
    assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-12)


def test_more_samples_and_less_confidence_make_it_narrower() -> None:
    widths = [high - low for low, high in (interval(9 * n, 10 * n) for n in (1, 10, 100, 1000))]
    assert widths == sorted(widths, reverse=True)
    sure, half = interval(90, 100), interval(90, 100, confidence=0.5)
    assert sure[0] < half[0] < half[1] < sure[1]


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (5, 4), (-1, 4)])
def test_a_share_of_nothing_is_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        interval(successes, trials)
    assert str(caught.value) == (
        f"expected 0 <= successes <= trials > 0, found {successes} of {trials}"
    )
