"""The norms of samples' gradients, against a loop over the samples in double precision."""

from __future__ import annotations

import copy
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from kashika.torch_sample_gradients import Layouts, Records, recorded

Outputs = Callable[..., Tensor]


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng([]), warnings.catch_warnings():
        # torch's own, on nested tensors, 'same' convolutions of even kernels, and scripting
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        yield


class Lambda(nn.Module):
    """Parts and parameters of any kind, used as a function says."""

    def __init__(self, forward: Outputs, **own: nn.Module | Tensor) -> None:
        super().__init__()
        self.apply_to = forward
        for name, one in own.items():
            setattr(self, name, nn.Parameter(one) if isinstance(one, Tensor) else one)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.apply_to(self, *inputs)


def loss(outputs: Tensor) -> Tensor:
    """Return the (samples,) losses."""
    flat: Tensor = outputs.flatten(1)
    return (torch.sin(3 * flat) + flat**2).sum(dim=1)


def trainable(network: nn.Module) -> dict[str, Tensor]:
    return {name: one for name, one in network.named_parameters() if one.requires_grad}


def gradients(
    network: nn.Module, *inputs: Tensor, layouts: Layouts | None = None
) -> tuple[dict[str, Tensor | None], dict[str, Tensor], Records]:
    samples = len(inputs[0])
    with recorded(network, trainable(network), samples=samples, layouts=layouts) as records:
        outputs = network(*inputs)
    return *records.backward(loss(outputs).sum()), records


def by_loop(network: nn.Module, *inputs: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return summed gradients and (samples,) squared norms, one sample's loss after the other."""
    network = copy.deepcopy(network).double()
    inputs = tuple(one.double() if one.is_floating_point() else one for one in inputs)
    parameters = trainable(network)
    losses = loss(network(*inputs))
    each: dict[str, list[Tensor]] = {name: [] for name in parameters}
    for one in losses:
        found = torch.autograd.grad(
            one, list(parameters.values()), retain_graph=True, materialize_grads=True
        )
        for name, g in zip(parameters, found, strict=True):
            each[name].append(g.to_dense())
    stacked = {name: torch.stack(several) for name, several in each.items()}
    return (
        {name: g.sum(dim=0) for name, g in stacked.items()},
        {name: g.reshape(len(g), -1).square().sum(dim=1) for name, g in stacked.items()},
    )


def agree(network: nn.Module, *inputs: Tensor, layouts: Layouts | None = None) -> Records:
    summed, squares, records = gradients(network.eval(), *inputs, layouts=layouts)
    sums, truth = by_loop(network, *inputs)
    # A gradient that is zero but for rounding has no relative error: as that of keys' biases.
    floor = 1e-6 * max(one.max() for one in truth.values()).sqrt().item()
    assert records.left_out == ()
    assert list(summed) == list(truth)
    assert squares.keys() == truth.keys()
    for name, norms in truth.items():
        got = summed[name]
        if got is None:
            assert not sums[name].any()
        else:
            torch.testing.assert_close(
                got.double(), sums[name], rtol=1e-4, atol=1e-5 * sums[name].norm().item() + floor
            )
        torch.testing.assert_close(squares[name].sqrt(), norms.sqrt(), rtol=1e-5, atol=floor)
    return records


# --- every architecture --------------------------------------------------------------------------


def recurrent(
    kind: type[nn.GRU] | type[nn.LSTM], *, time_first: bool, both: bool = False
) -> nn.Module:
    layer = kind(8, 6, num_layers=2, batch_first=not time_first, bidirectional=both)

    def forward(own: Any, x: Tensor) -> Tensor:
        x = x.transpose(0, 1) if time_first else x
        outputs: Tensor = own.layer(x)[0]
        return outputs.transpose(0, 1) if time_first else outputs

    return Lambda(forward, layer=layer)


class Words(nn.Module):
    """A small language model with attention of its own."""

    def __init__(self, *, tied: bool, words: int = 11) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(words, 8, padding_idx=3), nn.Embedding(9, 8)
        self.norm, self.attention = nn.LayerNorm(8), nn.Linear(8, 24)
        self.out, self.head = nn.Linear(8, 8), nn.Linear(8, words, bias=False)
        if tied:
            self.head.weight = self.words.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids) + self.places(torch.arange(ids.shape[1]))
        q, k, v = self.attention(self.norm(x)).chunk(3, dim=-1)
        seen = q @ k.mT / 8**0.5
        seen = seen.masked_fill(torch.ones_like(seen).triu(1) > 0, -torch.inf)
        logits: Tensor = self.head(x + self.out(seen.softmax(dim=-1) @ v))
        return logits


