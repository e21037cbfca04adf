"""Runs `kashika check --json` on a run, as a user would, but without paying the imports again."""

from __future__ import annotations

import json
import time
from pathlib import Path

from clinic.caching import directory, result
from clinic.conditions import Condition

NO_ANSWER = 2
"""Exit status of a check that could not read something."""


def check(condition: Condition, *, at: Path, code: str | None = None) -> float:
    """Check a run, write what was said, and return the seconds that took.

    Parameters
    ----------
    code : hash of kashika's code that the result is filed under; found out if None
    """
    from click.testing import CliRunner

    from kashika.cli import main

    began = time.perf_counter()
    place = directory(condition, at=at)
    answer = CliRunner().invoke(main, ["check", str(place), "--json", "--lang", "en"])
    seconds = time.perf_counter() - began
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception  # nothing is kept of a check that crashed
    report = json.loads(answer.stdout) if answer.stdout.strip() else {}
    findings = report.get("findings", [])
    said = {
        "status": answer.exit_code,
        "seconds": seconds,
        "levels": {one["rule"]: one["level"] for one in findings},
        "evidence": {one["rule"]: one["evidence"] for one in findings if one["evidence"]},
        "diagnoses": report.get("diagnoses", []),
        "error": answer.stderr.strip() if answer.exit_code == NO_ANSWER else "",
    }
    file = result(condition, at=at, code=code)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(said, indent=1), encoding="utf-8")
    return seconds
