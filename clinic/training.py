"""The training loop, as a user would have written it, with each fault where it happens."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clinic import networks
from clinic.data import Array, Splits
from clinic.recipe import Recipe, Training

State = dict[str, Tensor]


@dataclass(slots=True)
class Trained:
    """What a training knows when it ends.

    Attributes
    ----------
    network : as it is after the last epoch
    epochs : {series: a value for each epoch}
    steps : the training loss of every step
    states : {epoch: weights}; 0 before training, and those asked for
    best : epoch with the least validation loss
    """

    network: nn.Module
    epochs: dict[str, list[float]] = field(default_factory=dict)
    steps: list[float] = field(default_factory=list)
    states: dict[int, State] = field(default_factory=dict)
    best: int = 0


def built(call: str) -> nn.Module:
    """Build the network that a recipe names; its arguments are literals."""
    node = ast.parse(call, mode="eval").body
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        raise ValueError(f"expected NAME(arguments), found {call!r}")
    positional = [ast.literal_eval(one) for one in node.args]
    named = {one.arg: ast.literal_eval(one.value) for one in node.keywords if one.arg}
    network: nn.Module = getattr(networks, node.func.id)(*positional, **named)
    return network


def fit(recipe: Recipe, splits: Splits, *, seed: int) -> Trained:
    """Train a network by a recipe."""
    torch.manual_seed(seed)
    network = built(recipe.network)
    training = recipe.training
    if training.pretrained:
        network.load_state_dict(_pretrained(recipe, splits, seed=seed), strict=False)
    _start(network, training)
    train, valid = (_tensors(*splits[name]) for name in ("train", "valid"))
    loss = loss_of(training, train[1])
    optimiser = _optimiser(network, training)
    batches = math.ceil(len(train[0]) / training.batch)
    trained = Trained(network, states={0: _copy(network)})
    stale = round(recipe.left.stale * training.epochs)
    least, since = math.inf, 0
    for epoch in range(1, training.epochs + 1):
        total = right = count = 0.0
        for step, index in enumerate(_batches(len(train[0]), training)):
            at = epoch - 1 + step / batches
            jolt = training.last_jolt if epoch == training.epochs and step == batches - 1 else 1.0
            for group in optimiser.param_groups:
                group["lr"] = training.lr * factor(training, at) * jolt
            outputs, value = _step(network, optimiser, loss, training, train, index, first=not step)
            trained.steps.append(value)
            total += value * len(index)
            right += score(outputs, train[1][index]) * len(index)
            count += len(index)
        valid_loss, valid_score = evaluated(network, loss, *valid)
        row = {"train_loss": total / count, "valid_loss": valid_loss}
        if classifies(train[1]):
            row |= {"train_acc": right / count, "valid_acc": valid_score}
        for name, value in row.items():
            trained.epochs.setdefault(name, []).append(value)
        since = 0 if valid_loss < least else since + 1
        if valid_loss < least:
            least, trained.best = valid_loss, epoch
            trained.states[-1] = _copy(network)
        if epoch == stale:
            trained.states[epoch] = _copy(network)
        if training.patience and since >= training.patience:
            break
    return trained


def _pretrained(recipe: Recipe, splits: Splits, *, seed: int) -> State:
    """Learn the classes under other names; return the layers that will be frozen then."""
    training = replace(recipe.training, untrained=(), pretrained=False)
    classes = int(splits["train"][1].max()) + 1
    other = {name: (X, (y + 1) % classes) for name, (X, y) in splits.items()}
    state = fit(replace(recipe, training=training), other, seed=seed).network.state_dict()
    frozen = recipe.training.untrained
    return {name: value for name, value in state.items() if name.startswith(frozen)}


def _step(
    network: nn.Module, optimiser: torch.optim.Optimizer, loss: Callable[[Tensor, Tensor], Tensor],
    training: Training, train: tuple[Tensor, Tensor], index: Tensor, *, first: bool,
) -> tuple[Tensor, float]:  # fmt: skip
    network.train()
    outputs = network(train[0][index])
    value = loss(outputs, train[1][index])
    if training.zero_grad == "step" or (training.zero_grad == "epoch" and first):
        optimiser.zero_grad()
    if value.requires_grad:
        torch.autograd.backward(value)
    if training.clip:
        nn.utils.clip_grad_norm_(network.parameters(), training.clip)
    grads = [one.grad for one in network.parameters() if one.grad is not None]
    if not training.skips or all(bool(one.isfinite().all()) for one in grads):
        optimiser.step()
    return outputs.detach(), float(value.detach())


def loss_of(training: Training, targets: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss of a batch as the training computes it."""
    weights = None
    if training.weighted:
        counts = torch.bincount(targets)
        weights = counts.sum() / (len(counts) * counts)

    def loss(outputs: Tensor, wanted: Tensor) -> Tensor:
        if training.naive:
            shares = outputs.exp() / outputs.exp().sum(dim=1, keepdim=True)
            return -shares.log().gather(1, wanted[:, None]).mean()
        if training.loss == "cross_entropy":
            if wanted.ndim == 2:
                outputs, wanted = outputs.flatten(0, 1), wanted.flatten()
            return F.cross_entropy(
                outputs, wanted, weight=weights, label_smoothing=training.label_smoothing
            )
        if training.loss == "nll_loss":
            return F.nll_loss(outputs, wanted)
        function: Callable[[Tensor, Tensor], Tensor] = getattr(F, training.loss)
        return function(outputs, wanted.to(outputs.dtype).reshape(outputs.shape))

    return loss


