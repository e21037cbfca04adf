"""Looking at a network leaves it, its data and every random state as they were."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import kashika as ks
from kashika.distribution import Array
from kashika.view import View

X = np.random.default_rng(0).normal(size=(40, 2))
Y = np.arange(40) % 2


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with ks.speaking("en"):
        yield


class Delicate(nn.Module):
    """Has everything that looking at a network can spoil, and spoils its inputs itself."""

    calls: Tensor
    latest: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.body = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(8, 2)
        self.idle = nn.Linear(2, 2)
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("latest", torch.zeros(1), persistent=False)
        self.fails = False

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.latest = x.detach().mean(dim=0)  # in place of the buffer stands another tensor
        x -= 1.0
        if self.fails:
            raise RuntimeError("out of memory")
        logits: Tensor = self.head(self.body(self.norm(x)))
        return logits + 1e-3 * torch.rand(()) * random.random() * np.random.rand()


def delicate() -> Delicate:
    """A network in the middle of its training, of which one part is frozen."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        module = Delicate()
        module.train()
        torch.autograd.backward(F.cross_entropy(module(torch.randn(16, 2)), torch.arange(16) % 2))
    module.norm.eval()
    for parameter in module.norm.parameters():
        parameter.requires_grad = False
    module.head.register_forward_hook(_double)
    module.body.register_forward_pre_hook(_pass)
    return module


def _double(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    return 2 * output


def _pass(_module: nn.Module, _inputs: object) -> None:
    return None


def state(module: nn.Module) -> dict[str, Any]:
    """Everything that a network is, in copies that can be compared."""
    tensors = {
        **{f"parameter {name}": one for name, one in module.named_parameters()},
        **{f"buffer {name}": one for name, one in module.named_buffers()},
    }
    parts = dict(module.named_modules())
    return {
        "keys": list(module.state_dict()),
        "values": {name: one.detach().clone() for name, one in tensors.items()},
        "identities": {name: id(one) for name, one in tensors.items()},
        "gradients": {
            name: None if one.grad is None else (id(one.grad), one.grad.clone())
            for name, one in module.named_parameters()
        },
        "trainable": {name: one.requires_grad for name, one in module.named_parameters()},
        "modes": {name: one.training for name, one in parts.items()},
        "hooks": {
            name: [
                list(vars(one)[kind].items())
                for kind in vars(one)
                if kind.endswith(("_hooks", "_hooks_with_kwargs")) and vars(one)[kind] is not None
            ]
            for name, one in parts.items()
        },
        "attributes": {name: sorted(vars(one)) for name, one in parts.items()},
        "random": random.getstate(),
        "numpy": np.random.get_state(legacy=False),
        "torch": torch.get_rng_state(),
        "switches": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
    }


def assert_equal(found: Any, expected: Any, *, where: str = "") -> None:
    """Compare nested values, tensors and arrays bit for bit."""
    assert type(found) is type(expected), where
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key in expected:
            assert_equal(found[key], expected[key], where=f"{where}.{key}")
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), where
        for place, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_equal(one, other, where=f"{where}[{place}]")
    elif isinstance(expected, Tensor):
        assert torch.equal(found, expected), where
    elif isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(found, expected, err_msg=where)
    else:
        assert found == expected, where


def _analyzed(model: nn.Module, x: Array, y: Array) -> None:
    report = ks.analyze(model, train=(x, y), test=(x[:20], y[:20]), layer="body")
    assert all(section.missing is None for section in report.sections[1:])


LOOKS: dict[str, Callable[[nn.Module, Array, Array], object]] = {
    "predictions": ks.predictions,
    "boundary": ks.boundary,
    "features": lambda model, x, y: ks.features(model, x, y, layer="body"),
    "weights": lambda model, _x, _y: ks.weights(model),
    "gradients": ks.gradients,
    "analyze": _analyzed,
}


@pytest.mark.parametrize("look", LOOKS)
def test_looking_leaves_the_network_and_every_random_state_as_they_were(look: str) -> None:
    model = delicate()
    before = state(model)
    assert before["gradients"]["head.weight"] is not None
    assert set(before["modes"].values()) == {True, False}
    LOOKS[look](model, X, Y)
    assert_equal(state(model), before)


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("look", LOOKS)
def test_looking_is_the_same_where_gradients_are_switched_off(
    look: str, around: Callable[[], AbstractContextManager[None]]
) -> None:
    model = delicate()
    with around():
        before = state(model)
        LOOKS[look](model, X, Y)
        assert_equal(state(model), before)


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_gradients_are_there_where_they_are_switched_off(
    around: Callable[[], AbstractContextManager[None]],
) -> None:
    module = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))
    plain = ks.gradients(module, X, Y).norms["test"]
    with around():
        assert ks.gradients(module, torch.tensor(X), torch.tensor(Y)).norms["test"] == plain


