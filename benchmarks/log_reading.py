"""What reading a large log costs, beside the usual ways to read it, in one run on one machine.

All ways are taken in turn, `--rounds` times, in this process; the best time of each counts, since
whatever disturbs a process makes it slower.

    python benchmarks/log_reading.py [--rounds 3]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)
from torch.utils.tensorboard import SummaryWriter

from kashika.load.logs import events, text

VALUES = 1_000_000
SCALARS = 100_000

TEXT = f"kashika, text of {VALUES:,} values"
LOADTXT = "numpy.loadtxt"
BYTES = "read_bytes and numpy.fromstring"
EVENTS = f"kashika, event file of {SCALARS:,} scalars"
ACCUMULATOR = "EventAccumulator, all scalars"

FASTER = ((TEXT, LOADTXT, 5.0), (EVENTS, ACCUMULATOR, 5.0))
"""(what, than what, at least so many times)."""
INSTEAD = {TEXT: (BYTES, 2.0)}
"""{what: (in relation to what, at most so many times)}: it is enough if this is kept."""

Ways = Mapping[str, Callable[[], int]]


def texts(directory: Path) -> Ways:
    """Return the ways to read a column of numbers; each gives how many it read."""
    path = directory / "train_loss.txt"
    np.savetxt(path, np.random.default_rng(0).random(VALUES))
    return {
        TEXT: lambda: text.read(path).series[""].y.size,
        LOADTXT: lambda: np.loadtxt(path).size,
        BYTES: lambda: np.fromstring(path.read_bytes(), sep="\n").size,
    }


def scalars(directory: Path) -> Ways:
    """Return the ways to read an event file of two tags; each gives how many values it read."""
    with SummaryWriter(str(directory / "run")) as writer:
        for step in range(SCALARS // 2):
            writer.add_scalar("Loss/train", 1 / (1 + step), step)
            writer.add_scalar("Accuracy/valid", step / SCALARS, step)
    (path,) = (directory / "run").iterdir()

    def accumulator() -> int:
        reader = EventAccumulator(str(path), size_guidance={"scalars": 0})
        reader.Reload()
        return sum(len(reader.Scalars(tag)) for tag in reader.Tags()["scalars"])

    return {
        EVENTS: lambda: sum(one.y.size for one in events.read(path).series.values()),
        ACCUMULATOR: accumulator,
    }


def seconds(way: Callable[[], int], *, count: int) -> float:
    """Return how long one way takes, and see to it that it reads everything."""
    start = time.perf_counter()
    found = way()
    taken = time.perf_counter() - start
    if found != count:
        raise SystemExit(f"expected {count} values, found {found}")
    return taken


def table(best: Mapping[str, float]) -> str:
    """Return the times, and the limits with what came out."""
    width = max(map(len, best))
    lines = [f"{'best of each':{width}}  seconds"]
    lines += [f"{name:{width}}  {t:7.3f}" for name, t in best.items()]
    lines += ["", "limits"]
    for what, other, least in FASTER:
        ratio = best[other] / best[what]
        said = f"{what}: {ratio:.1f} times faster than {other}, at least {least:g}"
        kept = ratio >= least
        if what in INSTEAD:
            instead, most = INSTEAD[what]
            share = best[what] / best[instead]
            said += f", or {share:.2f} times as long as {instead}, at most {most:g}"
            kept |= share <= most
        lines.append(f"{said}: {'kept' if kept else 'NOT KEPT'}")
    return "\n".join(lines)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="What reading a large log costs.")
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        measured = ((texts(Path(name)), VALUES), (scalars(Path(name)), SCALARS))
        times: dict[str, list[float]] = {}
        for _ in range(rounds):
            for ways, count in measured:
                for what, way in ways.items():
                    times.setdefault(what, []).append(seconds(way, count=count))
    print(table({what: min(taken) for what, taken in times.items()}))


if __name__ == "__main__":
    main()
