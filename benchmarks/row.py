"""One row of the table that all benchmarks make together: a job, its limit, and what came out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Row:
    """What one job took, beside what it may take.

    Attributes
    ----------
    job : what was measured
    against : what it is measured against; "" where the limit is a plain number
    side : whether the limit is the most or the least that is right
    limit, reached : in units of `unit`
    unit : "times", "times faster", "%", "MB"
    """

    job: str
    against: str
    side: Literal["at most", "at least"]
    limit: float
    reached: float
    unit: str = "times"

    @property
    def kept(self) -> bool:
        """Whether the limit is."""
        within = self.reached <= self.limit
        return within if self.side == "at most" else self.reached >= self.limit

    def __str__(self) -> str:
        against = f" ({self.against})" if self.against else ""
        said = f"{self.reached:.4g} {self.unit}, {self.side} {self.limit:g}"
        return f"{self.job}{against}: {said}: {'kept' if self.kept else 'NOT KEPT'}"

    def markdown(self) -> str:
        """Write it as a row of a table in Markdown."""
        number = f"{self.reached:.3g}" if self.reached < 1000 else f"{self.reached:,.0f}"
        found = f"{number} {self.unit}" + ("" if self.kept else ", **not kept**")
        limit = f"{self.side} {self.limit:g} {self.unit}"
        return f"| {self.job} | {self.against or '–'} | {limit} | {found} |"


def as_json(rows: Iterable[Row]) -> str:
    """Write rows as JSON, for the table of all benchmarks."""
    return json.dumps([asdict(row) for row in rows], indent=1)
