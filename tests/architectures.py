"""Small networks of the kinds that people train, with a batch that each of them takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from kashika.distribution import Array
from kashika.run import Inputs

WORDS = 13


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A network, and what it was trained on."""

    build: Callable[[], nn.Module]
    inputs: Inputs
    targets: Array

    def module(self) -> nn.Module:
        """Build the network from the same seed every time."""
        with torch.random.fork_rng():
            torch.manual_seed(3)
            return self.build().double()


class Residual(nn.Module):
    """Two blocks that add to what they are given."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.blocks = nn.ModuleList([nn.Conv2d(4, 4, 3, padding=1) for _ in range(2)])
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = x + F.relu(block(x))
        return self.head(x.mean(dim=(2, 3)))  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    """A recurrent layer, and a head on its last output."""

    def __init__(self, kind: type[nn.GRU] | type[nn.LSTM]) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 5)
        self.body = kind(5, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.words(x))[0][:, -1])  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """Words, two layers of attention, and a class for the whole text."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 8)
        self.places = nn.Parameter(torch.randn(6, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.1, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.words(x) + self.places).mean(dim=1))  # type: ignore[no-any-return]


class Language(nn.Module):
    """A decoder with attention of its own, called as those of transformers are."""

    def __init__(self, *, tied: bool = False) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 8)
        self.norm = nn.LayerNorm(8)
        self.attend = nn.Linear(8, 24)
        self.join = nn.Linear(8, 8)
        self.head = nn.Linear(8, WORDS, bias=False)
        if tied:
            self.head.weight = self.words.weight

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,  # noqa: ARG002  as the models of transformers have it
    ) -> dict[str, Tensor]:
        x = self.words(input_ids)
        q, k, v = self.attend(self.norm(x)).chunk(3, dim=-1)
        weights = q @ k.mT / 8**0.5
        causal = torch.ones(weights.shape[-2:], dtype=torch.bool, device=x.device).tril()
        weights = weights.masked_fill(~causal, -torch.inf).softmax(dim=-1)
        return {"logits": self.head(x + self.join(weights @ v))}


class Shared(nn.Module):
    """One layer that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.again = nn.Linear(4, 4)
        self.act = nn.Tanh()
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.again(self.act(self.again(x)))))  # type: ignore[no-any-return]


class Two(nn.Module):
    """Two inputs, and a pair as the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(4, 6), nn.Linear(2, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        hidden = F.relu(self.left(left) + self.right(right))
        return self.head(hidden), hidden


class Experts(nn.Module):
    """An encoder, two experts of which each sample goes through one, and a critic besides."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.gate = nn.Linear(4, 6), nn.Linear(4, 2)
        self.experts = nn.ModuleList([nn.Linear(6, 6) for _ in range(2)])
        self.head, self.critic = nn.Linear(6, 3), nn.Linear(6, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = F.relu(self.encoder(x))
        chosen, mixed = self.gate(x).argmax(dim=1), hidden.clone()
        for i, expert in enumerate(self.experts):
            mixed[chosen == i] = F.relu(expert(hidden[chosen == i]))
        return self.head(mixed), self.critic(hidden)


class Saving(nn.Module):
    """A part in the middle that is computed anew on the way back, in the older of two ways."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle, self.head = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        made = checkpoint(self.middle, F.relu(self.first(x)), use_reentrant=True)
        return self.head(F.relu(made))  # type: ignore[no-any-return]


def frozen() -> nn.Module:
    """Return a network whose first layer learns nothing."""
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    module[0].requires_grad_(requires_grad=False)
    return module


def normalised() -> nn.Module:
    """Return a convolutional network with batch norm that has seen some data."""
    module = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(4, 5, 2, groups=1), nn.ReLU(), nn.Flatten(), nn.Linear(20, 3),
    )  # fmt: skip
    module.train()
    module(torch.randn(8, 2, 8, 8))
    return module.eval()


def _drawn(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(size=shape)


def _words(rows: int, length: int) -> Array:
    return np.random.default_rng(7).integers(0, WORDS, (rows, length))


_X, _MAPS, _TEXT = _drawn(12, 4), _drawn(12, 2, 8, 8), _words(12, 6)
_Y = np.arange(12) % 3
_NEXT = {"input_ids": _TEXT, "attention_mask": np.ones_like(_TEXT)}

CASES: Mapping[str, Case] = {
    "mlp": Case(
        lambda: nn.Sequential(
            nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3)
        ),
        _X, _Y,
    ),
    "cnn": Case(normalised, _MAPS, _Y),
    "residual": Case(Residual, _MAPS, _Y),
    "gru": Case(lambda: Recurrent(nn.GRU), _TEXT, _Y),
    "lstm": Case(lambda: Recurrent(nn.LSTM), _TEXT, _Y),
    "encoder": Case(Encoder, _TEXT, _Y),
    "language": Case(Language, _NEXT, _TEXT),
    "tied": Case(lambda: Language(tied=True), _NEXT, _TEXT),
    "autoencoder": Case(
        lambda: nn.Sequential(
            nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.ReLU(inplace=True),
            nn.ConvTranspose2d(3, 2, 4, stride=2, padding=1),
        ),
        _MAPS, _MAPS,
    ),
    "segmentation": Case(
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.GELU(), nn.Conv2d(4, 3, 1)),
        _MAPS, (_MAPS[:, 0] > 0) + (_MAPS[:, 1] > 0).astype(int),
    ),
    "shared": Case(Shared, _X, _Y),
    "two inputs": Case(Two, (_X, _drawn(12, 2)), _Y),
    "experts": Case(Experts, _X, _Y),
    "checkpointed": Case(Saving, _X, _Y),
    "frozen": Case(frozen, _X, _Y),
    "labels": Case(lambda: nn.Sequential(nn.Linear(4, 6), nn.SiLU(), nn.Linear(6, 5)), _X,
                   (_drawn(12, 5) > 0).astype(float)),
    "regression": Case(lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)), _X,
                       _drawn(12, 2)),
    "one logit": Case(lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1)), _X,
                      _Y % 2),
}  # fmt: skip
