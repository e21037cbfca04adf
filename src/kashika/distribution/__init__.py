"""Distribution: what any number of values looks like, in bounded memory and mergeable."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial, reduce
from math import sqrt
from operator import add
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from kashika.distribution.codes import (
    CODES,
    GROUP,
    Bits,
    Count,
    ascending,
    code_values,
    count,
    count_bits,
    count_nearest,
    nearest,
)
from kashika.distribution.moments import Moments

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
Summed = TypeVar("Summed", "Distribution", IntArray)

KEPT = 65_536
"""Up to so many values are kept as they are; above that, one count for each bfloat16 code."""

_PART = 1 << 21  # values, at least, that are worth a thread
_PARTS = 16  # at most so many, for two threads: they end at about the same time


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """How many values there are, and how they are spread.

    Two of them merge by `a + b`, and it does not matter which are merged first; only the order of
    `values` tells. What is counted, the least and the greatest are exactly what all values at once
    would give. Mean and deviation are, wherever the values are cut into parts, those of a sum
    without rounding, to 1e-12 of the deviation (and the last place of the mean); exactly for more
    than `KEPT` values of float16 or bfloat16.

    Attributes
    ----------
    size : number of values, those that are not finite included
    nan, infinite, zeros : how many of them are NaN, +Inf or -Inf, exactly zero
    least, greatest : of the finite values; NaN if there is none
    moments : sums over the finite values
    shape : of the array that the values came from; (size,) after merging
    values : (finite,) the finite values in their own type, if there are at most `KEPT`
    codes : (65536,) int, else how many finite values are nearest to each bfloat16 code, the larger
        magnitude where two are; magnitudes beyond its range count as its largest, 3.4e38
    """

    size: int
    nan: int
    infinite: int
    zeros: int
    least: float
    greatest: float
    moments: Moments
    shape: tuple[int, ...]
    values: Array | None
    codes: IntArray | None

    @classmethod
    def of(cls, values: npt.ArrayLike, *, count: Count = count) -> Distribution:
        """Look at an array of real numbers of any shape.

        Parameters
        ----------
        count : what is to do the work of `count`, where something faster is at hand
        """
        array = np.asarray(values)
        if array.size > KEPT:
            flat = array.ravel(order="K")
            if flat.dtype == np.float16:
                many = _of_float16(flat.view(np.uint16), count=count)
            else:
                many = _in_threads(partial(_in_groups, count=count), flat)
            if many.finite > KEPT:
                return replace(many, shape=array.shape)
        one = _kept(array.reshape(-1))
        kept = np.array(one.values)  # not the user's, who may change them
        return replace(one, zeros=_zeros(kept), shape=array.shape, values=kept)

    @classmethod
    def of_bfloat16(cls, bits: Bits, *, count: Count = count) -> Distribution:
        """Look at bfloat16 values, given as their bits: NumPy has no type for them.

        Parameters
        ----------
        count : what is to do the work of `count`, where something faster is at hand
        """
        if bits.size > KEPT:
            counts = _in_threads(partial(count_bits, count=count), bits.ravel(order="K"))
            many = _of_counts(counts, values=code_values(), exponents=256)
            if many.finite > KEPT:
                return replace(many, shape=bits.shape)
        wide = bits.astype(np.uint32) << np.uint32(16)
        return cls.of(wide.view(np.float32))

    def __add__(self, other: Distribution) -> Distribution:
        """Merge two, as if all values had been seen at once."""
        if not self.size or not other.size:
            return self if self.size else other
        kept = None
        few = self.finite + other.finite <= KEPT
        if few and self.values is not None and other.values is not None:
            kept = np.concatenate([self.values, other.values])
        return Distribution(
            size=self.size + other.size,
            nan=self.nan + other.nan,
            infinite=self.infinite + other.infinite,
            zeros=self.zeros + other.zeros,
            least=float(np.fmin(self.least, other.least)),
            greatest=float(np.fmax(self.greatest, other.greatest)),
            moments=self.moments + other.moments,
            shape=(self.size + other.size,),
            values=kept,
            codes=self._counts() + other._counts() if kept is None else None,
        )

    @property
    def finite(self) -> int:
        """Number of finite values."""
        return self.size - self.nan - self.infinite

    @property
    def mean(self) -> float:
        """Mean of the finite values; NaN if there is none."""
        return self.moments.mean

    @property
    def sd(self) -> float:
        """Deviation of the finite values, not of a population; NaN if there is none."""
        return self.moments.sd

    @property
    def rms(self) -> float:
        """Root mean square of the finite values; unlike the norm it does not grow with the size."""
        return self.moments.rms

    @property
    def norm(self) -> float:
        """Euclidean norm of the finite values."""
        return self.rms * sqrt(self.finite) if self.finite else 0.0

    @property
    def zero_share(self) -> float:
        """Share of exact zeros, 0 to 1."""
        return self.zeros / self.size if self.size else np.nan

    @property
    def nonfinite_share(self) -> float:
        """Share of NaN and Inf, 0 to 1."""
        return (self.nan + self.infinite) / self.size if self.size else np.nan

    def histogram(self, *, bins: int = 20) -> tuple[IntArray, FloatArray]:
        """Count the finite values in `bins` equal bins between the least and the greatest.

        Returns
        -------
        (bins,) counts and (bins + 1,) edges, exactly those of `numpy.histogram` while the values
        are kept; from codes, each value lies within 0.4 % of its place. Values too close together
        to be told apart by `bins` edges fall into one bin.
        """
        if self.values is not None:
            values, weights, span = self.values, None, None
        else:
            counts = self._counts()
            values, weights = code_values()[counts > 0], counts[counts > 0]
            values = np.clip(values, self.least, self.greatest)
            span = (self.least * self._shrink, self.greatest * self._shrink)
        try:
            found, edges = np.histogram(values * self._shrink, bins, span, weights=weights)
        except ValueError:
            found = np.array([self.finite])
            edges = np.nextafter([self.least, self.greatest], [-np.inf, np.inf])
            return found, edges
        return found.astype(np.int64), edges / self._shrink

    def quantile(self, q: float) -> float:
        """Return the value below which a share `q` of the finite values lies (0 to 1).

        It is that of `numpy.quantile` in float64, exactly while the values are kept. From codes it
        is off by at most 0.4 % (2 ** -8) of the larger of the two values that it lies between, if
        they are normal numbers of bfloat16, 1.2e-38 to 3.4e38; the ends are exact.
        """
        if not self.finite:
            return np.nan
        if self.values is not None:
            kept = self.values.astype(np.float64) * self._shrink
            return float(np.quantile(kept, q)) / self._shrink
        if q in (0, 1):  # known exactly
            return self.greatest if q else self.least
        order = ascending()
        below = np.cumsum(self._counts()[order])
        place = q * (self.finite - 1)
        ends = np.searchsorted(below, [int(place), min(int(place) + 1, below[-1] - 1)], "right")
        low, high = np.clip(code_values()[order[ends]], self.least, self.greatest).tolist()
        share = place % 1
        return float(low * (1 - share) + high * share)

    def beyond(self, low: float, high: float) -> float:
        """Return which share of the finite values lies below `low` or above `high`; NaN of none.

        From codes each value lies within 0.4 % of its place.
        """
        if not self.finite:
            return np.nan
        if self.values is not None:
            return int(np.count_nonzero((self.values < low) | (self.values > high))) / self.finite
        places = code_values()
        with np.errstate(invalid="ignore"):
            outside = (places < low) | (places > high)
        return int(self._counts()[outside].sum()) / self.finite

    def distance(self, below: Callable[[FloatArray], FloatArray]) -> float:
        """Return how far the finite values are from a distribution, 0 to 1: Kolmogorov-Smirnov.

        Parameters
        ----------
        below : x -> the probability of a value of at most `x`, of a continuous distribution

        Returns
        -------
        The largest difference between that and the share of the values; NaN without values. From
        codes it is that of the values between which codes change, and so at most too small.
        """
        if not self.finite:
            return np.nan
        if self.values is not None:
            expected = below(np.sort(self.values.astype(np.float64)))
            steps = np.arange(self.finite + 1) / self.finite
            return float(max((steps[1:] - expected).max(), (expected - steps[:-1]).max()))
        order = ascending()
        counts, places = self._counts()[order], code_values()[order]
        seen = np.flatnonzero(counts)[:-1]
        with np.errstate(all="ignore"):
            change = (places[seen] + places[seen + 1]) / 2
        shares = np.cumsum(counts)[seen] / self.finite
        return float(np.abs(shares - below(change)).max(initial=0.0))

    @property
    def _shrink(self) -> float:
        """A factor for ranges that overflow in the type of the values."""
        kind = np.float64 if self.values is None else self.values.dtype
        widest = float(np.finfo(kind).max)
        return 0.25 if self.greatest - self.least > widest else 1.0

    def _counts(self) -> IntArray:
        if self.codes is not None:
            return self.codes
        assert self.values is not None
        return count_nearest(self.values, count=count)


# --- from values ----------------------------------------------------------------------------------


@np.errstate(all="ignore")
def _kept(flat: Array) -> Distribution:
    """Look at (n,) values, and keep those that are finite, however many; zeros are not counted."""
    if flat.dtype.kind != "f" or flat.dtype.itemsize > 8:
        flat = flat.astype(np.float64)
    elif flat.dtype.itemsize == 2:  # too narrow to compute in: 6e4 + 6e4 is infinite
        flat = flat.astype(np.float32)
    size, nan, finite = flat.size, 0, flat
    least, greatest = _ends(finite)
    if size and not (np.isfinite(least) and np.isfinite(greatest)):
        nan = int(np.count_nonzero(np.isnan(flat)))
        finite = flat[np.isfinite(flat)]
        least, greatest = _ends(finite)
    return Distribution(
        size=size,
        nan=nan,
        infinite=size - finite.size - nan,
        zeros=0,
        least=least,
        greatest=greatest,
        moments=Moments.of(finite, least=least, greatest=greatest),
        shape=(size,),
        values=finite,
        codes=None,
    )


def _zeros(values: FloatArray) -> int:
    return int(np.count_nonzero(values == 0))


def _ends(values: FloatArray) -> tuple[float, float]:
    """Return the least and the greatest value, NaN if one of them is or if there is none."""
    if not values.size:
        return np.nan, np.nan
    # Zero is added so that it has no sign, which would depend on the order.
    return float(np.minimum.reduce(values)) + 0.0, float(np.maximum.reduce(values)) + 0.0


def _in_groups(flat: Array, *, count: Count) -> Distribution:
    """Look at (n,) values, and count their codes."""

    def counted(start: int) -> Distribution:
        one = _kept(flat[start : start + GROUP])
        assert one.values is not None
        codes = count_nearest(one.values, count=count)
        # What is not exactly zero may be nearest to it; where nothing is, nobody has to look.
        zeros = _zeros(one.values) if codes[0] or codes[0x8000] else 0
        return replace(one, zeros=zeros, values=None, codes=codes)

    return reduce(add, map(counted, range(0, flat.size, GROUP)))


# --- from codes -----------------------------------------------------------------------------------


def _of_float16(flat: Bits, *, count: Count) -> Distribution:
    """Look at (n,) float16 values, given as their bits."""
    every = np.arange(CODES, dtype=np.uint16).view(np.float16)
    with np.errstate(invalid="ignore"):  # half of the codes for NaN are an error to look at
        values = every.astype(np.float32)
    counts = _in_threads(partial(count_bits, count=count), flat)
    one = _of_counts(counts, values=values, exponents=32)
    own, codes = one._counts(), np.zeros(CODES, dtype=np.int64)
    places = np.empty(CODES, dtype=np.uint32)
    nearest(values, out=places)
    seen = own > 0
    np.add.at(codes, places[seen], own[seen])
    return replace(one, codes=codes)


def _of_counts(counts: IntArray, *, values: FloatArray, exponents: int) -> Distribution:
    """Tell what values look like of which each occurs so many times: nothing is rounded.

    Parameters
    ----------
    counts, values : (65536,) by code of a binary format
    exponents : how many the format has; those with the last one are infinite or NaN
    """
    by_exponent = counts.reshape(2, exponents, -1)
    infinite, nan = int(by_exponent[:, -1, 0].sum()), int(by_exponent[:, -1, 1:].sum())
    finite = by_exponent.copy()
    finite[:, -1] = 0
    least, greatest = _ends(values[finite.reshape(-1) > 0])
    return Distribution(
        size=int(counts.sum()),
        nan=nan,
        infinite=infinite,
        zeros=int(finite[:, 0, 0].sum()),
        least=least,
        greatest=greatest,
        moments=Moments.of_counts(finite[:, :-1]),
        shape=(int(counts.sum()),),
        values=None,
        codes=finite.reshape(-1),
    )


def _in_threads(work: Callable[[Array], Summed], flat: Array) -> Summed:
    """Work on the parts of an array in two threads where it is large, and add up what comes out."""
    parts = np.array_split(flat, min(_PARTS, max(1, flat.size // _PART)))
    if len(parts) == 1:
        return work(flat)
    with ThreadPoolExecutor(2) as pool:
        return reduce(add, pool.map(work, parts))
