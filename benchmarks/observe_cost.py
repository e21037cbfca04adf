"""What looking at a network costs, beside running it forward and backward, on the same batches.

The plain way is a loop over the batches with `loss.backward()`, as a training has it, without a
step. kashika's way is one `observe`: loss, answers, what every layer puts out, gradients, and the
gradient norm of every sample. Both are taken in turn, `--rounds` times, in this process; the best
time of each counts, since whatever disturbs a process makes it slower.

    python benchmarks/observe_cost.py [--rounds 3] [--samples 10000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from row import Row, as_json
from torch import Tensor, nn

from kashika.look import Look
from kashika.run import Arrays
from kashika.torch_network import TorchNetwork

LIMIT = 1.5
BATCH = 256


class Transformer(nn.Module):
    """Three layers of attention over 32 positions, and a class for the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.join = nn.Linear(32, 128)
        layer = nn.TransformerEncoderLayer(128, 4, 512, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.head = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Take (n, 32, 32)."""
        return self.head(self.body(self.join(x)).mean(dim=1))  # type: ignore[no-any-return]


def mlp() -> nn.Module:
    """Return four layers, 2.9 million parameters."""
    return nn.Sequential(
        nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(),
        nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10),
    )  # fmt: skip


def cnn() -> nn.Module:
    """Return a network for 32 x 32 pixels in three colours, as for CIFAR-10."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3, padding=1), nn.BatchNorm2d(128), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "MLP": (mlp, (784,)),
    "CNN": (cnn, (3, 32, 32)),
    "transformer": (Transformer, (32, 32)),
}


def plain(module: nn.Module, x: Tensor, y: Tensor) -> None:
    """Run forward and backward over all batches."""
    for start in range(0, len(x), BATCH):
        loss = F.cross_entropy(module(x[start : start + BATCH]), y[start : start + BATCH])
        loss.backward()  # type: ignore[no-untyped-call]
    module.zero_grad()


def seconds(way: Callable[[], object]) -> float:
    """Take the time of a way."""
    began = time.perf_counter()
    way()
    return time.perf_counter() - began


def times(rounds: int, samples: int) -> dict[str, tuple[float, float]]:
    """Return {network: (seconds of the plain way, seconds of kashika's)}."""
    best = {}
    for name, (build, shape) in NETWORKS.items():
        torch.manual_seed(0)
        module = build().eval()
        x = np.random.default_rng(0).normal(size=(samples, *shape)).astype(np.float32)
        data = Arrays(x, np.random.default_rng(1).integers(0, 10, samples))
        tensors = torch.tensor(x), torch.tensor(data.targets)
        network = TorchNetwork(module, Look(batch_size=BATCH))
        ways: list[Callable[[], object]] = [
            partial(plain, module, *tensors),
            partial(network.observe, data, split="train"),
        ]
        taken = [[seconds(way) for way in ways] for _ in range(rounds)]
        alone, seen = map(min, zip(*taken, strict=True))
        best[name] = (alone, seen)
    return best


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = times(given.rounds, given.samples)
    if given.json:
        job = f"observe with all gradients, {given.samples:,} samples"
        against = "forward and backward of the same batches"
        rows = (
            Row(f"{job}: {name}", against, "at most", LIMIT, seen / alone)
            for name, (alone, seen) in found.items()
        )
        print(as_json(rows))
        return
    print(f"{'network':12} {'plain s':>9} {'observe s':>10} {'ratio':>6}  limit {LIMIT}")
    for name, (alone, seen) in found.items():
        print(f"{name:12} {alone:9.2f} {seen:10.2f} {seen / alone:6.2f}")


if __name__ == "__main__":
    main()
