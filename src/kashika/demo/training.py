"""The training loop of the seed's recipe, as a user would have written it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from kashika.load.code.named import parse

if TYPE_CHECKING:
    from kashika.demo import Recipe

Loader = DataLoader[tuple[Tensor, ...]]


def fit(
    directory: Path, recipe: Recipe, checkpoint: Path, *, seed: int
) -> Iterator[dict[str, float]]:
    """Train epoch by epoch and give what is logged; at the end, save the weights.

    Batches of 32, 10 and 10, not shuffled; SGD; the mean of the batches' means is logged, that of
    the training as it runs. The random state of torch comes back as it was.
    """
    data = parse(recipe.data, option="--data", relative_to=directory).load()
    splits = data() if callable(data) else data
    train, valid = (
        DataLoader(
            TensorDataset(torch.tensor(X, dtype=torch.float32), torch.tensor(y)),
            batch_size=size,
            generator=torch.Generator(),  # else it draws from torch's own, though it never shuffles
        )
        for (X, y), size in ((splits["train"], 32), (splits["valid"], 10))
    )
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = parse(recipe.model, option="--model", relative_to=directory).load()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(recipe.init_scale)
    optimizer = torch.optim.SGD(model.parameters(), lr=recipe.lr)
    # So small a network is faster in one thread, and gives the same numbers on every machine.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(recipe.epochs):
            train_loss, train_acc = _epoch(model, train, optimizer)
            valid_loss, valid_acc = _epoch(model, valid, None)
            yield {
                "train_loss": train_loss, "train_acc": train_acc,
                "valid_loss": valid_loss, "valid_acc": valid_acc,
            }  # fmt: skip
    finally:
        torch.set_num_threads(threads)
    torch.save(model.state_dict(), checkpoint)


def _epoch(
    model: nn.Module, loader: Loader, optimizer: torch.optim.Optimizer | None
) -> tuple[float, float]:
    """Go once through the data; return the means over batches of loss and accuracy."""
    model.train(optimizer is not None)
    losses, accuracies = [], []
    for x, y in loader:
        with torch.set_grad_enabled(optimizer is not None):
            logits = model(x)
            loss = F.cross_entropy(logits, y)
        if optimizer is not None:
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        losses.append(loss.item())
        accuracies.append((logits.argmax(dim=1) == y).float().mean().item())
    return sum(losses) / len(losses), sum(accuracies) / len(accuracies)