class Patches(nn.Module):
    """A vision transformer: a class token, places and a scale that no layer owns."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.places = nn.Parameter(torch.randn(1, 9, 8))
        self.scale = nn.Parameter(torch.tensor(1.5))
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        x = self.patches(images).flatten(2).mT
        x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1)
        x = self.encoder((x + self.places[:, : x.shape[1]]) * self.scale)
        logits: Tensor = self.head(x[:, 0])
        return logits


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.norm.running_mean, self.norm.running_var = torch.randn(6), torch.rand(6) + 0.5
        self.second, self.act = nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(inplace=True)
        self.head = nn.Linear(6, 4)

    def forward(self, images: Tensor) -> Tensor:
        x = self.act(self.norm(self.first(images)))
        x = self.act(x + self.second(x))
        logits: Tensor = self.head(x.mean(dim=(2, 3)))
        return logits


def shared() -> nn.Module:
    def forward(own: Any, x: Tensor) -> Tensor:
        twice = own.layer(torch.tanh(own.layer(x)) * own.scale)
        once: Tensor = x @ own.weight + torch.einsum("bi,io->bo", x, own.weight)
        return F.linear(twice, own.weight) + once

    return Lambda(forward, layer=nn.Linear(8, 8), scale=torch.tensor(1.3), weight=torch.randn(8, 8))


def routed(own: Any, x: Tensor) -> Tensor:
    """Send some of the samples through an expert, between layers that all of them pass."""
    hidden = own.encoder(x).relu()
    some, mixed = x[:, 0] > 0, hidden.clone()
    mixed[some] = own.expert(hidden[some]).relu()
    outputs: Tensor = own.head(mixed)
    return outputs


def gated(own: Any, x: Tensor) -> Tensor:
    """Send every sample to the expert that a gate chooses."""
    shares = own.gate(x).softmax(dim=1)
    outputs = x.new_zeros(len(x), 3)
    for i, expert in enumerate([own.first, own.second]):
        (rows,) = (shares.argmax(dim=1) == i).nonzero(as_tuple=True)
        outputs = outputs.index_add(0, rows, expert(x[rows]) * shares[rows, i : i + 1])
    return outputs


NETWORKS: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    "MLP": lambda: (
        nn.Sequential(nn.Linear(8, 8), nn.ReLU(inplace=True), nn.Linear(8, 3)), torch.randn(8, 8)
    ),
    "MLP on two samples": lambda: (
        nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3)), torch.randn(2, 8)
    ),
    "MLP on one sample": lambda: (
        nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3)), torch.randn(1, 8)
    ),
    "long sequences": lambda: (
        nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 3)), torch.randn(3, 70, 4)
    ),
    "short sequences": lambda: (
        nn.Sequential(nn.Linear(32, 40), nn.Tanh(), nn.Linear(40, 30)), torch.randn(3, 3, 32)
    ),
    "CNN": lambda: (
        nn.Sequential(
            nn.Conv2d(3, 6, 3, padding="same", padding_mode="reflect"), nn.BatchNorm2d(6),
            nn.PReLU(6), nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, groups=2, stride=2, dilation=2, padding=2), nn.GroupNorm(2, 8),
            nn.Flatten(), nn.BatchNorm1d(32), nn.Linear(32, 3),
        ), torch.randn(5, 3, 8, 8),
    ),
    "many channels and few places": lambda: (
        nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.Tanh(), nn.Conv2d(16, 32, 3, padding=1),
            nn.InstanceNorm2d(32, affine=True),
            nn.Conv2d(32, 32, 3, stride=2, dilation=2, padding=2),
        ), torch.randn(5, 3, 8, 8),
    ),
    "convolutions over time": lambda: (
        nn.Sequential(
            nn.Conv1d(8, 6, 3, padding=1), nn.BatchNorm1d(6), nn.Tanh(),
            nn.ConvTranspose1d(6, 4, 3, stride=2, output_padding=1),
        ), torch.randn(5, 8, 9),
    ),
    "convolutions over space and time": lambda: (
        nn.Sequential(
            nn.Conv3d(2, 4, 2, stride=2, padding=1), nn.Tanh(),
            nn.Conv3d(4, 4, (1, 2, 2), padding="same"),
        ), torch.randn(4, 2, 5, 5, 5),
    ),
    "autoencoder": lambda: (
        nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1, groups=2), nn.Tanh(),
            nn.ConvTranspose2d(4, 16, 3), nn.Tanh(), nn.ConvTranspose2d(16, 32, 2),
        ), torch.randn(5, 3, 8, 8),
    ),
    "autoencoder with tied weights": lambda: (
        Lambda(
            lambda own, x: F.linear(torch.tanh(F.linear(x, own.weight)), own.weight.t(), own.bias),
            weight=torch.randn(4, 8), bias=torch.randn(8),
        ), torch.randn(5, 8),
    ),
    "frames of videos": lambda: (
        Lambda(
            lambda own, x: own.head(own.frames(x.flatten(0, 1)).unflatten(0, x.shape[:2]).mean(1)),
            frames=nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten()),
            head=nn.Linear(64, 3),
        ), torch.randn(4, 3, 3, 4, 4),
    ),
    "residual net": lambda: (Residual(), torch.randn(5, 3, 8, 8)),
    "GRU": lambda: (recurrent(nn.GRU, time_first=False, both=True), torch.randn(5, 7, 8)),
    "GRU, time first, as long as wide": lambda: (
        recurrent(nn.GRU, time_first=True), torch.randn(6, 6, 8)
    ),
    "LSTM": lambda: (recurrent(nn.LSTM, time_first=False), torch.randn(5, 7, 8)),
    "LSTM, time first": lambda: (recurrent(nn.LSTM, time_first=True), torch.randn(5, 7, 8)),
    "transformer encoder": lambda: (
        nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2),
        torch.randn(5, 7, 8),
    ),
    "transformer encoder, as long as wide": lambda: (
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True),
        torch.randn(8, 8, 8),
    ),
    "transformer encoder, time first": lambda: (
        Lambda(
            lambda own, x: own.layer(x.transpose(0, 1)).transpose(0, 1),
            layer=nn.TransformerEncoderLayer(8, 2, 16),
        ), torch.randn(5, 7, 8),
    ),
    "cross attention": lambda: (
        Lambda(
            lambda own, x: own.layer(x, x[:, :3] + 1, x[:, :3])[0],
            layer=nn.MultiheadAttention(8, 2, batch_first=True),
        ), torch.randn(5, 7, 8),
    ),
    "language model": lambda: (Words(tied=False), torch.randint(0, 11, (4, 6))),
    "language model with tied weights": lambda: (Words(tied=True), torch.randint(0, 11, (4, 6))),
    "language model with tied weights and many words": lambda: (
        Words(tied=True, words=300), torch.randint(0, 300, (4, 3))
    ),
    "language model, as many texts as words": lambda: (
        Words(tied=True), torch.randint(0, 11, (6, 6))
    ),
    "vision transformer": lambda: (Patches(), torch.randn(4, 3, 8, 8)),
    "vision transformer, as many images as patches": lambda: (Patches(), torch.randn(5, 3, 8, 8)),
    "shared modules": lambda: (shared(), torch.randn(8, 8)),
    "own parameters": lambda: (
        Lambda(
            lambda own, x: (own.weight @ x.mT).mT.div(own.scale) - own.bias - x[:, :4].pow(2),
            weight=torch.randn(4, 8), scale=torch.rand(8, 4)[0] + 1, bias=torch.randn(4),
        ), torch.randn(5, 8),
    ),
    "layer and RMS norm": lambda: (
        nn.Sequential(nn.LayerNorm((7, 8)), nn.RMSNorm(8), nn.Linear(8, 4), nn.RMSNorm(4)),
        torch.randn(5, 7, 8),
    ),
    "bilinear": lambda: (
        Lambda(lambda own, x: own.layer(x, torch.tanh(x)), layer=nn.Bilinear(8, 8, 4)),
        torch.randn(5, 7, 8),
    ),
    "bags of words": lambda: (
        nn.Sequential(nn.EmbeddingBag(10, 4, mode="mean", padding_idx=1), nn.Linear(4, 3)),
        torch.randint(0, 10, (5, 7)),
    ),
    "sparse embedding": lambda: (
        nn.Sequential(nn.Embedding(10, 4, sparse=True, padding_idx=2), nn.Linear(4, 3)),
        torch.randint(0, 10, (5, 7)),
    ),
    "one word for each sample": lambda: (
        nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 3)), torch.randint(0, 10, (5,))
    ),
}  # fmt: skip


@pytest.mark.parametrize("network", NETWORKS)
def test_norms_and_sum_are_those_of_a_loop_over_the_samples(network: str) -> None:
    module, inputs = NETWORKS[network]()
    assert agree(module, inputs).one_by_one == ()


@pytest.mark.parametrize("network", NETWORKS)
def test_where_the_samples_are_is_known_from_an_earlier_batch(network: str) -> None:
    module, inputs = NETWORKS[network]()
    layouts: Layouts = {}
    gradients(module.eval(), inputs.flip(0), layouts=layouts)
    known = dict(layouts)
    agree(module, inputs, layouts=layouts)
    assert layouts == known
    assert known or len(inputs) == 1


class Scaled(torch.autograd.Function):
    """An operation of the user's own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, power: int, scale: Tensor) -> Tensor:
        ctx.save_for_backward(x**power, scale)
        return x**power * scale

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[None, None, Tensor]:
        x, _ = ctx.saved_tensors
        return None, None, (g * x).sum(dim=0)


