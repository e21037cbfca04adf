"""View: one question to a run, with its measurement, its rules, its pictures and its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kashika.errors import one_line
from kashika.run import Run
from kashika.texts import Sentence, has, text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

M = TypeVar("M")
"""The measurement of a view."""

# Generic dataclasses have no slots: in Python 3.11 `View[Curves](...)` would fail with them.


class Level(IntEnum):
    """How bad a finding is."""

    OK = 0
    UNKNOWN = 1
    NOTE = 2
    WARNING = 3
    PROBLEM = 4

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One number that a finding rests on.

    Attributes
    ----------
    quantity : name of what was measured; texts use it to place the number
    value : the number
    limit : the limit that it was compared with, if any
    unit : of value and limit; "" for a pure number
    where : the series, layer, parameter, epoch or samples that it belongs to
    """

    quantity: str
    value: float
    limit: float | None = None
    unit: str = ""
    where: str = ""

    @property
    def place(self) -> str:
        """An epoch or a step in words: "epoch 18"."""
        return text(f"words.at_{self.unit}", x=int(self.value))

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says: words come from the texts, numbers from the evidence.

    Attributes
    ----------
    rule : id, "curves.overfitting"
    level : how bad it is
    evidence : the numbers that it rests on
    reason : why the rule could not be asked at all
    """

    rule: str
    level: Level
    evidence: tuple[Evidence, ...] = ()
    reason: Sentence | None = None

    @property
    def title(self) -> str:
        """Name of the disease."""
        return self._text("title") or self.rule

    @property
    def summary(self) -> str:
        """What was seen, in a sentence with the numbers."""
        if self.reason is not None:
            return str(self.reason)
        return self._text(str(self.level)) or f"{self.rule}: {self.level}"

    @property
    def advice(self) -> str:
        """What to try first; "" if nothing is wrong."""
        return self._text("advice") if self.level >= Level.NOTE else ""

    @property
    def reference(self) -> str:
        """Where the rule comes from."""
        return self._text("reference")

    def _text(self, part: str) -> str:
        key = f"rules.{self.rule}.{part}"
        return text(key, **{e.quantity: e for e in self.evidence}) if has(key) else ""


def whole(measurement: M) -> tuple[M, ...]:
    """Draw the measurement in one piece."""
    return (measurement,)


@dataclass(frozen=True)
class Picture(Generic[M]):
    """How to draw a measurement.

    Attributes
    ----------
    name : "loss"
    draw : (subject, axes) calls methods of the axes, computes nothing
    each : measurement -> the subjects, one for each axes; none, where the picture does not apply
    """

    name: str
    draw: Callable[[Any, Axes], None]
    each: Callable[[M], Sequence[Any]] = whole


Cell = str | int | float | bool | None
Row = Mapping[str, Cell]


@dataclass(frozen=True)
class Table(Generic[M]):
    """How to list a measurement.

    Attributes
    ----------
    name : "parameters"
    rows : measurement -> rows {column: cell} with the same columns; none, where it does not apply
    """

    name: str
    rows: Callable[[M], Sequence[Row]]


@dataclass(frozen=True)
class View(Generic[M]):
    """One question to a run.

    Attributes
    ----------
    name : "curves"
    measure : run -> measurement; raises `Missing` where the run lacks something
    rules : measurement -> finding; each always answers, and is named after the disease
    pictures, tables : how to show the measurement
    gradients : whether it reads the gradients of an observation, which take time
    """

    name: str
    measure: Callable[[Run], M]
    rules: tuple[Callable[[M], Finding], ...] = ()
    pictures: tuple[Picture[M], ...] = ()
    tables: tuple[Table[M], ...] = ()
    gradients: bool = True


@dataclass(frozen=True, eq=False)
class Section(Generic[M]):
    """A view applied to a run: its measurement, or the reason why there is none.

    Attributes
    ----------
    view : the view
    measurement : what it measured, or None
    findings : one for each rule
    reason : why the measurement is missing
    """

    view: View[M]
    measurement: M | None
    findings: tuple[Finding, ...]
    reason: Sentence | None = None

    @property
    def missing(self) -> str | None:
        """The reason in words; None if nothing is missing."""
        return None if self.reason is None else str(self.reason)


def measured(view: View[M], measurement: M) -> Section[M]:
    """Apply the rules of a view to its measurement; one that raises is unknown, and says so."""
    return Section(view, measurement, tuple(_judge(view, rule, measurement) for rule in view.rules))


def unmeasured(view: View[M], reason: Sentence) -> Section[M]:
    """Leave every rule of a view unknown, since there is no measurement."""
    findings = tuple(
        Finding(_rule_id(view, rule), Level.UNKNOWN, reason=reason) for rule in view.rules
    )
    return Section(view, None, findings, reason)


def _judge(view: View[M], rule: Callable[[M], Finding], measurement: M) -> Finding:
    try:
        finding: object = rule(measurement)  # of a rule from outside it may be anything
        if isinstance(finding, Finding):
            return finding
        error: Exception = TypeError(f"expected a Finding, found {type(finding).__name__}")
    except Exception as raised:  # noqa: BLE001  one broken rule must not silence the others
        error = raised
    reason = Sentence("report.rule_failed", error=one_line(error))
    return Finding(_rule_id(view, rule), Level.UNKNOWN, reason=reason)


def _rule_id(view: View[M], rule: Callable[[M], Finding]) -> str:
    return f"{view.name}.{getattr(rule, '__name__', 'rule')}"
