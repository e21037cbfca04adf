"""What `kashika report` costs, beside what it stands in for, in one run on one machine.

Every command runs in a process of its own, all of them in turn, `--rounds` times; the best time of
each counts, since whatever disturbs a process makes it slower.

    python benchmarks/report_cost.py [--rounds 5] [DIR]

DIR is what `kashika demo` leaves; without it, the demo is trained first.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from row import Row, as_json

NOTHING = "python -c pass"
IMPORTS = "import torch, matplotlib, sklearn.manifold"
REPORT = "kashika report"
BY_HAND = "the seed's steps by hand"
IMPORT = "import kashika"
HELP = "kashika --help"

LIMITS = ((REPORT, IMPORTS, 2.0),)
"""(what, in relation to what, at most so many times)."""
SECONDS = ((IMPORT, 0.3), (HELP, 0.3))
"""(what, at most so many seconds)."""


def commands(run: Path, output: Path) -> dict[str, Sequence[str]]:
    """Return what is measured, by the name it has in the table."""
    by_hand = str(Path(__file__).with_name("seed_by_hand.py"))
    return {
        NOTHING: ["-c", "pass"],
        IMPORT: ["-c", "import kashika"],
        HELP: ["-m", "kashika", "--help"],
        IMPORTS: ["-c", IMPORTS],
        BY_HAND: [by_hand, str(run), str(output)],
        REPORT: ["-m", "kashika", "report", str(run), "-o", str(output / "report.html")],
    }


def seconds(arguments: Sequence[str]) -> float:
    """Return how long one command takes, from start to exit."""
    start = time.perf_counter()
    python(arguments)
    return time.perf_counter() - start


def python(arguments: Sequence[str]) -> None:
    """Run Python on `arguments`; what it says is shown only if it fails."""
    environment = {**os.environ, "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: exit status {done.returncode}\n{done.stderr}")


def table(best: Mapping[str, float]) -> str:
    """Return the times and how they relate, and the limits with what came out."""
    width = max(map(len, best))
    lines = [f"{'best of each':{width}}  seconds  × imports  × by hand"]
    lines += [
        f"{name:{width}}  {t:7.3f}  {t / best[IMPORTS]:9.2f}  {t / best[BY_HAND]:9.2f}"
        for name, t in best.items()
    ]
    return "\n".join([*lines, "", "limits", *map(str, rows(best))])


def rows(best: Mapping[str, float]) -> list[Row]:
    """Return the limits, with what came out."""
    return [
        *(
            Row(what, other, "at most", most, best[what] / best[other])
            for what, other, most in LIMITS
        ),
        *(Row(what, "", "at most", most, best[what], "seconds") for what, most in SECONDS),
    ]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="What `kashika report` costs.")
    parser.add_argument("run", nargs="?", type=Path, help="what `kashika demo` leaves")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the rows of the common table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        output = Path(name)
        run: Path = arguments.run or output / "demo"
        if arguments.run is None:
            python(["-m", "kashika", "demo", str(run)])
        measured = commands(run, output)
        times: dict[str, list[float]] = {what: [] for what in measured}
        for _ in range(arguments.rounds):
            for what, command in measured.items():
                times[what].append(seconds(command))
        best = {what: min(taken) for what, taken in times.items()}
        print(as_json(rows(best)) if arguments.json else table(best))


if __name__ == "__main__":
    main()