SLOW: dict[str, Callable[[], tuple[nn.Module, Tensor, tuple[str, ...]]]] = {
    "weight norm": lambda: (
        nn.Sequential(parametrizations.weight_norm(nn.Linear(8, 6)), nn.Tanh(), nn.Linear(6, 3)),
        torch.randn(5, 8), ("0.parametrizations.weight",),
    ),
    "spectral norm": lambda: (
        parametrizations.spectral_norm(nn.Conv1d(8, 8, 2)),
        torch.randn(5, 8, 7), ("parametrizations.weight",),
    ),
    "largest of a bag": lambda: (
        nn.Sequential(nn.EmbeddingBag(10, 4, mode="max"), nn.Linear(4, 3)),
        torch.randint(0, 10, (5, 7)), ("0",),
    ),
    "an operation without a rule": lambda: (
        Lambda(lambda own, x: torch.maximum(x, own.least), least=torch.randn(8)),
        torch.randn(5, 8), ("least",),
    ),
    "an operation of the user's own": lambda: (
        Lambda(
            lambda own, x: Scaled.apply(x, 2, own.scale),  # type: ignore[no-untyped-call]
            scale=torch.randn(8)
        ), torch.randn(5, 8), ("scale",),
    ),
    "experts for some of the samples, on an encoder for all": lambda: (
        Lambda(routed, encoder=nn.Linear(8, 8), expert=nn.Linear(8, 8), head=nn.Linear(8, 3)),
        torch.randn(7, 8), ("expert",),
    ),
    "an expert with the weights of its encoder": lambda: (
        Lambda(routed, encoder=(tied := nn.Linear(8, 8)), expert=tied, head=nn.Linear(8, 3)),
        torch.randn(7, 8), ("encoder",),
    ),
    "two experts that are gated": lambda: (
        Lambda(gated, gate=nn.Linear(8, 2), first=nn.Linear(8, 3), second=nn.Linear(8, 3)),
        torch.randn(7, 8), ("first", "second"),
    ),
    "samples that are compared with each other": lambda: (
        Lambda(
            lambda own, x: own.head((h := torch.tanh(own.layer(x))) - h.mean(dim=0)),
            layer=nn.Linear(8, 8), head=nn.Linear(8, 3),
        ), torch.randn(5, 8), ("layer",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("network", SLOW)
def test_what_has_no_rule_is_formed_one_by_one_and_named(network: str) -> None:
    module, inputs, layers = SLOW[network]()
    assert agree(module, inputs).one_by_one == layers


def test_a_scripted_network_gives_what_it_gives_unscripted() -> None:
    network = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    inputs = torch.randn(5, 8)
    scripted: nn.Module = torch.jit.script(network)
    for _ in range(3):  # the first calls only look at what comes in
        scripted(inputs)
    _, squares, records = gradients(scripted, inputs)
    _, plain, _ = gradients(network, inputs)
    assert records.left_out == ()
    for name, norms in plain.items():
        torch.testing.assert_close(squares[name], norms, rtol=1e-5, atol=0)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_gives_the_norms_as_far_as_it_goes(half: torch.dtype) -> None:
    network = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 3)).to(half)
    inputs = torch.randn(5, 7, 8, dtype=half)
    summed, squares, _ = gradients(network.eval(), inputs)
    sums, truth = by_loop(network, inputs)
    for name, norms in truth.items():
        got = summed[name]
        assert got is not None
        assert got.dtype == half
        torch.testing.assert_close(
            got.double(), sums[name], rtol=0, atol=0.03 * sums[name].norm().item()
        )
        torch.testing.assert_close(squares[name].sqrt(), norms.sqrt(), rtol=0.03, atol=0)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_norms_of_half_precision_are_not_rounded_to_it(half: torch.dtype) -> None:
    layer, x = nn.Linear(1001, 1, bias=False).to(half), torch.randn(5, 1001).to(half)
    with recorded(layer, trainable(layer), samples=5) as records:
        outputs = layer(x)
    _, squares = records.backward(outputs.sum())
    torch.testing.assert_close(squares["weight"], x.double().square().sum(1), rtol=1e-5, atol=0)


# --- what else holds -----------------------------------------------------------------------------


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)).eval()


