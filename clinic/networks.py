"""The network of this training."""

# ruff: noqa: D102, FBT001, FBT002

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MLP(nn.Module):
    """A multi-layer perceptron; `hidden` lists the widths of its hidden layers."""

    def __init__(
        self,
        inputs: int,
        hidden: list[int],
        outputs: int,
        activation: str = "ReLU",
        dropout: float = 0.0,
        batch_norm: bool = False,
        last: str | None = None,
        spare: int = 0,
        detach_after: int = 0,
        unit_norm: bool = False,
    ) -> None:
        super().__init__()
        widths = [inputs, *hidden]
        self.hidden = nn.ModuleList(
            nn.Linear(a, b, bias=not unit_norm) for a, b in pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(b) for b in hidden if batch_norm)
        self.act: nn.Module = getattr(nn, activation)()
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(widths[-1], outputs)
        self.last: nn.Module | None = None
        if last is not None:
            self.last = getattr(nn, last)(dim=-1) if "Softmax" in last else getattr(nn, last)()
        self.spare = nn.ModuleList(nn.Linear(widths[-1], widths[-1]) for _ in range(spare))
        self.detach_after = detach_after
        self.unit_norm = unit_norm

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for index, layer in enumerate(self.hidden):
            x = layer(x)
            if len(self.norms):
                x = self.norms[index](x)
            x = self.drop(self.act(x))
            if index + 1 == self.detach_after:
                x = x.detach()
        if self.unit_norm:
            x = x / (x.pow(2).sum(dim=1, keepdim=True).sqrt() + 1e-6)
        x = self.out(x)
        outputs: Tensor = x if self.last is None else self.last(x)
        return outputs


class ResidualMLP(nn.Module):
    """Blocks of two layers beside an identity."""

    def __init__(
        self, inputs: int, width: int, depth: int, outputs: int, activation: str = "ReLU"
    ) -> None:
        super().__init__()
        self.stem = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width),
                nn.Linear(width, width),
                getattr(nn, activation)(),
                nn.Linear(width, width),
            )
            for _ in range(depth)
        )
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x.flatten(1))
        for block in self.blocks:
            x = x + block(x)
        outputs: Tensor = self.head(x)
        return outputs


class CNN(nn.Module):
    """Two convolutions over images of 8 x 8, pooled once, and a linear layer."""

    def __init__(
        self,
        outputs: int,
        channels: int = 16,
        batch_norm: bool = False,
        dropout: float = 0.0,
        activation: str = "ReLU",
        last: str | None = None,
        spare: int = 0,
        detach_after: int = 0,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, 2 * channels, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(channels) if batch_norm else nn.Identity()
        self.norm2 = nn.BatchNorm2d(2 * channels) if batch_norm else nn.Identity()
        self.act: nn.Module = getattr(nn, activation)()
        self.drop = nn.Dropout(dropout)
        self.fc = nn.Linear(2 * channels * 4, outputs)
        self.last: nn.Module | None = None
        if last is not None:
            self.last = getattr(nn, last)(dim=-1) if "Softmax" in last else getattr(nn, last)()
        self.spare = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(spare))
        self.detach_after = detach_after

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.act(self.norm1(self.conv1(x))), 2)
        if self.detach_after == 1:
            x = x.detach()
        x = F.max_pool2d(self.act(self.norm2(self.conv2(x))), 2)
        if self.detach_after == 2:
            x = x.detach()
        x = self.fc(self.drop(x.flatten(1)))
        outputs: Tensor = x if self.last is None else self.last(x)
        return outputs


class ResNet(nn.Module):
    """A stem and residual blocks with batch norm over images of 8 x 8."""

    def __init__(self, outputs: int, channels: int = 12, depth: int = 2) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
                nn.Conv2d(channels, channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels),
            )
            for _ in range(depth)
        )
        self.fc = nn.Linear(channels, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.stem(x))), 2)
        for block in self.blocks:
            x = F.relu(x + block(x))
        outputs: Tensor = self.fc(x.mean(dim=(2, 3)))
        return outputs


class Recurrent(nn.Module):
    """A recurrent net that answers from its last state."""

    def __init__(
        self,
        inputs: int,
        width: int,
        outputs: int,
        kind: str = "GRU",
        tokens: int = 0,
        nonlinearity: str = "tanh",
        layers: int = 1,
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(tokens, inputs) if tokens else nn.Identity()
        more = {"nonlinearity": nonlinearity} if kind == "RNN" else {}
        self.rnn = getattr(nn, kind)(inputs, width, num_layers=layers, batch_first=True, **more)
        self.fc = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(self.embed(x))
        outputs: Tensor = self.fc(states[:, -1])
        return outputs


class RecurrentLM(nn.Module):
    """A recurrent net that says the next token at every position."""

    def __init__(self, tokens: int, width: int, kind: str = "GRU") -> None:
        super().__init__()
        self.embed = nn.Embedding(tokens, width)
        self.rnn = getattr(nn, kind)(width, width, batch_first=True)
        self.head = nn.Linear(width, tokens)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(self.embed(x))
        outputs: Tensor = self.head(states)
        return outputs


class Block(nn.Module):
    """Attention and a feed-forward part, each behind a layer norm and beside an identity."""

    def __init__(self, width: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        n, t, d = x.shape
        q, k, v = (
            part.view(n, t, self.heads, d // self.heads).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).split(d, dim=2)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.project(mixed.transpose(1, 2).reshape(n, t, d))
        outputs: Tensor = x + self.mlp(self.norm2(x))
        return outputs


class Transformer(nn.Module):
    """An encoder that answers from the mean over its positions."""

    def __init__(
        self,
        tokens: int,
        length: int,
        outputs: int,
        width: int = 16,
        depth: int = 1,
        heads: int = 2,
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(tokens, width)
        self.position = nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads, causal=False) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x) + self.position(torch.arange(x.shape[1], device=x.device))
        for block in self.blocks:
            h = block(h)
        outputs: Tensor = self.head(self.norm(h).mean(dim=1))
        return outputs


class Decoder(nn.Module):
    """A decoder that says the next token at every position."""

    def __init__(
        self, tokens: int, length: int, width: int = 16, depth: int = 1, heads: int = 2
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(tokens, width)
        self.position = nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads, causal=True) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, tokens)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x) + self.position(torch.arange(x.shape[1], device=x.device))
        for block in self.blocks:
            h = block(h)
        outputs: Tensor = self.head(self.norm(h))
        return outputs


class AutoEncoder(nn.Module):
    """An encoder to a short code, and a decoder back."""

    def __init__(self, inputs: int, width: int, code: int, activation: str = "ReLU") -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(inputs, width), getattr(nn, activation)(), nn.Linear(width, code)
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, width), getattr(nn, activation)(), nn.Linear(width, inputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.decoder(self.encoder(x))
        return outputs


class FineTuned(nn.Module):
    """A trunk that stays as it was pretrained, and a head."""

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.trunk(x))
        return outputs
