"""The level of a noisy series at each of its points, and how sure that level is."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kashika.distribution import FloatArray


def levels(y: FloatArray) -> FloatArray:
    """Return the running median over `_window` points, fewer at the ends."""
    half = _window(y) // 2
    ends = [*range(min(half, y.size)), *range(max(half, y.size - half), y.size)]
    with np.errstate(over="ignore"):
        medians = y.astype(np.float64)
        if y.size > 2 * half:
            inner = sliding_window_view(y, 2 * half + 1)
            medians[half : y.size - half] = np.median(inner, axis=1)
        for i in ends:
            medians[i] = np.median(y[max(0, i - half) : i + half + 1])
    return medians


def level_error(y: FloatArray) -> float:
    """Return the standard error of such a median, from the jumps between neighbouring points."""
    # 1.4826 turns the median deviation of a normal distribution into its standard deviation, and
    # a difference of two points has sqrt(2) times the noise of one.
    with np.errstate(over="ignore", invalid="ignore"):
        jumps = np.diff(y)
        noise = 1.4826 * np.median(np.abs(jumps - np.median(jumps))) / np.sqrt(2)
        return float(1.2533 * noise / np.sqrt(_window(y)))


def _window(y: FloatArray) -> int:
    # Wide enough to take out single spikes, narrow enough to see the quick fall at the start.
    return int(np.clip(y.size // 20, 3, 15))
