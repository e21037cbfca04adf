"""How often kashika was right where it was measured: on trainings of known fault and of none.

The numbers stand in `error_rates.toml`, which `python -m clinic.publish` makes.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from kashika.proportion import interval


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of so many trainings."""

    count: int
    total: int

    @property
    def share(self) -> float:
        """Share of them, 0 to 1."""
        return self.count / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share."""
        low, high = interval(self.count, self.total)
        return low, high


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """How often one rule was right.

    Attributes
    ----------
    found : alarms among the trainings with the fault that the rule is for
    false : alarms among the healthy trainings
    """

    found: Rate
    false: Rate


def rates_of(rule: str) -> ErrorRates | None:
    """Return the error rates of a rule; None where it was not measured."""
    one = _measured().get("rules", {}).get(rule)
    return None if one is None else ErrorRates(Rate(*one["found"]), Rate(*one["false"]))


def right_causes(cause: str) -> Rate | None:
    """Return how often a cause was right where it was named first; None if not measured."""
    one = _measured().get("causes", {}).get(cause)
    return None if one is None else Rate(*one["right"])


@cache
def _measured() -> dict[str, Any]:
    return tomllib.loads(files("kashika").joinpath("error_rates.toml").read_text("utf-8"))