def test_an_mlp_has_the_norms_of_its_closed_form() -> None:
    layer, x = nn.Linear(8, 3), torch.randn(5, 8)
    _, squares, _ = gradients(layer, x)
    y = layer(x).detach()
    g = 3 * torch.cos(3 * y) + 2 * y  # of the loss, for the outputs
    torch.testing.assert_close(squares["bias"].float(), g.square().sum(1))
    torch.testing.assert_close(squares["weight"].float(), g.square().sum(1) * x.square().sum(1))


def test_long_rows_are_added_up_precisely() -> None:
    layer, x = nn.Linear(100_000, 1, bias=False), torch.randn(3, 100_000)
    _, squares, _ = gradients(layer, x)
    y = layer(x).detach().double()
    g = 3 * torch.cos(3 * y) + 2 * y
    truth = g.square().sum(1) * x.double().square().sum(1)
    torch.testing.assert_close(squares["weight"], truth, rtol=1e-5, atol=0)


@pytest.mark.parametrize("network", ["CNN", "language model with tied weights", "GRU"])
def test_norms_follow_their_samples(network: str) -> None:
    module, inputs = NETWORKS[network]()
    order = torch.randperm(len(inputs))
    _, squares, _ = gradients(module.eval(), inputs)
    _, moved, _ = gradients(module, inputs[order])
    for name, norms in squares.items():
        torch.testing.assert_close(moved[name], norms[order], rtol=1e-4, atol=1e-8)


