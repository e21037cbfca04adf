"""Distribution: what any number of values looks like, in bounded memory and mergeable."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]

KEPT = 65_536
"""Up to so many values are kept as they are; above that, one count for each bfloat16 code."""

_CODES = 65_536
_CHUNK = 1 << 20  # values that are turned into codes at a time


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """How many values there are, and how they are spread.

    Attributes
    ----------
    size : number of values, those that are not finite included
    nan, infinite, zeros : how many of them are NaN, +Inf or -Inf, exactly zero
    least, greatest : of the finite values; NaN if there is none
    mean, sd : of the finite values (the deviation of these values, not of a population); NaN if
        there is none
    shape : of the array that the values came from; (size,) after merging
    values : (finite,) the finite values in their own type, if there are at most `KEPT`
    codes : (65536,) int, else how many finite values round to each bfloat16 code; magnitudes
        beyond its range count as its largest, 3.4e38
    """

    size: int
    nan: int
    infinite: int
    zeros: int
    least: float
    greatest: float
    mean: float
    sd: float
    shape: tuple[int, ...]
    values: Array | None
    codes: IntArray | None

    @classmethod
    def of(cls, values: npt.ArrayLike) -> Distribution:
        """Look at an array of real numbers of any shape."""
        array = np.asarray(values)
        flat = array.reshape(-1)
        if flat.dtype.kind != "f":
            flat = flat.astype(np.float64)
        elif flat.dtype == np.float16:  # too narrow to compute in: 6e4 + 6e4 is infinite
            flat = flat.astype(np.float32)
        nan = int(np.isnan(flat).sum())
        finite = flat[np.isfinite(flat)]
        least = float(finite.min()) if finite.size else np.nan
        greatest = float(finite.max()) if finite.size else np.nan
        mean, sd = _moments(finite, least=least, greatest=greatest)
        return cls(
            size=flat.size,
            nan=nan,
            infinite=flat.size - finite.size - nan,
            zeros=int((finite == 0).sum()),
            least=least,
            greatest=greatest,
            mean=mean,
            sd=sd,
            shape=array.shape,
            values=finite.copy() if finite.size <= KEPT else None,
            codes=None if finite.size <= KEPT else _codes(finite),
        )

    def __add__(self, other: Distribution) -> Distribution:
        """Merge two, as if all values had been seen at once; counts are exact in any order."""
        if not self.size or not other.size:
            return self if self.size else other
        n, m = self.finite, other.finite
        least, greatest = np.fmin(self.least, other.least), np.fmax(self.greatest, other.greatest)
        if n and m:
            # In shares and with hypot, so that nothing overflows that lies between the values.
            a, b, ab = n / (n + m), m / (n + m), sqrt(n * m) / (n + m)
            mean = _between(self.mean * a + other.mean * b, least, greatest)
            sd = hypot(self.sd * sqrt(a), other.sd * sqrt(b), other.mean * ab - self.mean * ab)
        else:
            mean, sd = (self.mean, self.sd) if n else (other.mean, other.sd)
        keep = self.values is not None and other.values is not None and n + m <= KEPT
        return Distribution(
            size=self.size + other.size,
            nan=self.nan + other.nan,
            infinite=self.infinite + other.infinite,
            zeros=self.zeros + other.zeros,
            least=float(least),
            greatest=float(greatest),
            mean=mean,
            sd=sd,
            shape=(self.size + other.size,),
            values=np.concatenate([self._kept(), other._kept()]) if keep else None,
            codes=None if keep else self._counted() + other._counted(),
        )

    @property
    def finite(self) -> int:
        """Number of finite values."""
        return self.size - self.nan - self.infinite

    @property
    def rms(self) -> float:
        """Root mean square of the finite values; unlike the norm it does not grow with the size."""
        return hypot(self.mean, self.sd)

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
            counted = self._counted()
            values, weights = _code_values()[counted > 0], counted[counted > 0]
            values = np.clip(values, self.least, self.greatest)
            span = (self.least * self._shrink, self.greatest * self._shrink)
        try:
            counts, edges = np.histogram(values * self._shrink, bins, span, weights=weights)
        except ValueError:
            counts = np.array([self.finite])
            edges = np.nextafter([self.least, self.greatest], [-np.inf, np.inf])
            return counts, edges
        return counts.astype(np.int64), edges / self._shrink

    def quantile(self, q: float) -> float:
        """Return the value below which a share `q` of the finite values lies (0 to 1)."""
        if not self.finite:
            return np.nan
        if self.values is not None:
            kept = self.values.astype(np.float64) * self._shrink
            return float(np.quantile(kept, q)) / self._shrink
        if q in (0, 1):  # known exactly
            return self.greatest if q else self.least
        values, counts = _code_values(), self._counted()
        order = np.argsort(values)
        below = np.cumsum(counts[order])
        value = values[order][np.searchsorted(below, q * (self.finite - 1), side="right")]
        return float(np.clip(value, self.least, self.greatest))

    @property
    def _shrink(self) -> float:
        """A quarter where the range of the values overflows their type, else 1."""
        kind = np.float64 if self.values is None else self.values.dtype
        widest = float(np.finfo(kind).max)
        return 0.25 if self.greatest - self.least > widest else 1.0

    def _kept(self) -> Array:
        assert self.values is not None
        return self.values

    def _counted(self) -> IntArray:
        return _codes(self._kept()) if self.codes is None else self.codes


def _moments(finite: Array, *, least: float, greatest: float) -> tuple[float, float]:
    """Return the mean and the standard deviation, in float64."""
    if not finite.size:
        return np.nan, np.nan
    largest, unit = max(-least, greatest), 1.0
    if not 1e-100 < largest < 1e100:  # squares would overflow or vanish
        unit = float(np.ldexp(1.0, np.frexp(largest)[1] - 1))
        finite = finite / unit
    mean = _between(float(np.mean(finite, dtype=np.float64)), least / unit, greatest / unit)
    deviations = 0.0
    for start in range(0, finite.size, _CHUNK):
        chunk = finite[start : start + _CHUNK].astype(np.float64) - mean
        deviations += float(np.dot(chunk, chunk))
    return mean * unit, sqrt(deviations / finite.size) * unit


def _between(mean: float, least: float, greatest: float) -> float:
    """Take a rounding error off a mean: that of a constant is the constant."""
    return float(min(max(mean, least), greatest))


def _codes(finite: Array) -> IntArray:
    """Count how many values round to each bfloat16: the upper half of a float32, ties to even."""
    counts = np.zeros(_CODES, dtype=np.int64)
    largest = float(_code_values().max())
    for start in range(0, finite.size, _CHUNK):
        chunk = np.clip(finite[start : start + _CHUNK], -largest, largest)
        bits = chunk.astype(np.float32).view(np.uint32)
        codes = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> 16
        counts += np.bincount(codes, minlength=_CODES)
    return counts


def _code_values() -> FloatArray:
    """Return the value of every bfloat16 code; those that stand for NaN and Inf are given as 0."""
    values = (np.arange(_CODES, dtype=np.uint32) << np.uint32(16)).view(np.float32)
    return np.where(np.isfinite(values), values, 0).astype(np.float64)