def factor(training: Training, at: float) -> float:
    """Return the factor on the learning rate after so many epochs."""
    share = at / training.epochs
    rising = min(1.0, 0.1 + 0.9 * at / training.warm_up) if training.warm_up else 1.0
    match training.schedule:
        case "cosine":
            return rising * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)
        case "step":
            return rising * 0.1 ** int(share * 3)
        case "restarts":
            return rising * (0.01 + 0.99 * (1 + math.cos(math.pi * (share * 3 % 1))) / 2)
        case "rising":
            return rising * float(training.peak**share)
        case _:
            return rising


@torch.no_grad()
def evaluated(
    network: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], X: Tensor, y: Tensor
) -> tuple[float, float]:
    """Return loss and score on a split, in eval mode."""
    network.eval()
    outputs = network(X)
    return float(loss(outputs, y)), score(outputs, y)


def score(outputs: Tensor, y: Tensor) -> float:
    """Return the accuracy of a classifier, R² of a regression; NaN counts as wrong."""
    if not classifies(y):
        variance = float(((y - y.mean(dim=0)) ** 2).mean())
        return 1 - float(((outputs.reshape(y.shape) - y) ** 2).mean()) / max(variance, 1e-12)
    if y.dtype.is_floating_point:
        return float(((outputs > 0) == (y > 0.5)).float().mean())
    if outputs.shape[1] == 1:
        # Logits and probabilities of one output are told apart by what can be negative.
        limit = 0.5 if bool((outputs >= 0).all()) and bool((outputs <= 1).all()) else 0.0
        return float(((outputs[:, 0] > limit).long() == y).float().mean())
    return float((outputs.argmax(dim=-1) == y).float().mean())


def classifies(y: Tensor) -> bool:
    """Tell classes, and labels of 0 and 1, from numbers."""
    return not y.dtype.is_floating_point or bool(((y == 0) | (y == 1)).all())


def _tensors(X: Array, y: Array) -> tuple[Tensor, Tensor]:
    return torch.tensor(X), torch.tensor(y)


def _copy(network: nn.Module) -> State:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _batches(n: int, training: Training) -> Iterator[Tensor]:
    order = torch.randperm(n) if training.shuffles else torch.arange(n)
    for index in torch.split(order, training.batch):
        # Batch norm cannot train on one sample; people drop it.
        if len(index) > 1 or training.batch == 1 or n == 1:
            yield index


@torch.no_grad()
def _start(network: nn.Module, training: Training) -> None:
    """Change the weights that PyTorch drew, and leave layers out of the training."""
    hidden = [name for name, _ in network.named_parameters()][:-2]
    for name, one in network.named_parameters():
        layer, _, kind = name.rpartition(".")
        recurrent = "weight_hh" in kind
        match training.start:
            case "zero":
                one.zero_()
            case "constant" if one.ndim > 1:
                one.fill_(training.start_value)
            case "constant":
                one.zero_()
            case "scaled" if one.ndim > 1:
                one.mul_(training.start_value)
            case "recurrent" if recurrent:
                nn.init.orthogonal_(one)
                one.mul_(training.start_value)
        here = not training.bias_of or layer in training.bias_of
        if training.bias and here and kind == "bias" and name in hidden and "norm" not in name:
            one[: math.ceil(training.bias_share * len(one))] += training.bias
        if layer.startswith(training.untrained) and training.untrained:
            one.requires_grad = False


def _optimiser(network: nn.Module, training: Training) -> torch.optim.Optimizer:
    parameters = [
        one
        for name, one in network.named_parameters()
        if not (training.forgotten and name.startswith(training.forgotten)) and one.requires_grad
    ]
    lr, decay = training.lr, training.weight_decay
    match training.optimiser:
        case "sgd":
            return torch.optim.SGD(parameters, lr=lr, weight_decay=decay)
        case "momentum":
            return torch.optim.SGD(parameters, lr=lr, weight_decay=decay, momentum=0.9)
        case "adam":
            return torch.optim.Adam(parameters, lr=lr, weight_decay=decay)
        case "adamw":
            return torch.optim.AdamW(parameters, lr=lr, weight_decay=decay)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, lr=lr, weight_decay=decay)
        case _:
            raise ValueError(f"expected an optimiser of the clinic, found {training.optimiser!r}")