def test_frozen_parts_are_passed_through() -> None:
    network, inputs = mlp(), torch.randn(5, 8)
    network[0].weight.requires_grad = False
    summed, _, _ = gradients(network, inputs)
    assert list(summed) == ["0.bias", "2.weight", "2.bias"]
    agree(network, inputs)


def test_a_parameter_that_is_not_used_has_no_gradient() -> None:
    network = Lambda(lambda own, x: own.used(x), used=nn.Linear(8, 3), idle=torch.randn(4))
    summed, squares, records = gradients(network, torch.randn(5, 8))
    assert summed["idle"] is None
    assert not squares["idle"].any()
    assert records.left_out == ()


@pytest.mark.parametrize(
    "forward",
    [
        lambda own, x: (own.head(h := own.body(x)), own.other(h)),
        lambda own, x: {"logits": own.head(h := own.body(x)), "hidden": own.other(h), "first": h},
        lambda own, x: (own.head(own.body(x)), own.head(own.body(2 * x))),
        lambda own, x: own.head(own.body(x)).chunk(2, dim=1),
    ],
    ids=["critic", "hidden states", "twice", "halves of one"],
)  # fmt: skip
def test_outputs_that_the_loss_does_not_use_count_for_nothing(forward: Outputs) -> None:
    parts = {"body": nn.Linear(8, 6), "head": nn.Linear(6, 4), "other": nn.LayerNorm(6)}
    network = Lambda(forward, **parts)

    def used(own: Any, x: Tensor) -> Tensor:
        found: Any = forward(own, x)
        first: Tensor = found["logits"] if isinstance(found, dict) else found[0]
        return first

    inputs = torch.randn(5, 8)
    with recorded(network, trainable(network), samples=5) as records:
        outputs: Any = network(inputs)
    total = loss(outputs["logits"] if isinstance(outputs, dict) else outputs[0]).sum()
    summed, squares = records.backward(total)
    sums, truth = by_loop(Lambda(used, **parts), inputs)
    assert records.left_out == ()
    assert squares.keys() == truth.keys()
    for name, norms in truth.items():
        torch.testing.assert_close(squares[name].float(), norms.float(), rtol=1e-5, atol=0)
        got = summed[name]
        assert (got is None) == name.startswith("other")
        if got is not None:
            torch.testing.assert_close(got, sums[name].float(), rtol=1e-4, atol=1e-5)


