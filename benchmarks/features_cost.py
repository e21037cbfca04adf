"""What the features view costs on 20,000 samples, beside openTSNE's own time for the same data.

The view is asked for everything that it measures: the separation and rank of the layer, its plane,
its PCA and its t-SNE, with how faithful they are. openTSNE is asked for the same t-SNE alone, on
the features as they are. Both use one thread for t-SNE. They are taken in turn, `--rounds` times,
in this process; the best time of each counts, since whatever disturbs a process makes it slower.

A second table tells what comparing the layers costs for a deep and wide network.

    python benchmarks/features_cost.py [--samples 20000] [--units 512] [--rounds 2] [--json]
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import sys
import time
from collections.abc import Callable

import numpy as np
from openTSNE import TSNE
from row import Row, as_json

from kashika.distribution import Distribution, FloatArray, IntArray
from kashika.observation import Layer, Observation
from kashika.task import Task
from kashika.views.features import Features, measure

CLASSES = 10
MOST = 2.0
"""So many times openTSNE's own time the view may take."""

DEEP, WIDE, KEPT = 100, 2_000, 5_000
"""Layers, units and rows of the network whose layers are compared."""

VIEW = "kashika, the features view"
ALONE = "openTSNE.TSNE().fit alone"


def clouds(samples: int, units: int) -> tuple[FloatArray, IntArray]:
    """Return features and classes as a trained network gives them: clouds, non-negative, float32.

    The clouds have 40 directions of their own, and some noise in all of them.
    """
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, samples)
    inner = rng.normal(size=(CLASSES, 40))[labels] + rng.normal(size=(samples, 40))
    mixed = inner @ rng.normal(size=(40, units)) + rng.normal(size=(samples, units))
    return np.maximum(mixed, 0).astype(np.float32), labels


def seen(
    features: FloatArray, labels: IntArray, *, layers: int = 1, classes: int = CLASSES
) -> Observation:
    """Return what a network with such layers would be seen to do."""
    one = Layer(
        "hidden", "ReLU", Distribution.of(features[:100]), (features > 0).sum(axis=0), features,
        np.arange(len(features)),
    )  # fmt: skip
    outputs = np.eye(classes)[labels]
    names = ["hidden", *(f"hidden#{i + 2}" for i in range(layers - 1))]
    return Observation.of(
        Task("logits", classes, "cross_entropy"),
        inputs=outputs,
        outputs=outputs,
        targets=labels,
        loss=np.zeros(len(labels)),
        layers=tuple(
            Layer(name, one.kind, one.values, one.active, one.features, one.rows) for name in names
        ),
    )


def view(observation: Observation) -> Features:
    """Return all that the view measures."""
    return measure({"test": observation}, split="test", layer="hidden")


def timed(way: Callable[[], object]) -> tuple[float, object]:
    """Return how long one way takes, and what it gives."""
    start = time.perf_counter()
    given = way()
    return time.perf_counter() - start, given


def digest(found: object) -> str:
    """Return what tells two measurements apart."""
    assert isinstance(found, Features)
    return hashlib.sha256(b"".join(p.coordinates.tobytes() for p in found.projections)).hexdigest()


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="What the features view costs.")
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--layers", type=int, default=DEEP)
    parser.add_argument("--json", action="store_true", dest="as_json")
    asked = parser.parse_args()

    features, labels = clouds(asked.samples, asked.units)
    observation = seen(features, labels)
    ours, alone, pictures = [], [], set()
    for _ in range(asked.rounds):
        taken, found = timed(lambda: view(observation))
        ours.append(taken)
        pictures.add(digest(found))
        taken, _ = timed(lambda: TSNE(perplexity=30, random_state=0, n_jobs=1).fit(features))
        alone.append(taken)
    memory = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        / 2**10
        / (2**10 if sys.platform == "darwin" else 1)
    )

    # Two classes: two outputs are shown as they are, so that no t-SNE is in this time.
    wide, labels = clouds(KEPT, WIDE)
    deep = seen(wide, labels % 2, layers=asked.layers, classes=2)
    depth, _ = timed(lambda: measure({"test": deep}, split="test"))
    ratio = min(ours) / min(alone)
    if asked.as_json:
        job = f"features view of {asked.samples:,} x {asked.units}, with t-SNE"
        print(as_json([Row(job, ALONE, "at most", MOST, ratio)]))
        return
    print(f"{asked.samples:,} samples of {asked.units} features, best of {asked.rounds}   seconds")
    print(f"{VIEW:46}  {min(ours):7.1f}\n{ALONE:46}  {min(alone):7.1f}")
    kept = "kept" if ratio <= MOST else "NOT KEPT"
    print(f"ratio {ratio:.2f}, at most {MOST:g}: {kept}")
    same = "the same" if len(pictures) == 1 else "NOT THE SAME"
    print(f"peak memory of the process {memory:.0f} MB; the pictures of all rounds are {same}")
    print(
        f"\n{asked.layers} layers of {WIDE:,} units, {KEPT:,} rows each, compared: {depth:.1f}"
        f" seconds, {depth / asked.layers:.2f} for each"
    )


if __name__ == "__main__":
    main()
