"""Run -> Report: every view applied, every rule judged, nothing lost."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from kashika import console, page
from kashika.console import Paint, plain
from kashika.diagnosis import Diagnosis, diagnoses
from kashika.errors import KashikaError, LoadError, Missing, one_line
from kashika.progress import Doing
from kashika.run import Run
from kashika.texts import Sentence
from kashika.view import (
    Finding,
    Level,
    Section,
    Setting,
    View,
    id_of,
    limits_of,
    measured,
    picture_of,
    unmeasured,
)
from kashika.views import BUILTIN


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What the views found in a run.

    Attributes
    ----------
    name : of the run
    sections : one for each view, in order
    notes : every repair and choice that loading made
    unread : what was there and could not be read, as errors say it
    provenance : (what, value): files with their hash, seeds, versions
    """

    name: str
    sections: tuple[Section[Any], ...]
    notes: Sequence[Sentence] = ()
    unread: Sequence[Sentence] = ()
    provenance: Sequence[tuple[str, str]] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, the worst first, else in the order of the sections."""
        found = [finding for section in self.sections for finding in section.findings]
        return tuple(sorted(found, key=lambda finding: -finding.level))

    @property
    def worst(self) -> Level:
        """The highest level among the findings that are not muted."""
        counted = (finding.level for finding in self.findings if finding.muted is None)
        return max(counted, default=Level.OK)

    @property
    def partial(self) -> tuple[Sentence, ...]:
        """What came to no end although nobody asked for that: looks at the data, views, rules."""
        cut = [note for note in self.notes if _GAPS.get(note.key) in _NOT_TO_THE_END]
        return (*cut, *(said for _, said in _failures(self.sections)))

    @property
    def diagnoses(self) -> tuple[Diagnosis, ...]:
        """What most likely lies behind the findings: up to three causes, the likeliest first."""
        return diagnoses(self.findings)

    def to_json(self) -> str:
        """Return the report as one JSON object; numbers that are not finite become null."""
        content = {
            "schema": 1,
            "run": self.name,
            "partial": [
                *(_gap("file", note) for note in self.unread),
                *(_gap(_GAPS[note.key], note) for note in self.notes if note.key in _GAPS),
                *(_gap(why, said) for why, said in _failures(self.sections)),
            ],
            "diagnoses": [_diagnosis(one) for one in self.diagnoses],
            "findings": [
                _finding(finding, picture_of(self.sections, finding.rule))
                for finding in self.findings
            ],
            "sections": [{"view": s.view.name, "missing": s.missing} for s in self.sections],
            "notes": [str(note) for note in (*self.unread, *self.notes)],
            "provenance": dict(self.provenance),
        }
        return json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)

    def save(self, path: str | Path, *, doing: Doing | None = None) -> None:
        """Write the report as one HTML file, in the present language.

        Parameters
        ----------
        doing : called before every picture
        """
        file = Path(path)
        content = self._page(doing)
        beside = file.with_name(f".{file.name}.part")
        try:
            beside.write_text(content, encoding="utf-8")
            beside.replace(file)
        finally:
            beside.unlink(missing_ok=True)

    def __str__(self) -> str:
        """Every finding above `ok` with its advice, then what is missing, then the notes."""
        return self.written()

    def written(self, *, width: int | None = None, paint: Paint = plain) -> str:
        """Return the report as text, for a terminal of so many columns.

        Parameters
        ----------
        width : lines as long as their sentences if None
        paint : (words, level) -> the same words in the colour of that level
        """
        return console.render(
            self.name, self.findings, self.sections,
            diagnoses=self.diagnoses, partial=self.partial, notes=self.notes, width=width,
            paint=paint,
        )  # fmt: skip

    def _repr_html_(self) -> str:
        from html import escape

        # The text stays where a viewer takes frames out of a notebook.
        said, source = escape(str(self)), escape(self._page(), quote=True)
        frame = f'<iframe srcdoc="{source}" width="100%" height="640" style="border:0"></iframe>'
        return f"<pre>{said}</pre>{frame}"

    def _page(self, doing: Doing | None = None) -> str:
        return page.render(
            self.name, self.findings, self.sections,
            diagnoses=self.diagnoses, partial=self.partial, notes=[*self.unread, *self.notes],
            provenance=self.provenance, doing=doing,
        )  # fmt: skip


_GAPS = {
    "notes.observe.interrupted": "interrupted",
    "notes.observe.broken": "broken",
    "notes.observe.failed": "failed",
    "notes.observe.stopped": "max_samples",
    "notes.observe.unfit": "unfit",
    "notes.samples.unread": "unread",
}
"""Notes that say that some of the data was not looked at, and why, in a word for scripts."""

_NOT_TO_THE_END = ("interrupted", "broken", "failed")
"""Those of them that make a report incomplete; else it was asked for, or costs single samples."""


def analyze(
    run: Run,
    *,
    views: Sequence[View[Any]] | None = None,
    rules: Mapping[str, Setting] | None = None,
    doing: Doing | None = None,
) -> Report:
    """Apply the views to a run; the built-in and the installed ones if none are given.

    What a run lacks leaves a section that says so, and so does a view that fails.

    Parameters
    ----------
    rules : {id of a rule: other limits for it, or that it shall not count}
    doing : called before every view

    Raises
    ------
    KashikaError
        If the parts of the run do not fit each other, or there is no such rule or limit.
    """
    chosen = available() if views is None else views
    settings = rules or {}
    _check(settings, chosen)
    sections = tuple(_section(view, run, settings, doing) for view in chosen)
    notes = [*run.notes, *run.observed, *_changed(settings, chosen)]
    return Report(run.name, sections, notes, run.unread, run.provenance)


def _check(settings: Mapping[str, Setting], views: Sequence[View[Any]]) -> None:
    """Raise LoadError where a setting names what there is not."""
    if not settings:
        return
    known = {id_of(view, rule): rule for view in (*available(), *views) for rule in view.rules}
    for name, setting in settings.items():
        if name not in known:
            raise LoadError("errors.no_such_rule", found=name, names=", ".join(known))
        limits = limits_of(known[name])
        for limit in setting.limits:
            if limit not in limits:
                raise LoadError(
                    "errors.no_such_limit", rule=name, found=limit, names=", ".join(limits)
                )


def _changed(settings: Mapping[str, Setting], views: Sequence[View[Any]]) -> list[Sentence]:
    """Say which rules judged by other limits than kashika's own, and why."""
    asked = {id_of(view, rule) for view in views for rule in view.rules}
    return [
        Sentence("notes.limits", rule=name, limits=limits, reason=setting.reason)
        for name, setting in settings.items()
        if name in asked
        and (limits := ", ".join(f"{limit} = {value:g}" for limit, value in setting.limits.items()))
    ]


