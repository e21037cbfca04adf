"""Make, check and count: `python -m clinic make|run|table|audit`."""

# ruff: noqa: T201 - its result is what it prints

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from clinic.audit import lines, without_effect
from clinic.caching import PROJECT, is_made, latest, result
from clinic.conditions import Condition, conditions
from clinic.judging import judged
from clinic.parallel import Done, each
from clinic.table import markdown, names

SLOWEST = 20.0
"""Seconds that no run may take."""


def main(words: Sequence[str] | None = None) -> int:
    """Carry out one command."""
    parser = argparse.ArgumentParser(prog="clinic", description=__doc__)
    parser.add_argument("command", choices=("make", "run", "table", "audit"))
    parser.add_argument("--half", choices=("tune", "publish"))
    parser.add_argument("--only", metavar="PATTERN", default="*", help="names of conditions")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--at", type=Path, default=PROJECT / ".clinic")
    parser.add_argument("--output", type=Path, help="write the table to this file")
    parser.add_argument("--names", action="store_true", help="list what was judged wrongly")
    parser.add_argument("--stale", action="store_true", help="count what earlier code said as well")
    given = parser.parse_args(words)
    chosen = [
        one
        for one in conditions()
        if fnmatch(one.name, given.only) and given.half in (None, one.half)
    ]
    if given.command == "table":
        found = judged(chosen, at=given.at, where=latest if given.stale else result)
        idle = without_effect(chosen, at=given.at)
        said = markdown(found, idle=idle, asked=len(chosen), half=given.half)
        said += f"\n{names(found)}\n" if given.names else ""
        if given.output:
            given.output.write_text(said, encoding="utf-8")
        else:
            print(said)
        return 0
    if given.command == "audit":
        print(*lines(chosen, at=given.at), sep="\n")
        return 0
    return _carried_out(given.command, chosen, at=given.at, jobs=given.jobs)


def _carried_out(command: str, chosen: Sequence[Condition], *, at: Path, jobs: int) -> int:
    """Make or check what is not made or checked yet; making comes first."""
    unmade = [one for one in chosen if not is_made(one, at=at)]
    failed = _told("make", each("make", unmade, at=at, jobs=jobs), count=len(unmade))
    if command == "run":
        made = [one for one in chosen if is_made(one, at=at)]
        unchecked = [one for one in made if not result(one, at=at).is_file()]
        failed += _told("check", each("check", unchecked, at=at, jobs=jobs), count=len(unchecked))
    return int(bool(failed))


def _told(doing: str, done: Iterator[Done], *, count: int) -> int:
    """Say how far it has come; return how many failed."""
    began, failed, took = time.perf_counter(), 0, [0.0]
    for number, one in enumerate(done, start=1):
        took.append(one.seconds)
        failed += bool(one.error)
        slow = f"took {one.seconds:.0f} s" if one.seconds > SLOWEST else ""
        if one.error or slow:
            _say(f"{doing} {one.name}: {one.error or slow}")
        if number % 50 == 0:
            _say(f"{doing} {number} of {count}")
    total = time.perf_counter() - began
    _say(
        f"{doing}: {count} runs in {total:.0f} s, {failed} failed; "
        f"{sum(took) / max(1, count):.2f} s each, at most {max(took):.1f} s"
    )
    return failed


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
