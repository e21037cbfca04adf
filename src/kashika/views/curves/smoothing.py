"""The level of a noisy series at each of its points, and how sure that level is."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kashika.distribution import FloatArray


def levels(y: FloatArray) -> FloatArray:
    """Return the running median over `_window` points.

    There are fewer at the start, where a training falls so fast that a whole window would hide it,
    but not at the end, where the last value may be a spike.
    """
    half = _window(y) // 2
    with np.errstate(over="ignore"):
        medians = y.astype(np.float64)
        if y.size > 2 * half:
            inner = sliding_window_view(y, 2 * half + 1)
            medians[half : y.size - half] = np.median(inner, axis=1)
            medians[y.size - half :] = np.median(y[-2 * half - 1 :])
        for i in range(min(half, y.size)):
            medians[i] = np.median(y[: i + half + 1])
    return medians


def level_error(y: FloatArray) -> float:
    """Return the standard error of such a median, from the jumps between neighbouring points."""
    with np.errstate(over="ignore"):
        return float(1.2533 * spread(y) / np.sqrt(_window(y)))


def spread(y: FloatArray) -> float:
    """Return the standard deviation of single points about their level, from their jumps."""
    # 1.4826 turns the median deviation of a normal distribution into its standard deviation, and
    # a difference of two points has sqrt(2) times the noise of one.
    if y.size < 6:  # of fewer, the jumps are the fall itself
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        jumps = np.diff(y)
        return float(1.4826 * np.median(np.abs(jumps - np.median(jumps))) / np.sqrt(2))


def _window(y: FloatArray) -> int:
    # Wide enough to take out single spikes, narrow enough to see the quick fall at the start. Of
    # fewer than five points none can be told from the others.
    return int(np.clip(y.size // 20, 3, 15)) if y.size >= 5 else 1
