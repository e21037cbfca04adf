"""What the norms of all samples' gradients cost, beside the other ways to them, in one process.

Every way gives the summed gradient and the norm of each sample's own, for one batch. The ways are
taken in turn, `--rounds` times; the best time of each counts, since whatever disturbs a process
makes it slower. BackPACK is a peer where it is installed: it takes torch's modules only, and has no
rule for batch norm, so the convolutional network is measured with it and without.

    python benchmarks/sample_gradients_cost.py [--rounds 5] [--batch 512] [--threads 2] [--json]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from row import Row, as_json
from torch import Tensor, nn

from kashika.torch_sample_gradients import Layouts, recorded

Way = Callable[[], Tensor]
"""Give the (samples,) norms; of the plain way, zeros."""

PLAIN, OURS, VMAP, BACKPACK = "plain", "kashika", "vmap(grad)", "BackPACK"
FIRST = "kashika, first batch"  # which finds out where the samples are


@dataclass(frozen=True, slots=True)
class Job:
    """A network and a batch for it."""

    name: str
    network: nn.Module
    inputs: Tensor
    targets: Tensor

    def loss(self, outputs: Tensor) -> Tensor:
        """Return the sum of the losses of the samples."""
        return F.cross_entropy(outputs.flatten(0, -2), self.targets.flatten(), reduction="sum")


class Words(nn.Module):
    """A transformer encoder over words, with one answer for each text."""

    def __init__(self, width: int = 128, length: int = 64) -> None:
        super().__init__()
        self.words = nn.Embedding(1_000, width)
        self.places = nn.Parameter(0.02 * torch.randn(length, width))
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 10)

    def forward(self, ids: Tensor) -> Tensor:
        """Answer (samples, length) ids by (samples, 10) logits."""
        encoded: Tensor = self.encoder(self.words(ids) + self.places)
        logits: Tensor = self.head(encoded.mean(dim=1))
        return logits


def jobs(batch: int) -> list[Job]:
    """Return the networks, each with a batch."""
    torch.manual_seed(0)
    labels = torch.randint(0, 10, (batch,))
    images = torch.randn(batch, 3, 32, 32)
    mlp = nn.Sequential(
        nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10)
    )
    return [
        Job("MLP 784-1024-1024-10", mlp, torch.randn(batch, 784), labels),
        Job("CNN, 3 convolutions with batch norm", cnn(norms=True), images, labels),
        Job("CNN, 3 convolutions", cnn(norms=False), images, labels),
        Job(
            "transformer, 2 layers of 128",
            Words(),
            torch.randint(0, 1_000, (batch // 4, 64)),
            labels[: batch // 4],
        ),
    ]


def cnn(*, norms: bool) -> nn.Module:
    """Return a network for images of 3 x 32 x 32."""
    parts: list[nn.Module] = []
    for inputs, outputs in ((3, 32), (32, 64), (64, 128)):
        parts.append(nn.Conv2d(inputs, outputs, 3, padding=1))
        if norms:
            parts.append(nn.BatchNorm2d(outputs))
        parts += [nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*parts, nn.Flatten(), nn.Linear(128 * 16, 10))


def ways(job: Job) -> dict[str, Way]:
    """Return the ways to the norms that this network can be taken."""
    network = job.network.eval()
    parameters = dict(network.named_parameters())
    layouts: Layouts = {}

    def plain() -> Tensor:
        total = job.loss(network(job.inputs))
        torch.autograd.grad(total, list(parameters.values()))
        return torch.zeros(len(job.inputs))

    def ours(known: Layouts) -> Tensor:
        with recorded(network, parameters, samples=len(job.inputs), layouts=known) as records:
            outputs = network(job.inputs)
        _, squares = records.backward(job.loss(outputs))
        return torch.stack(list(squares.values())).sum(dim=0).sqrt()

    def of_one(own: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        outputs = torch.func.functional_call(network, own, (x[None],))
        return F.cross_entropy(outputs, y[None])

    def vmap() -> Tensor:
        each = torch.func.vmap(torch.func.grad(of_one), in_dims=(None, 0, 0), chunk_size=64)
        detached = {name: one.detach() for name, one in parameters.items()}
        found = each(detached, job.inputs, job.targets)
        for one in found.values():
            one.sum(dim=0)
        return torch.stack([g.flatten(1).square().sum(dim=1) for g in found.values()]).sum(0).sqrt()

    result = {PLAIN: plain, OURS: lambda: ours(layouts), FIRST: lambda: ours({}), VMAP: vmap}
    peer = backpack(job)
    return result if peer is None else {**result, BACKPACK: peer}


def backpack(job: Job) -> Way | None:
    """Return BackPACK's way, where it is installed and has a rule for every layer."""
    taken = (nn.Linear, nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.Flatten)
    if not isinstance(job.network, nn.Sequential):
        return None
    if not all(isinstance(part, taken) for part in job.network):
        return None
    try:
        import backpack as peer  # type: ignore[import-not-found]
        from backpack.extensions import BatchL2Grad  # type: ignore[import-not-found]
    except ImportError:
        return None
    from copy import deepcopy

    network = peer.extend(deepcopy(job.network))
    loss = peer.extend(nn.CrossEntropyLoss(reduction="sum"))

    def way() -> Tensor:
        network.zero_grad()
        with peer.backpack(BatchL2Grad()):
            loss(network(job.inputs), job.targets).backward()
        squares: list[Tensor] = [one.batch_l2 for one in network.parameters()]
        return torch.stack(squares).sum(dim=0).sqrt()

    return way


def measured(job: Job, *, rounds: int) -> dict[str, float]:
    """Return the best time of each way in seconds, after one round to warm up and compare."""
    several = ways(job)
    norms = {name: way().detach() for name, way in several.items() if name != PLAIN}
    for name, found in norms.items():
        torch.testing.assert_close(
            found.float(), norms[OURS].float(), rtol=1e-3, atol=1e-5, msg=name
        )
    best = dict.fromkeys(several, float("inf"))
    for _ in range(rounds):
        for name, way in several.items():
            start = time.perf_counter()
            way()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def table(best: Mapping[str, Mapping[str, float]]) -> str:
    """Return times and ratios, and the limits with what came out."""
    columns = [PLAIN, OURS, FIRST, VMAP, BACKPACK]
    width = max(map(len, best))
    lines = [f"{'milliseconds, times plain':{width}}  " + "".join(f"{c:>22}" for c in columns)]
    for name, times in best.items():
        cells = (
            f"{1e3 * times[c]:.1f} ({times[c] / times[PLAIN]:.2f})" if c in times else "-"
            for c in columns
        )
        lines.append(f"{name:{width}}  " + "".join(f"{cell:>22}" for cell in cells))
    return "\n".join([*lines, "", "limits", *map(str, rows(best))])


def rows(best: Mapping[str, Mapping[str, float]]) -> list[Row]:
    """Return the limits, with what came out."""
    found = []
    for name, times in best.items():
        job, ours = f"gradient norms of single samples: {name}", times[OURS]
        found.append(Row(job, "forward and backward", "at most", 1.5, ours / times[PLAIN]))
        if name.startswith("MLP"):
            faster = times[VMAP] / ours
            found.append(Row(job, "torch.func.vmap(grad)", "at least", 20, faster, "times faster"))
        if BACKPACK in times:
            found.append(Row(job, BACKPACK, "at most", 1, ours / times[BACKPACK]))
    return found


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="What the norms of samples' gradients cost.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    best = {job.name: measured(job, rounds=asked.rounds) for job in jobs(asked.batch)}
    print(as_json(rows(best)) if asked.json else table(best))


if __name__ == "__main__":
    main()
