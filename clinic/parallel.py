"""Many conditions, each in a process of its own that is forked from one with all imports done."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from clinic.caching import kashika
from clinic.conditions import Condition

_IMPORTED = [
    "torch", "torch.fx.experimental.symbolic_shapes", "pandas", "openTSNE", "scipy.special",
    "scipy.stats", "sklearn.datasets", "sklearn.decomposition", "sklearn.ensemble",
    "sklearn.linear_model", "sklearn.manifold", "sklearn.neighbors", "click.testing",
    "kashika.cli", "kashika.load", "kashika.report", "kashika.torch_network",
    "kashika.torch_sample_gradients", "clinic.making", "clinic.running",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one condition.

    Attributes
    ----------
    seconds : that it took
    error : why it failed; "" where it did not
    """

    name: str
    seconds: float
    error: str = ""


def each(
    doing: Literal["make", "check"], todo: Sequence[Condition], *, at: Path, jobs: int
) -> Iterator[Done]:
    """Make or check each condition, `jobs` at a time, in any order."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    # A process for each: what a user's code leaves in one does not reach the next.
    with context.Pool(jobs, maxtasksperchild=1) as pool:
        work = partial(_one, doing=doing, at=at, code=kashika())
        yield from pool.imap_unordered(work, todo)


def _one(condition: Condition, *, doing: str, at: Path, code: str) -> Done:
    from clinic.making import make
    from clinic.running import check

    try:
        if doing == "make":
            seconds = make(condition, at=at)
        else:
            seconds = check(condition, at=at, code=code)
    except Exception as error:  # noqa: BLE001 - one that fails leaves the others
        return Done(condition.name, 0.0, repr(error))
    return Done(condition.name, seconds)
