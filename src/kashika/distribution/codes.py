"""Codes: values by the nearest bfloat16, and how often each of them occurs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint16]
Counts = npt.NDArray[np.integer[Any]]
Count = Callable[[npt.NDArray[np.int32]], Counts]

CODES = 65_536
"""So many there are: those of magnitudes from 0 on, then those of negative ones."""

GROUP = 1 << 19
"""Values that are counted at a time: clearing the counts then costs little."""

_CHUNK = 1 << 16  # values that are turned into codes at a time: they fit a core's cache


def count(codes: npt.NDArray[np.int32]) -> Counts:
    """Count how often each of 65536 codes occurs."""
    return np.bincount(codes, minlength=CODES)


def count_bits(bits: Bits, *, count: Count) -> Counts:
    """Count how often each of (n,) values of 16 bits occurs, however many they are."""
    counts = np.zeros(CODES, dtype=np.int64)
    room = np.empty(min(GROUP, bits.size), dtype=np.int32)
    for start in range(0, bits.size, GROUP):
        group = bits[start : start + GROUP]
        codes = room[: group.size]
        np.copyto(codes, group)
        counts += count(codes)
    return counts


@np.errstate(all="ignore")
def count_nearest(values: npt.NDArray[np.floating[Any]], *, count: Count) -> Counts:
    """Count how many of (n,) finite values are nearest to each code.

    Magnitudes beyond the largest count as that, 3.4e38.
    """
    largest = code_values()[0x7F7F]
    codes = np.empty(values.size, dtype=np.uint32)
    for start in range(0, values.size, _CHUNK):
        chunk = values[start : start + _CHUNK]
        if chunk.dtype != np.float32:
            chunk = np.clip(chunk, -largest, largest).astype(np.float32)
        nearest(chunk, out=codes[start : start + _CHUNK])
    counts = count(codes.view(np.int32))
    for beyond in (0x7F80, 0xFF80):
        counts[beyond - 1] += counts[beyond]
        counts[beyond] = 0
    return counts


def nearest(values: npt.NDArray[np.float32], *, out: npt.NDArray[np.uint32]) -> None:
    """Give the code nearest to each value: its upper half; of two, that of larger magnitude."""
    np.add(values.view(np.uint32), np.uint32(0x8000), out=out)
    np.right_shift(out, np.uint32(16), out=out)


@cache
def code_values() -> npt.NDArray[np.float64]:
    """Return the value of every code."""
    values = (np.arange(CODES, dtype=np.uint32) << np.uint32(16)).view(np.float32)
    with np.errstate(invalid="ignore"):  # half of the codes for NaN are an error to look at
        wide = values.astype(np.float64)
    wide.setflags(write=False)
    return wide


@cache
def ascending() -> npt.NDArray[np.intp]:
    """Return all codes, that of the least value first."""
    order: npt.NDArray[np.intp] = np.r_[0xFFFF:0x7FFF:-1, 0:0x8000]
    order.setflags(write=False)
    return order
