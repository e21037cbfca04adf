"""What kashika said of each run -> what it found, missed, and said too much."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clinic.caching import result
from clinic.conditions import Condition

ALARMS = ("warning", "problem")


@dataclass(frozen=True, slots=True)
class Judgement:
    """One run, checked.

    Attributes
    ----------
    levels : {rule: level} of all that was said
    error : why a part of the run could not be read; "" where all was
    seconds : that the check took
    diagnoses : names of the causes that were given, the first first
    """

    condition: Condition
    levels: dict[str, str]
    error: str
    seconds: float
    diagnoses: tuple[str, ...] = ()

    @property
    def alarms(self) -> frozenset[str]:
        """Rules that spoke with a warning or a problem."""
        return frozenset(rule for rule, level in self.levels.items() if level in ALARMS)

    @property
    def found(self) -> bool:
        """Whether one of them is a disease that the fault truly causes."""
        return bool(self.alarms & set(self.condition.causes))

    @property
    def named(self) -> bool:
        """Whether the disease itself, the first of the causes, is among them."""
        return bool(set(self.condition.causes[:1]) & self.alarms)

    @property
    def too_many(self) -> frozenset[str]:
        """Alarms that the fault does not cause; all of them where there is no fault."""
        return self.alarms - set(self.condition.causes)


def judged(
    conditions: Iterable[Condition],
    *,
    at: Path,
    where: Callable[..., Path] = result,
) -> list[Judgement]:
    """Return what was said of the conditions that are checked.

    Parameters
    ----------
    where : which file counts: `result` of the present code, or the `latest` of any
    """
    found = []
    for one in conditions:
        file = where(one, at=at)
        if file.is_file():
            said = json.loads(file.read_text(encoding="utf-8"))
            causes = tuple(diagnosis["cause"] for diagnosis in said["diagnoses"])
            found.append(Judgement(one, said["levels"], said["error"], said["seconds"], causes))
    return found


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """The share, NaN of none."""
        return self.hits / self.of if self.of else math.nan

    def interval(self) -> tuple[float, float]:
        """Return Wilson's interval at 95 %; everything is possible where nothing was seen.

        References
        ----------
        Wilson, "Probable inference, the law of succession, and statistical inference", Journal of
        the American Statistical Association 22, 1927.
        """
        if not self.of:
            return 0.0, 1.0
        z, n, p = 1.959964, self.of, self.value
        middle = p + z**2 / (2 * n)
        half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        scale = 1 + z**2 / n
        return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)

    def __str__(self) -> str:
        if not self.of:
            return "–"
        low, high = self.interval()
        return f"{self.hits}/{self.of}, {100 * low:.0f}–{100 * high:.0f} %"


def share(hits: Sequence[bool]) -> Share:
    """Count how many are true."""
    return Share(sum(hits), len(hits))
