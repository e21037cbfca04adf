"""Copies: samples that stand in two splits, to the last bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np

from kashika.distribution import IntArray
from kashika.naming import Split
from kashika.observation import Observation

_PAIRS: tuple[tuple[Split, Split], ...] = (
    ("test", "train"), ("valid", "train"), ("test", "valid"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """Samples of a held-out split that stand in another one as well.

    Attributes
    ----------
    split, of : the held-out split, and the one before it
    samples : of the held-out split
    copied : how many of them stand in the other one
    different : how many different ones these are
    by_chance : share that would, if inputs repeat as often as they do within the other split
    index, original : (most,) int, some of them, and where they stand in the other split
    """

    split: Split
    of: Split
    samples: int
    copied: int
    different: int
    by_chance: float
    index: IntArray
    original: IntArray


def copies(observations: Mapping[Split, Observation], *, most: int = 20) -> tuple[Copies, ...]:
    """Look for the samples of each held-out split in the splits before it.

    Short texts and answers to a few questions repeat, and are no leak. How often they do is told
    by the other split: its own samples are found again among the rest of it as often.

    References
    ----------
    Good, "The population frequencies of species and the estimation of population parameters",
    Biometrika 40, 1953.
    """
    found = []
    for held, of in _PAIRS:
        if held in observations and of in observations:
            here, there = (observations[one].fingerprints for one in (held, of))
            if here.size and there.size:
                found.append(_copies(here, there, split=held, of=of, most=most))
    return tuple(found)


def _copies(here: IntArray, there: IntArray, *, split: Split, of: Split, most: int) -> Copies:
    known, first, counts = np.unique(there, return_index=True, return_counts=True)
    place = np.minimum(np.searchsorted(known, here), known.size - 1)
    copied = known[place] == here
    index = np.flatnonzero(copied)[:most]
    # All samples twice, or five times, are the same samples once.
    times = counts // reduce(np.gcd, counts)
    return Copies(
        split, of, here.size, int(copied.sum()), int(np.unique(here[copied]).size),
        float(times[times > 1].sum() / times.sum()), index, first[place[index]],
    )  # fmt: skip
