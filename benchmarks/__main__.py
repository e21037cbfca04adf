"""Run the benchmarks one after the other, and print one table of all of them, in Markdown.

    python -m benchmarks [SCRIPT ...]

SCRIPT is a part of the name of one, "weights"; without any, all are run, which takes about half an
hour and about 5 GB of temporary files. Each runs in a process of its own; `docs/benchmarks.md`
holds the table, with the machine that it was made on.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # as for each script that is run by its file

from row import Row

SCRIPTS = ("report", "reading", "weights", "observe", "sample_gradients", "boundary", "features",
           "report_memory", "rules")  # fmt: skip
"""Their files without the ending, in the order of the table."""


def file_of(name: str) -> Path:
    """Return where a benchmark stands."""
    found = Path(__file__).with_name(f"{name}_cost.py")
    return found if found.exists() else found.with_name(f"{name}.py")


def rows_of(name: str) -> list[Row]:
    """Run one benchmark; raises CalledProcessError where it fails, with its words on stderr."""
    settings = os.environ | {"MPLBACKEND": "Agg"}
    command = [sys.executable, str(file_of(name)), "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=settings)
    return [Row(**row) for row in json.loads(done.stdout)]


def main() -> None:
    """Print every row as soon as it is known."""
    asked = sys.argv[1:]
    chosen = [name for name in SCRIPTS if not asked or any(part in name for part in asked)]
    if not chosen:
        sys.exit(f"expected a part of one of {', '.join(SCRIPTS)}, found {' '.join(asked)}")
    machine = f"{os.cpu_count()} cores of {_processor()}", f"Python {platform.python_version()}"
    print(", ".join([*machine, *(f"{name} {version(name)}" for name in ("torch", "numpy"))]))
    print("\n| job | measured against | to reach | reached |\n|---|---|---|---|", flush=True)
    kept = True
    for name in chosen:
        for row in rows_of(name):
            print(row.markdown(), flush=True)
            kept &= row.kept
    print("\nevery limit is kept" if kept else "\nnot every limit is kept")


def _processor() -> str:
    """Name the processor; Linux says it in a file only."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


if __name__ == "__main__":
    main()
