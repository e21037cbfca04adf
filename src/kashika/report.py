"""Run -> Report: every view applied, every rule judged, nothing lost."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from kashika import page
from kashika.errors import KashikaError, LoadError, Missing, one_line
from kashika.run import Run
from kashika.texts import Sentence, text
from kashika.view import Finding, Level, Section, View, measured, unmeasured
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
        """The highest level among the findings."""
        return max((finding.level for finding in self.findings), default=Level.OK)

    def to_json(self) -> str:
        """Return the report as one JSON object; numbers that are not finite become null."""
        content = {
            "schema": 1,
            "run": self.name,
            "findings": [_finding(finding) for finding in self.findings],
            "sections": [{"view": s.view.name, "missing": s.missing} for s in self.sections],
            "notes": [str(note) for note in (*self.unread, *self.notes)],
            "provenance": dict(self.provenance),
        }
        return json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)

    def save(self, path: str | Path) -> None:
        """Write the report as one HTML file, in the present language."""
        file = Path(path)
        content = self._page()
        beside = file.with_name(f".{file.name}.part")
        try:
            beside.write_text(content, encoding="utf-8")
            beside.replace(file)
        finally:
            beside.unlink(missing_ok=True)

    def __str__(self) -> str:
        """Every finding above `ok` with its advice, then what is missing, then the notes."""
        lines = [text("report.of", name=self.name), ""]
        said = [finding for finding in self.findings if finding.level >= Level.NOTE]
        for finding in said:
            lines += [
                f"{text(f'levels.{finding.level}')}  {finding.rule}",
                f"    {finding.summary}",
            ]
            lines += [f"    → {finding.advice}"] if finding.advice else []
        counts = {level: sum(f.level is level for f in self.findings) for level in Level}
        lines += [""] if said else []
        lines += [text("report.counts", **{str(level): n for level, n in counts.items()})]
        lines += [f"{s.view.name}: {s.missing}" for s in self.sections if s.missing]
        lines += [str(note) for note in self.notes]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        # The text stays where a viewer takes frames out of a notebook.
        said, source = escape(str(self)), escape(self._page(), quote=True)
        frame = f'<iframe srcdoc="{source}" width="100%" height="640" style="border:0"></iframe>'
        return f"<pre>{said}</pre>{frame}"

    def _page(self) -> str:
        return page.render(
            self.name, self.findings, self.sections,
            notes=[*self.unread, *self.notes], provenance=self.provenance,
        )  # fmt: skip


def analyze(run: Run, *, views: Sequence[View[Any]] | None = None) -> Report:
    """Apply the views to a run; the built-in and the installed ones if none are given.

    What a run lacks leaves a section that says so, and so does a view that fails.

    Raises
    ------
    KashikaError
        If the parts of the run do not fit each other.
    """
    chosen = available() if views is None else views
    sections = tuple(_section(view, run) for view in chosen)
    notes = [*run.notes, *run.observed]
    return Report(run.name, sections, notes, run.unread, run.provenance)


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


def _section(view: View[Any], run: Run) -> Section[Any]:
    try:
        return measured(view, view.measure(run))
    except Missing as error:
        return unmeasured(view, error.sentence)
    except KashikaError:
        raise
    except Exception as error:  # noqa: BLE001  a defect in one view must not take the others along
        return unmeasured(view, Sentence("report.failed", error=one_line(error)))


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "level": str(finding.level),
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
        "advice": finding.advice,
        "reference": finding.reference,
    }


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