@pytest.mark.parametrize("look", ["predictions", "boundary", "features", "gradients"])
def test_an_error_in_the_forward_leaves_no_trace(look: str) -> None:
    model = delicate()
    model.fails = True
    before = state(model)
    with pytest.raises(ks.MismatchError, match="RuntimeError: out of memory"):
        LOOKS[look](model, X, Y)
    assert_equal(state(model), before)


def test_an_error_in_a_later_batch_leaves_no_trace_and_what_was_seen_before_it() -> None:
    class Second(Delicate):
        def forward(self, x: Tensor) -> Tensor:
            if len(x) < 1024:  # the last batch is smaller
                raise ZeroDivisionError("in the last batch")
            return super().forward(x)

    model = Second().train()
    before = state(model)
    seen = ks.predictions(model, np.ones((1500, 2)), np.arange(1500) % 2)
    assert seen.scores["test"].samples == 1024
    assert_equal(state(model), before)


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_an_error_in_the_loss_leaves_no_trace(error: BaseException) -> None:
    def loss(_outputs: Tensor, _targets: Tensor) -> Tensor:
        raise error

    model = delicate()
    before = state(model)
    with pytest.raises((ks.MismatchError, KeyboardInterrupt)):
        ks.gradients(model, X, Y, loss=loss)
    assert_equal(state(model), before)


def test_a_view_that_raises_leaves_no_trace() -> None:
    def measure(run: ks.Run) -> None:
        assert run.observations["train"].samples == 40
        raise ValueError("in the view")

    model = delicate()
    before = state(model)
    report = ks.analyze(model, train=(X, Y), views=[View("broken", measure)])
    assert report.sections[0].missing == "This view failed: ValueError: in the view"
    assert_equal(state(model), before)


def test_the_inputs_are_copied_before_the_network_can_change_them() -> None:
    arrays: list[Array] = [X.copy(), X.astype(np.float32)]
    tensors = [torch.tensor(X), torch.tensor(X, dtype=torch.float32)]
    for one in [*arrays, *tensors]:
        kept, targets = deepcopy(one), Y.copy()
        for look in LOOKS.values():
            look(delicate(), one, targets)  # type: ignore[arg-type]
        assert_equal(one, kept)
        np.testing.assert_array_equal(targets, Y)


def test_what_was_observed_is_the_users_data_and_not_what_the_network_made_of_it() -> None:
    inputs = X.astype(np.float32)
    points = ks.boundary(delicate(), inputs, Y).maps[0].points["train"]
    np.testing.assert_array_equal(points.places, inputs)


def test_a_loss_that_changes_its_targets_does_not_change_the_users() -> None:
    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        targets.zero_()
        return F.cross_entropy(outputs, targets, reduction="none")

    targets = torch.tensor(Y)
    ks.gradients(delicate(), X, targets, loss=loss)
    assert torch.equal(targets, torch.tensor(Y))


def test_a_loader_with_a_generator_goes_on_as_if_nobody_had_read_it() -> None:
    def loader() -> DataLoader[tuple[Tensor, ...]]:
        pairs = TensorDataset(torch.tensor(X), torch.tensor(Y))
        generator = torch.Generator().manual_seed(5)
        return DataLoader(pairs, batch_size=8, shuffle=True, generator=generator)

    read, unread = loader(), loader()
    model = delicate()
    before = state(model)
    for look in (ks.predictions, ks.boundary, ks.features, ks.gradients):
        look(model, read)
    assert_equal(state(model), before)
    assert_equal([*read], [*unread])


def test_a_data_set_that_draws_lots_does_not_move_the_users_random_state() -> None:
    class Noisy(TensorDataset):
        def __getitem__(self, index: int) -> tuple[Tensor, ...]:
            x, y = super().__getitem__(index)  # type: ignore[no-untyped-call]
            return x + torch.randn(2) + random.random() + np.random.rand(), y

    model = delicate()
    before = state(model)
    ks.predictions(model, Noisy(torch.tensor(X), torch.tensor(Y)))
    assert_equal(state(model), before)


def test_the_users_own_hooks_take_part() -> None:
    module = nn.Sequential(nn.Linear(2, 2))
    plain = ks.features(module, X, Y).projections[0].coordinates
    module.get_submodule("0").register_forward_hook(_double)
    np.testing.assert_array_equal(ks.features(module, X, Y).projections[0].coordinates, 2 * plain)


def test_twice_gives_the_same() -> None:
    # backward() without zero_grad() would double the gradients the second time.
    model = delicate()
    first, second = (ks.gradients(model, X, Y) for _ in range(2))
    assert first.norms == second.norms
    assert first.loss == second.loss


def test_a_network_made_in_inference_mode_has_all_but_gradients() -> None:
    with torch.inference_mode():
        module = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    before = state(module)
    report = ks.analyze(module, train=(X, Y))
    assert {one.view.name: one.missing for one in report.sections if one.missing} == {
        "curves": (
            "needs training logs; "
            "give a folder with files such as train_loss.txt and valid_loss.txt"
        ),
        "gradients": (
            "needs trainable parameters; "
            "all are frozen or the loss depends on none, see requires_grad"
        ),
    }
    assert_equal(state(module), before)
