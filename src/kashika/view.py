"""View: one question to a run, with its measurement, its rules, its pictures and its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import IntEnum
from inspect import signature
from types import MappingProxyType
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
class Setting:
    """What the user says of a rule.

    Attributes
    ----------
    reason : why
    limits : {keyword of the rule: the limit that it shall judge by}
    muted : whether what it finds shall count for nothing
    """

    reason: str
    limits: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says: words come from the texts, numbers from the evidence.

    Attributes
    ----------
    rule : id, "curves.overfitting"
    level : how bad it is
    evidence : the numbers that it rests on
    reason : why the rule could not be asked at all
    muted : why it shall count for nothing, where the user says so
    """

    rule: str
    level: Level
    evidence: tuple[Evidence, ...] = ()
    reason: Sentence | None = None
    muted: str | None = None

    @property
    def counts(self) -> bool:
        """Whether it asks for attention: an alarm that is not muted."""
        return self.level >= Level.WARNING and self.muted is None

    @property
    def said(self) -> bool:
        """Whether it is told: a note or an alarm that is not muted."""
        return self.level >= Level.NOTE and self.muted is None

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
    def meaning(self) -> str:
        """What that means, for a learner; "" if nothing is wrong."""
        return self._text("means") if self.level >= Level.NOTE else ""

    @property
    def doubt(self) -> str:
        """How sure that is, and what else could explain it; "" if nothing is wrong."""
        return self._text("doubt") if self.level >= Level.NOTE else ""

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
    shows : names of the rules whose findings can be seen in it, "overfitting"
    """

    name: str
    draw: Callable[[Any, Axes], None]
    each: Callable[[M], Sequence[Any]] = whole
    shows: tuple[str, ...] = ()


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


def measured(
    view: View[M], measurement: M, *, settings: Mapping[str, Setting] | None = None
) -> Section[M]:
    """Apply the rules of a view to its measurement; one that raises is unknown, and says so.

    Parameters
    ----------
    settings : {id of a rule: what the user says of it}
    """
    told = settings or {}
    findings = (_judge(view, rule, measurement, told.get(id_of(view, rule))) for rule in view.rules)
    return Section(view, measurement, tuple(findings))


def unmeasured(view: View[M], reason: Sentence) -> Section[M]:
    """Leave every rule of a view unknown, since there is no measurement."""
    findings = tuple(
        Finding(id_of(view, rule), Level.UNKNOWN, reason=reason) for rule in view.rules
    )
    return Section(view, None, findings, reason)


def picture_of(sections: Sequence[Section[Any]], rule: str) -> str | None:
    """Return the picture in which a finding can be seen, "curves.loss"; None if there is none."""
    for section in sections:
        if section.measurement is None:
            continue
        for picture in section.view.pictures:
            seen = [f"{section.view.name}.{name}" for name in picture.shows]
            with suppress(Exception):  # a picture from outside may raise anything
                if rule in seen and picture.each(section.measurement):
                    return f"{section.view.name}.{picture.name}"
    return None


def id_of(view: View[M], rule: Callable[[M], Finding]) -> str:
    """Return the id of a rule of a view, "curves.overfitting"."""
    return f"{view.name}.{getattr(rule, '__name__', 'rule')}"


def limits_of(rule: Callable[..., Finding]) -> dict[str, float]:
    """Return the limits that a rule judges by: its keywords with their defaults."""
    return {
        one.name: one.default
        for one in signature(rule).parameters.values()
        if one.kind is one.KEYWORD_ONLY and isinstance(one.default, int | float)
    }


def _judge(
    view: View[M], rule: Callable[..., Finding], measurement: M, setting: Setting | None
) -> Finding:
    limits = {} if setting is None else setting.limits
    try:
        finding: object = rule(measurement, **limits)  # of a rule from outside it may be anything
        if isinstance(finding, Finding):
            muted = setting.reason if setting is not None and setting.muted else None
            return replace(finding, muted=muted)
        error: Exception = TypeError(f"expected a Finding, found {type(finding).__name__}")
    except Exception as raised:  # noqa: BLE001  one broken rule must not silence the others
        error = raised
    reason = Sentence("report.rule_failed", error=one_line(error))
    return Finding(id_of(view, rule), Level.UNKNOWN, reason=reason)
