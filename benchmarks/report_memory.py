"""How much memory a report on data takes that do not fit in it: not more for more of them.

A report on samples of 3,072 numbers each, as images of 32 x 32 pixels in three colours have, that a
`Dataset` makes one by one; once on a tenth of them and once on all, each in a process of its own.
The peak is that of the resident memory, with Python, torch and matplotlib in it.

    python benchmarks/report_memory.py [--samples 200000]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from row import Row, as_json
from torch import Tensor, nn
from torch.utils.data import Dataset

import kashika as ks

LIMIT_GB = 1.5
GROWTH = 1.25
"""At most so many times as much for ten times the samples: each leaves a few numbers."""
NUMBERS = 3_072


class Drawn(Dataset[tuple[Tensor, int]]):
    """Samples around one of ten places, each the same whenever it is asked for."""

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._places = torch.randn(10, NUMBERS, generator=torch.Generator().manual_seed(0))
        self._noise = torch.randn(257, NUMBERS, generator=torch.Generator().manual_seed(1))

    def __len__(self) -> int:
        return self._samples

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._places[index % 10] + self._noise[index * 31 % 257], index % 10


def look(samples: int) -> dict[str, float]:
    """Make a report, and return the peak of memory in GB and the seconds it took."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(NUMBERS, 256), nn.ReLU(), nn.Linear(256, 10))
    began = time.perf_counter()
    report = ks.analyze(module, test=Drawn(samples))
    with tempfile.TemporaryDirectory() as folder:
        report.save(Path(folder) / "report.html")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"gb": peak, "seconds": time.perf_counter() - began}


def main() -> None:
    """Print the peak for a tenth of the samples and for all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        print(json.dumps(look(given.samples)))
        return
    found = {}
    for samples in (given.samples // 10, given.samples):
        command = [sys.executable, __file__, "--alone", "--samples", str(samples)]
        found[samples] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    if given.json:
        few, many = found.values()
        job = f"memory of a report on {given.samples:,} x {NUMBERS:,} float32"
        rows = [
            Row(job, "", "at most", LIMIT_GB, many["gb"], "GB"),
            Row(job, "a tenth of the samples", "at most", GROWTH, many["gb"] / few["gb"]),
        ]
        print(as_json(rows))
        return
    print(f"{'samples':>9} {'data GB':>8} {'peak GB':>8} {'seconds':>8}  limit {LIMIT_GB} GB")
    for samples, one in found.items():
        size = samples * NUMBERS * 4 / 2**30
        print(f"{samples:9,} {size:8.2f} {one['gb']:8.2f} {one['seconds']:8.1f}")


if __name__ == "__main__":
    main()
