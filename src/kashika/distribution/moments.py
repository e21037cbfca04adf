"""Moments: mean and deviation of any number of values, from sums that add up exactly."""

from __future__ import annotations

from dataclasses import dataclass
from math import frexp, fsum, isqrt, ldexp
from typing import Any

import numpy as np
import numpy.typing as npt

_PLACES = 1200  # binary places of a sum: no float64 has more than 1074
_CHUNK = 1 << 16  # values that are looked at together: as float64 they fit a core's cache
_ROW = 1 << 13  # values that are multiplied at a time
_LOOK = 1 << 8  # values that tell roughly where the mean lies
_SQUARABLE = 400  # exponent up to which, and down to minus which, squares are normal numbers


@dataclass(frozen=True, slots=True)
class Moments:
    """How many values there are, their sum and that of their squares.

    The sums are whole numbers, so that `a + b` rounds nothing: it is the same in any order. What
    is rounded are the sums over one array, relative to the deviation of its values and not to
    their size: a small spread far from zero is not lost.

    Attributes
    ----------
    count : number of values
    total : sum of the values, in units of 2 ** -1200
    squares : sum of their squares, in units of 2 ** -2400
    """

    count: int = 0
    total: int = 0
    squares: int = 0

    @classmethod
    def of(cls, values: npt.NDArray[Any], *, least: float, greatest: float) -> Moments:
        """Sum up values, all finite.

        Parameters
        ----------
        values : (n,) float32 or float64
        least, greatest : of them
        """
        n = values.size
        if not n:
            return cls()
        # The sums are those of differences from a pivot close to the mean. They are scaled where
        # squares would overflow or vanish; by a power of two, which rounds nothing.
        exponent = frexp(max(-least, greatest))[1]
        scale = 0 if -_SQUARABLE < exponent < _SQUARABLE else -exponent
        some = values[:: max(1, n // _LOOK)].astype(np.float64)
        if scale:
            np.ldexp(some, scale, out=some)
        pivot = float(np.add.reduce(some)) / some.size
        pivot = min(max(pivot, ldexp(least, scale)), ldexp(greatest, scale))
        if 2 * pivot**2 < float(np.dot(some, some)) / some.size:  # zero is close enough to it
            pivot = 0.0
        first, second = [], []
        room = np.empty(min(n, _CHUNK))
        for start in range(0, n, _CHUNK):
            chunk = values[start : start + _CHUNK]
            difference = room[: chunk.size]
            np.copyto(difference, chunk)
            if scale:
                np.ldexp(difference, scale, out=difference)
            if pivot:
                np.subtract(difference, pivot, out=difference)
            first.append(float(np.add.reduce(difference)))
            second.append(_dot(difference))
        centre = _whole(pivot, _PLACES - scale)
        total = n * centre + _whole(fsum(first), _PLACES - scale)
        squares = _whole(fsum(second), 2 * (_PLACES - scale))
        # The sum of (x - p)^2 is that of x^2 - 2px + p^2.
        return cls(n, total, squares + (2 * total - n * centre) * centre)

    @classmethod
    def of_counts(cls, counts: npt.NDArray[np.integer[Any]]) -> Moments:
        """Sum up values of a binary format from how often each occurs; nothing is rounded.

        Parameters
        ----------
        counts : (2, exponents, fractions) of positive and negative values; (2, 255, 128) for
            bfloat16, (2, 31, 1024) for float16, whose last exponent is that of Inf and NaN
        """
        _, exponents, fractions = counts.shape
        significand = np.arange(fractions) + np.r_[0, np.full(exponents - 1, fractions)][:, None]
        places = _PLACES - exponents // 2 - (fractions.bit_length() - 1)
        total = squares = 0
        both = ((counts[0] - counts[1]) * significand).sum(axis=1)
        even = ((counts[0] + counts[1]) * significand**2).sum(axis=1)
        for exponent, (one, two) in enumerate(zip(both.tolist(), even.tolist(), strict=True)):
            shift = places + max(exponent, 1)
            total += one << shift
            squares += two << 2 * shift
        return cls(int(counts.sum()), total, squares)

    def __add__(self, other: Moments) -> Moments:
        """Merge two; exact, so the order does not matter."""
        return Moments(
            self.count + other.count, self.total + other.total, self.squares + other.squares
        )

    @property
    def mean(self) -> float:
        """Mean, NaN of nothing."""
        return self.total / (self.count << _PLACES) if self.count else np.nan

    @property
    def sd(self) -> float:
        """Standard deviation of these values, not of a population; NaN of nothing."""
        return self._root(self.count * self.squares - self.total**2, self.count)

    @property
    def rms(self) -> float:
        """Root mean square, NaN of nothing."""
        return self._root(self.count * self.squares, self.count)

    def _root(self, square: int, divisor: int) -> float:
        """Return sqrt(square) / divisor, where `square` is in units of 2 ** -2400."""
        if square <= 0:  # below zero by rounding
            return 0.0 if self.count else np.nan
        # 130 bits of the square give the 53 of a root and some more.
        cut = (square.bit_length() - 130) // 2
        root = isqrt(square >> 2 * cut if cut > 0 else square << -2 * cut)
        if cut > 0:
            return (root << cut) / (divisor << _PLACES)
        return root / (divisor << _PLACES - cut)


def _dot(values: npt.NDArray[np.float64]) -> float:
    """Return the sum of squares, in rows so short that no BLAS divides them among threads.

    Its threads would wait for each other, and the sum would depend on their number.
    """
    if values.size < _ROW:
        return float(np.dot(values, values))
    rows = values[: values.size // _ROW * _ROW].reshape(-1, _ROW)
    rest = values[rows.size :]
    return float(np.dot(rest, rest)) + float(np.matmul(rows[:, None, :], rows[:, :, None]).sum())


def _whole(value: float, places: int) -> int:
    """Return value * 2 ** places as a whole number."""
    numerator, denominator = value.as_integer_ratio()
    shift = places - (denominator.bit_length() - 1)
    return numerator << shift if shift >= 0 else numerator >> -shift
