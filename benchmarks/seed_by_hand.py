"""The seed notebook's own steps on a run of its network, each figure saved as PNG.

This is what `kashika report` stands in for: no findings, no tables, one layer, one language.

    python benchmarks/seed_by_hand.py DIR OUTPUT
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split
from torch import nn


class MLP(nn.Module):
    """The seed's network."""

    def __init__(self, input_dim: int, hidden_dim: int, output_dim: int) -> None:
        super().__init__()
        self.layer_in = nn.Linear(input_dim, hidden_dim)
        self.layer_hidden = nn.Linear(hidden_dim, hidden_dim)
        self.layer_out = nn.Linear(hidden_dim, output_dim)
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        h = self.act(self.layer_in(x))
        h = self.act(self.layer_hidden(h))
        logits: torch.Tensor = self.layer_out(h)
        return logits


def save(output: Path, name: str) -> None:
    """Save the present figure, as a notebook does when it shows one."""
    plt.savefig(output / f"{name}.png")
    plt.close()


def curves(logs: Path, output: Path) -> None:
    """Draw loss and accuracy."""
    for metric in ("loss", "acc"):
        for split in ("train", "valid"):
            plt.plot(np.loadtxt(logs / f"{split}_{metric}.txt"), label=f"{split}_{metric}")
        plt.xlabel("Epoch")
        plt.legend()
        plt.grid(visible=True)
        save(output, metric)


def main(directory: Path, output: Path) -> None:
    """Do the notebook's steps, from the curves to the gradients."""
    curves(directory / "output", output)

    model = MLP(2, 32, 2)
    model.load_state_dict(torch.load(directory / "output" / "model.pth"))
    model.eval()
    X, y = make_moons(n_samples=500, noise=0.1, random_state=1234)
    X_train, X_rest, y_train, y_rest = train_test_split(X, y, test_size=0.4, random_state=1234)
    _, X_test, _, y_test = train_test_split(X_rest, y_rest, test_size=0.5, random_state=1234)

    low, high = X_train.min(axis=0) - 0.5, X_train.max(axis=0) + 0.5
    xx, yy = np.meshgrid(np.arange(low[0], high[0], 0.02), np.arange(low[1], high[1], 0.02))
    with torch.no_grad():
        grid = torch.tensor(np.c_[xx.ravel(), yy.ravel()], dtype=torch.float32)
        predicted = model(grid).argmax(dim=1).numpy().reshape(xx.shape)
    plt.contourf(xx, yy, predicted, alpha=0.5)
    plt.scatter(X_train[:, 0], X_train[:, 1], c=y_train, alpha=0.6, edgecolors="k", s=15)
    plt.scatter(X_test[:, 0], X_test[:, 1], c=y_test, edgecolors="k", s=15)
    plt.colorbar(label="Class")
    save(output, "boundary")

    logits = model(torch.from_numpy(X_test).to(torch.float32))
    first, second = logits.detach().numpy().T
    plt.scatter(first, second, c=y_test, s=10)
    save(output, "logits")

    weight = model.layer_hidden.weight
    plt.hist(weight.detach().numpy().flatten(), bins=20, edgecolor="k")
    save(output, "weights")

    nn.CrossEntropyLoss()(logits, torch.from_numpy(y_test)).backward()
    assert weight.grad is not None
    plt.hist(weight.grad.numpy().flatten(), bins=20, edgecolor="k")
    save(output, "gradients")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