def available() -> tuple[View[Any], ...]:
    """Return the built-in views and those that installed packages bring (`kashika.views`)."""
    return (*BUILTIN, *(_installed(point) for point in entry_points(group="kashika.views")))


def _installed(point: EntryPoint) -> View[Any]:
    try:
        view = point.load()
        if not isinstance(view, View):
            raise TypeError(type(view).__name__)
    except Exception as error:
        raise LoadError("errors.entry_point", name=point.name, error=one_line(error)) from error
    return view


def _section(
    view: View[Any], run: Run, settings: Mapping[str, Setting], doing: Doing | None
) -> Section[Any]:
    if doing is not None:
        doing(Sentence("progress.measuring", name=view.name))
    try:
        return measured(view, view.measure(run), settings=settings)
    except Missing as error:
        return unmeasured(view, error.sentence)
    except KashikaError:
        raise
    except Exception as error:  # noqa: BLE001  a defect in one view must not take the others along
        return unmeasured(view, Sentence("report.failed", error=one_line(error)))


def _failures(sections: Sequence[Section[Any]]) -> Iterator[tuple[str, Sentence]]:
    """Give ("view" or "rule", which of them and why) for each that raised an error."""
    for section in sections:
        reason = section.reason
        if reason is not None and reason.key == "report.failed":
            yield "view", Sentence("report.failed_view", name=section.view.name, **reason.values)
        for finding in section.findings:
            reason = finding.reason
            if reason is not None and reason.key == "report.rule_failed":
                yield "rule", Sentence("report.failed_rule", name=finding.rule, **reason.values)


def _gap(why: str, said: Sentence) -> dict[str, object]:
    return {"why": why, "split": said.values.get("split"), "said": str(said)}


def _diagnosis(one: Diagnosis) -> dict[str, object]:
    return {
        "cause": one.cause,
        "title": one.title,
        "confidence": one.confidence,
        "findings": [finding.rule for finding in one.findings],
        "advice": one.advice,
    }


def _finding(finding: Finding, picture: str | None) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "level": str(finding.level),
        "muted": finding.muted,
        "picture": picture,
        "evidence": [
            {
                "quantity": e.quantity,
                "value": _finite(e.value),
                "limit": _finite(e.limit),
                "unit": e.unit,
                "where": e.where,
            }
            for e in finding.evidence
        ],
        "summary": finding.summary,
        "meaning": finding.meaning,
        "doubt": finding.doubt,
        "advice": finding.advice,
        "reference": finding.reference,
    }


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
