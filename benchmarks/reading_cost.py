"""What reading large files costs, beside the usual ways to read them, in one run on one machine.

All ways are taken in turn, `--rounds` times, in this process; the best time of each counts, since
whatever disturbs a process makes it slower.

    python benchmarks/reading_cost.py [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from row import Row, as_json
from safetensors import safe_open
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)
from torch.utils.tensorboard import SummaryWriter

from kashika.contents import inspect
from kashika.load.logs import events, text

VALUES = 1_000_000
SCALARS = 100_000

TEXT = f"kashika, text of {VALUES:,} values"
LOADTXT = "numpy.loadtxt"
BYTES = "read_bytes and numpy.fromstring"
EVENTS = f"kashika, event file of {SCALARS:,} scalars"
ACCUMULATOR = "EventAccumulator, all scalars"

SHARDS, TENSORS = 40, 25
SMALL = f"kashika inspect, {SHARDS} shards of 1 MB"
LARGE = f"kashika inspect, {SHARDS} shards of 1 GB"
OPENED = f"safetensors.safe_open, {SHARDS} shards of 1 GB"

FASTER = ((TEXT, LOADTXT, 5.0), (EVENTS, ACCUMULATOR, 5.0))
"""(what, than what, at least so many times)."""
INSTEAD = {TEXT: (BYTES, 2.0)}
"""{what: (in relation to what, at most so many times)}: it is enough if this is kept."""

SAME = ((LARGE, SMALL, 2.0),)
"""(what, as what, at most so many times as long): its time does not depend on the size."""

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


def shards(directory: Path) -> Ways:
    """Return the ways to list the tensors of a sharded checkpoint; each gives how many there are.

    The files have holes in place of numbers, so that they take no room on the disk.
    """
    for name, size in (("small", 2**20), ("large", 2**30)):
        place = directory / name
        place.mkdir()
        places = {}
        for shard in range(SHARDS):
            file = f"model-{shard + 1:05}-of-{SHARDS:05}.safetensors"
            step = size // TENSORS // 4 * 4
            header = {
                f"layer.{shard}.{i}": {
                    "dtype": "F32",
                    "shape": [step // 4],
                    "data_offsets": [i * step, (i + 1) * step],
                }
                for i in range(TENSORS)
            }
            content = json.dumps(header).encode()
            with (place / file).open("wb") as out:
                out.write(len(content).to_bytes(8, "little") + content)
                out.truncate(8 + len(content) + TENSORS * step)
            places.update(dict.fromkeys(header, file))
        index = {"metadata": {}, "weight_map": places}
        (place / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")

    def opened() -> int:
        count = 0
        for path in (directory / "large").glob("*.safetensors"):
            with safe_open(path, framework="np") as file:
                names = list(file.keys())
                count += sum(bool(file.get_slice(name).get_shape()) for name in names)
        return count

    return {
        SMALL: lambda: len(inspect(directory / "small", rename={}).tensors),
        LARGE: lambda: len(inspect(directory / "large", rename={}).tensors),
        OPENED: opened,
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
    return "\n".join([*lines, "", "limits", *map(str, rows(best))])


def rows(best: Mapping[str, float]) -> list[Row]:
    """Return the limits, with what came out."""
    made = []
    for what, other, least in FASTER:
        row = Row(what, other, "at least", least, best[other] / best[what], "times faster")
        if not row.kept and what in INSTEAD:
            instead, most = INSTEAD[what]
            row = Row(what, instead, "at most", most, best[what] / best[instead])
        made.append(row)
    same = (Row(what, other, "at most", m, best[what] / best[other]) for what, other, m in SAME)
    return [*made, *same]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="What reading large files costs.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print the rows of the common table")
    given = parser.parse_args()
    rounds = given.rounds
    with tempfile.TemporaryDirectory() as name:
        measured = (
            (texts(Path(name)), VALUES),
            (scalars(Path(name)), SCALARS),
            (shards(Path(name)), SHARDS * TENSORS),
        )
        times: dict[str, list[float]] = {}
        for _ in range(rounds):
            for ways, count in measured:
                for what, way in ways.items():
                    times.setdefault(what, []).append(seconds(way, count=count))
    best = {what: min(taken) for what, taken in times.items()}
    print(as_json(rows(best)) if given.json else table(best))


if __name__ == "__main__":
    main()