def test_samples_may_take_another_way_in_every_batch() -> None:
    network = Lambda(gated, gate=nn.Linear(8, 2), first=nn.Linear(8, 3), second=nn.Linear(8, 3))
    layouts: Layouts = {}
    for seed in range(4):
        x = torch.randn(6, 8, generator=torch.Generator().manual_seed(seed))
        agree(network, x, layouts=layouts)


def test_a_unit_that_only_a_later_batch_wakes_is_found_then() -> None:
    network = Lambda(
        lambda own, x: own.head(torch.relu(own.layer(x))),
        layer=nn.Linear(1, 4),
        head=nn.Linear(4, 2),
    )
    with torch.no_grad():
        network.layer.weight.fill_(1.0)  # type: ignore[union-attr, operator]
        network.layer.bias.fill_(-10.0)  # type: ignore[union-attr, operator]
    layouts: Layouts = {}
    agree(network, torch.rand(6, 1), layouts=layouts)
    agree(network, 20 + torch.rand(6, 1), layouts=layouts)


def test_samples_that_have_no_place_in_the_outputs_are_left_out() -> None:
    network = Lambda(lambda own, x: own.layer(x).sum(dim=0), layer=nn.Linear(8, 3))
    inputs = torch.randn(5, 8)
    with recorded(network, trainable(network), samples=5) as records:
        outputs = network(inputs)
    summed, squares = records.backward(outputs.square().sum())
    assert records.left_out == ("layer",)
    assert squares == {}
    assert summed["layer.bias"] is not None


def test_a_network_without_gradients_gives_zeros() -> None:
    network = mlp()
    with recorded(network, trainable(network), samples=5) as records, torch.no_grad():
        outputs = network(torch.randn(5, 8))
    summed, squares = records.backward(loss(outputs).sum())
    assert set(summed.values()) == {None}
    assert not any(one.any() for one in squares.values())


def test_gradients_hooks_and_settings_stay_as_they_were() -> None:
    network = Lambda(lambda own, x: own.layer(x)[0], layer=nn.LSTM(8, 6, batch_first=True)).eval()
    kept = [torch.ones_like(one) for one in network.parameters()]
    for one, g in zip(network.parameters(), kept, strict=True):
        one.grad = g
    state = torch.random.get_rng_state()
    before = torch.backends.mkldnn.enabled
    gradients(network, torch.randn(5, 7, 8, generator=torch.Generator().manual_seed(0)))
    assert all(p.grad is g for p, g in zip(network.parameters(), kept, strict=True))
    assert all((g == 1).all() for g in kept)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.backends.mkldnn.enabled == before
    assert not nn.modules.module._global_forward_hooks
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_hooks_and_settings_are_taken_back_when_the_network_fails() -> None:
    network = Lambda(lambda own, x: own.layer(x)[0], layer=nn.LSTM(8, 6)).eval()
    before = torch.backends.mkldnn.enabled
    with (
        pytest.raises(RuntimeError),
        recorded(network, trainable(network), samples=5),
    ):
        network(torch.randn(5, 7, 9))
    assert torch.backends.mkldnn.enabled == before
    assert not nn.modules.module._global_forward_hooks
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_two_runs_give_the_same_bits() -> None:
    module, inputs = NETWORKS["vision transformer"]()
    _, first, _ = gradients(module.eval(), inputs)
    _, second, _ = gradients(module, inputs)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_algebra_that_torch_checks_shapes_with_is_not_imported() -> None:
    script = """
import sys, numpy, torch
from kashika.run import Arrays
from kashika.torch_network import TorchNetwork
data = Arrays(numpy.ones((8, 4), "float32"), numpy.arange(8) % 2)
seen = TorchNetwork(torch.nn.Linear(4, 2)).observe(data, split="train")
assert len(seen.sample_gradients.norms) == 8
assert "sympy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
