"""What the rules and the diagnoses add to a report, beside the measurements that they judge.

    python benchmarks/rules_cost.py [--rounds 5] [--json] [RUN]

RUN is a run that `kashika check RUN` can read whole, with its kashika.toml; without it, the demo is
trained first.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from row import Row, as_json

from kashika import demo
from kashika.diagnosis import diagnoses
from kashika.load import load
from kashika.load.options import Options, configured
from kashika.view import Section, measured
from kashika.views import BUILTIN

LIMIT = 0.1
"""Seconds that rules and diagnoses may take together."""


def sections(run: Path) -> tuple[list[Section[Any]], float]:
    """Return every view's measurement of a run, and how long reading and measuring took."""
    start = time.perf_counter()
    loaded = load(run, configured(run, Options()))
    found = [Section(view, view.measure(loaded), ()) for view in BUILTIN]
    return found, time.perf_counter() - start


def judged(measurements: list[Section[Any]]) -> float:
    """Return how long all rules and the diagnoses take."""
    start = time.perf_counter()
    findings = [
        finding for one in measurements for finding in measured(one.view, one.measurement).findings
    ]
    diagnoses(findings)
    return time.perf_counter() - start


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = given.run or Path(scratch) / "demo"
        if given.run is None:
            for _ in demo.train(run):
                pass
        measurements, reading = sections(run)
        rules = min(judged(measurements) for _ in range(given.rounds))
    if given.json:
        job = "all rules and the diagnoses of a report"
        print(as_json([Row(job, "", "at most", 1000 * LIMIT, 1000 * rules, "ms")]))
        return
    count = sum(len(view.rules) for view in BUILTIN)
    kept = "kept" if rules <= LIMIT else "not kept"
    print(f"{count} rules and the diagnoses: {1000 * rules:.1f} ms")
    print(f"reading and measuring: {1000 * reading:.0f} ms, {reading / rules:.0f} times as much")
    print(f"limit: {1000 * LIMIT:.0f} ms: {kept}")


if __name__ == "__main__":
    main()
