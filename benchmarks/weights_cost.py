"""What looking at the weights in a file costs, beside reading it and beside the usual script.

Files of normal values are made in a temporary folder, in bfloat16 and in float32. All ways are
taken in turn, `--rounds` times, each in a process of its own that has imported what it needs
before the clock starts; the best time of each counts, since whatever disturbs a process makes it
slower. The files are in memory when the clock starts: `cat` has read them. Memory is measured in a
run that is not timed, and is what a process has beyond the files that it maps.

    python benchmarks/weights_cost.py [--gigabytes 2] [--rounds 5] [--directory /tmp] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from math import prod
from pathlib import Path

import numpy as np
from row import Row, as_json

TYPES = {"bfloat16": ("BF16", 2), "float32": ("F32", 4)}
"""Type of the values: what safetensors calls it, and its bytes."""

BINS = 50

CAT, OURS, SCRIPT = "cat", "kashika", "script"

TIMES_CAT = 4.0
"""At most so many times as long as `cat`."""
TIMES_FASTER = 8.0
"""At least so many times faster than the script."""
MEGABYTES = 500
"""At most so much memory beyond the file."""


# --- the files -----------------------------------------------------------------------------------


def shapes(values: int) -> dict[str, tuple[int, ...]]:
    """Return the tensors of a network of about so many values: 16 blocks and an embedding."""
    width = max(8, int((values / (16 * 13 + 30)) ** 0.5) // 8 * 8)
    found: dict[str, tuple[int, ...]] = {}
    for block in range(16):
        found |= {
            f"{block}.attention.in.weight": (3 * width, width),
            f"{block}.attention.out.weight": (width, width),
            f"{block}.mlp.in.weight": (4 * width, width),
            f"{block}.mlp.gate.weight": (width, width),
            f"{block}.mlp.out.weight": (width, 4 * width),
            f"{block}.norm.weight": (width,),
        }
    rest = values - sum(map(prod, found.values()))
    return {"embedding.weight": (max(1, rest // width), width)} | found


def write(path: Path, *, kind: str, gigabytes: float) -> None:
    """Write a safetensors file of normal values, no more of them in memory than a few."""
    name, width = TYPES[kind]
    tensors = shapes(int(gigabytes * 1e9) // width)
    header, end = {}, 0
    for tensor, shape in tensors.items():
        start, end = end, end + prod(shape) * width
        header[tensor] = {"dtype": name, "shape": shape, "data_offsets": [start, end]}
    content = json.dumps(header).encode()
    content += b" " * (-len(content) % 8)
    drawn = np.random.default_rng(0).standard_normal(1 << 22, dtype=np.float32)
    with path.open("wb") as file:
        file.write(len(content).to_bytes(8, "little") + content)
        for shape in tensors.values():
            scaled = drawn / np.float32(shape[-1] ** 0.5)
            bits = scaled.view(np.uint32)
            written = (bits >> 16).astype(np.uint16) if width == 2 else bits
            for start in range(0, prod(shape), written.size):
                written[: prod(shape) - start].tofile(file)


# --- the ways ------------------------------------------------------------------------------------


def kashika_looks() -> Callable[[Path], int]:
    """Return what shows the weights of a file, and gives the number of their values."""
    import kashika

    def look(path: Path) -> int:
        count = 0
        for one in kashika.weights(path).parameters:
            values = one.values
            values.histogram(bins=BINS)
            assert values.least <= values.mean <= values.greatest
            assert values.sd >= 0
            count += values.size
        return count

    return look


def script_looks() -> Callable[[Path], int]:
    """Return what people write for that."""
    from safetensors.torch import load_file

    def look(path: Path) -> int:
        count = 0
        for tensor in load_file(path).values():
            x = tensor.float().numpy()
            np.histogram(x, bins=BINS)
            assert x.min() <= x.mean() <= x.max()
            assert x.std() >= 0
            count += x.size
        return count

    return look


WAYS = {OURS: kashika_looks, SCRIPT: script_looks}


def child(way: str, path: Path) -> None:
    """Take one way, and print how long it took."""
    look = WAYS[way]()
    small = path.with_name(f"small-{path.name}")
    look(small)  # whatever is imported on the way
    start, busy = time.perf_counter(), time.process_time()
    count = look(path)
    taken = time.perf_counter() - start, time.process_time() - busy
    print(json.dumps({"taken": taken, "count": count}))


def seconds(way: str, path: Path) -> tuple[float, float]:
    """Return how long one way takes in a process of its own, and its seconds of a processor."""
    if way == CAT:
        start, busy = time.perf_counter(), os.times()
        subprocess.run(["cat", path], stdout=subprocess.DEVNULL, check=True)
        now = os.times()
        of_cat = now.children_user + now.children_system
        return (
            time.perf_counter() - start,
            of_cat - busy.children_user - busy.children_system,
        )
    done = subprocess.run(_command(way, path), stdout=subprocess.PIPE, check=True)
    said = json.loads(done.stdout)
    if said["count"] != (expected := _values(path)):
        raise SystemExit(f"{way}: expected {expected} values, found {said['count']}")
    return said["taken"][0], said["taken"][1]


def megabytes(way: str, path: Path) -> float | None:
    """Return how much memory of its own a process had at most; None where nobody tells."""
    if not Path("/proc/self/status").exists():
        return None
    most = 0
    with subprocess.Popen(_command(way, path), stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            except OSError:
                break
            own = [line.split()[1] for line in status.splitlines() if line.startswith("RssAnon")]
            most = max(most, *map(int, own)) if own else most
            time.sleep(0.01)
    return most * 1024 / 1e6


def _command(way: str, path: Path) -> list[str]:
    return [sys.executable, __file__, "--way", way, "--file", str(path)]


def _values(path: Path) -> int:
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(prod(one["shape"]) for one in header.values())


# --- what came out -------------------------------------------------------------------------------


def measured(directory: Path, *, gigabytes: float, rounds: int) -> list[dict[str, object]]:
    """Return one row for each type of values."""
    rows: list[dict[str, object]] = []
    for kind in TYPES:
        path = directory / f"{kind}.safetensors"
        write(path, kind=kind, gigabytes=gigabytes)
        write(path.with_name(f"small-{path.name}"), kind=kind, gigabytes=0.001)
        seconds(CAT, path)
        times: dict[str, list[tuple[float, float]]] = {CAT: [], OURS: [], SCRIPT: []}
        for _ in range(rounds):
            for way, taken in times.items():
                taken.append(seconds(way, path))
        best = {way: min(wall for wall, _ in taken) for way, taken in times.items()}
        rows.append(
            {
                "values": kind,
                "gigabytes": path.stat().st_size / 1e9,
                "seconds": best,
                "processor": {way: min(busy for _, busy in taken) for way, taken in times.items()},
                "times_cat": best[OURS] / best[CAT],
                "times_faster": best[SCRIPT] / best[OURS],
                "megabytes": {way: megabytes(way, path) for way in WAYS},
            }
        )
        path.unlink()
    return rows


def table(rows: list[dict[str, object]]) -> str:
    """Return the times, and the limits with what came out."""
    lines = []
    for row in rows:
        best, busy, most = row["seconds"], row["processor"], row["megabytes"]
        assert isinstance(best, dict)
        assert isinstance(busy, dict)
        assert isinstance(most, dict)
        lines += [f"{row['values']}, {row['gigabytes']:.2f} GB: seconds, of all processors"]
        lines += [f"  {way:8}  {t:7.3f} {busy[way]:7.3f}" for way, t in best.items()]
    return "\n".join([*lines, "", "limits", *map(str, limited(rows))])


def limited(rows: list[dict[str, object]]) -> list[Row]:
    """Return the limits, with what came out."""
    made = []
    for row in rows:
        times_cat, faster, most = row["times_cat"], row["times_faster"], row["megabytes"]
        assert isinstance(times_cat, float)
        assert isinstance(faster, float)
        assert isinstance(most, dict)
        job = f"weights of a safetensors file of {row['gigabytes']:.2g} GB, {row['values']}"
        made += [
            Row(job, "cat of the file, warm", "at most", TIMES_CAT, times_cat),
            Row(
                job,
                "the usual script",
                "at least",
                TIMES_FASTER,
                faster,
                "times faster",
            ),
        ]
        if most[OURS] is not None:
            beyond = f"{job}: memory beyond it"
            made.append(Row(beyond, "", "at most", MEGABYTES, most[OURS], "MB"))
    return made


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="What looking at the weights in a file costs.")
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", type=Path, help="where the files are made")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        child(options.way, options.file)
        return
    with tempfile.TemporaryDirectory(dir=options.directory) as name:
        rows = measured(Path(name), gigabytes=options.gigabytes, rounds=options.rounds)
    print(as_json(limited(rows)) if options.json else table(rows))


if __name__ == "__main__":
    main()
